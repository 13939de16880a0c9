"""How far a download is, as text and numbers."""

from datetime import timedelta

from aifactory.api.cachestatus import ProgressStatus
from aifactory.api.download import Outcome
from aifactory.api.meta import format_duration
from aifactory.signals.downloads import DownloadReading

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def size(count: float) -> str:
    """Bytes in the largest unit that leaves at least one, such as 15.0GiB."""
    unit = 0
    while count >= 1024 and unit < len(_UNITS) - 1:
        count, unit = count / 1024, unit + 1
    return f"{count:.1f}{_UNITS[unit]}" if unit else f"{count:.0f}B"


def progress(planned: Outcome, reading: DownloadReading | None) -> ProgressStatus:
    """What is known: totals and what was there at the beginning from the pod, the rest from Prometheus."""
    reading = reading or DownloadReading()
    arrived = max(planned.bytes, reading.bytes or 0)
    total, speed = planned.bytes_total, reading.speed
    known = reading.bytes is not None
    left = (total - arrived) / speed if speed else None
    return ProgressStatus(
        files=max(planned.files, reading.files or 0),
        files_total=planned.files_total,
        bytes=arrived,
        bytes_total=total,
        percent=f"{100 * arrived // total if total else 100}%" if known or planned.bytes else None,
        speed=f"{size(speed)}/s" if speed else None,
        remaining=None if left is None else format_duration(timedelta(seconds=round(left))),
    )


def sentence(found: ProgressStatus) -> str:
    """Progress for people; says so when it is not known."""
    total = f"{size(found.bytes_total or 0)} in {found.files_total} files"
    if found.percent is None:
        return f"{total}; how far it is will be known once Prometheus has scraped the pod"
    parts = [f"{found.percent} of {total}", found.speed, found.remaining and f"{found.remaining} left"]
    return ", ".join(part for part in parts if part)
