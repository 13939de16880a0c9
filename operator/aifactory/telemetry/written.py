"""Numbers as a status writes them."""

from datetime import datetime

from aifactory.api.meta import parse_duration


def epoch(time: str) -> float:
    """RFC 3339 in seconds since 1970."""
    return datetime.fromisoformat(time).timestamp()


def number(text: str) -> float:
    """A share, a duration in seconds or a plain number, as the status writes it."""
    if text.endswith("%"):
        return float(text[:-1]) / 100
    try:
        return parse_duration(text).total_seconds()
    except ValueError:
        return float(text[:-2]) / 1000 if text.endswith("ms") else float(text.removesuffix("s"))
