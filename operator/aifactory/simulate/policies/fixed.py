"""Policies that know the trace and do not look at the service."""

from collections.abc import Sequence

from .base import Choice, Seen


class Fixed:
    """Replicas by a timetable of (seconds from the start, replicas); one entry for a constant number."""

    every = 15.0

    def __init__(self, timetable: Sequence[tuple[float, int]]) -> None:
        self._timetable = timetable
        self.initial: int | None = timetable[0][1]

    def decide(self, seen: Seen) -> Choice:
        """The last entry that has begun."""
        return Choice(next(replicas for time, replicas in reversed(self._timetable) if time <= seen.now))
