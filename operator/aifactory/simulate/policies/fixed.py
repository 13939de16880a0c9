"""Policies that know the trace and do not look at the service."""

from bisect import bisect_right
from collections.abc import Sequence

from .base import Choice, Seen


class Fixed:
    """Replicas by a timetable of (seconds from the start, replicas); one entry for a constant number."""

    every = 15.0

    def __init__(self, timetable: Sequence[tuple[float, int]]) -> None:
        self._times = [time for time, _ in timetable]
        self._replicas = [replicas for _, replicas in timetable]
        self.initial: int | None = self._replicas[0]

    def decide(self, seen: Seen) -> Choice:
        """The last entry that has begun."""
        return Choice(self._replicas[bisect_right(self._times, seen.now) - 1])
