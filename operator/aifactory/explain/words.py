"""Pieces of sentences."""

from datetime import datetime, timedelta

from aifactory.api.meta import format_duration
from aifactory.signals.readings import State
from aifactory.status.outlook import parsed

_UNREAD = {
    State.OK: "no value",
    State.IDLE: "no requests",
    State.STALE: "cannot be read: the newest sample is too old",
    State.MISSING: "cannot be read: Prometheus has no such series",
    State.ERROR: "cannot be read: Prometheus does not answer as it should",
    State.UNSUPPORTED: "this engine does not measure it",
}


def counted(count: int, thing: str) -> str:
    """`1 replica`, `2 replicas`."""
    return f"{count} {thing}{'s' * (count != 1)}"


def unread(state: str) -> str:
    """Why a signal has no value."""
    return _UNREAD[State(state)] if state in set(State) else state


def overdrawn(budget: str | None) -> str:
    """By how much an error budget is, such as `50.0%`; empty where it is not, or not known."""
    return (budget or "")[1:] if (parsed(budget) or 0.0) < 0 else ""


def ago(time: str, now: float) -> str:
    """How long an RFC 3339 time is before `now` (epoch seconds), in its two largest units; empty for no time."""
    try:
        seconds = max(0.0, now - datetime.fromisoformat(time).timestamp())
    except ValueError:
        return ""
    unit = 3600 if seconds >= 86_400 else 60 if seconds >= 3600 else 1
    return f"{format_duration(timedelta(seconds=seconds // unit * unit))} ago"
