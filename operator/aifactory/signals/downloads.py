"""How far downloads are: series of download pods, which carry `namespace` and `modelcache` by the scrape."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Any

from .answers import Service, samples

_BY = "namespace, modelcache"
_SELECT = 'modelcache!=""'
_PREFIX = "aifactory_download_"


@dataclass(frozen=True, slots=True)
class DownloadReading:
    """What Prometheus knows of the download of one cache; None is not known. `speed` is bytes per second."""

    bytes: int | None = None
    files: int | None = None
    speed: float | None = None


def build(window_seconds: int) -> Mapping[str, str]:
    """Queries for all downloads, by the field of `DownloadReading` that they fill.

    Of two pods of one cache, as when one replaces another, the one that is further counts.
    """
    return {
        "bytes": f"max by ({_BY}) ({_PREFIX}bytes{{{_SELECT}}})",
        "files": f"max by ({_BY}) ({_PREFIX}files{{{_SELECT}}})",
        "speed": f"max by ({_BY}) (rate({_PREFIX}bytes{{{_SELECT}}}[{window_seconds}s]))",
    }


def numbers(vector: Any) -> Mapping[Service, float]:
    """Instant vector by namespace and modelcache -> finite number, not negative, per cache.

    Raises:
        ValueError: if the answer is not a list of samples.
    """
    found = samples(vector, "modelcache")
    return {cache: value for cache, _, value in found if value is not None and 0 <= value < inf}


def readings(tables: Mapping[str, Mapping[Service, float]]) -> Mapping[Service, DownloadReading]:
    """Tables by query -> reading per cache."""
    bytes_, files, speed = (tables.get(name, {}) for name in ("bytes", "files", "speed"))
    return {
        key: DownloadReading(bytes=_whole(bytes_.get(key)), files=_whole(files.get(key)), speed=speed.get(key))
        for key in {*bytes_, *files, *speed}
    }


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)
