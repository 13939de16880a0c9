"""Who knows the whole trace: what keeping the promise costs at least."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import prod

from .capacity import Capacity, needed
from .cluster import STARTUP_SPREAD
from .policies.fixed import Fixed
from .record import figures
from .scenario import Scenario
from .world import World

Timetable = list[tuple[float, int]]

# Bursts shorter than a bin are averaged out. Which bin is best depends on how bursty the load is.
_BINS_SECONDS = (60.0, 15.0, 5.0)
# Of an offline service: shares of the time that a request may take, over which its work is spread.
_SPREADS = (1.0, 0.8, 0.5, 0.2)
# Load is counted so many times, in steps of 7 %: below 1 where a short excess can wait a little.
_HEADROOMS = tuple(1.07**step for step in range(-6, 10))


def timetables(scenario: Scenario, capacities: Sequence[Capacity]) -> list[Timetable]:
    """The cheapest timetable of replicas that keeps the promise when it is tried on the trace itself, for each part.

    For each length of bins, or of an offline service for each time over which work is spread, the least headroom is
    looked for by bisection. Where nothing keeps it, the most headroom. Of two parts, one is looked for beside as many
    replicas of the other as there may be and may spend half of what may be missed, then the other, then the first once
    more.
    """
    parts, within = scenario.parts, scenario.within
    tries = [(seconds, 0.0) for seconds in _BINS_SECONDS]
    if within is not None:
        tries = [(_BINS_SECONDS[0], share * within) for share in _SPREADS]
    enough = prod(one.enough for one in capacities) / scenario.attainment ** (len(parts) - 1)
    tables: list[Timetable] = [[(0.0, part.scaling.max_replicas)] for part in parts]
    first = [(0, enough + (1 - enough) / 2)] if len(parts) > 1 else []
    for index, share in (*first, *((index, enough) for index in reversed(range(len(parts))))):
        search = _Search(scenario, capacities[index], tables, index, share)
        found = [search.least(*one) for one in tries]
        kept = [one for one in found if one[0]] or found
        tables[index] = min(kept, key=lambda one: one[1])[2]
    return tables


@dataclass(frozen=True, slots=True)
class _Search:
    """For the timetable of one part beside those of the others, with which a share of `enough` requests is good."""

    scenario: Scenario
    capacity: Capacity
    tables: Sequence[Timetable]
    index: int
    enough: float

    def least(self, bin_seconds: float, spread: float) -> tuple[bool, float, Timetable]:
        """Whether the promise is kept, GPU-seconds, and the timetable."""
        low, high = 0, len(_HEADROOMS) - 1
        best = self._tried(bin_seconds, spread, high)
        while low < high and best[0]:
            middle = (low + high) // 2
            found = self._tried(bin_seconds, spread, middle)
            if found[0]:
                best, high = found, middle
            else:
                low = middle + 1
        return best

    def _tried(self, bin_seconds: float, spread: float, step: int) -> tuple[bool, float, Timetable]:
        part = self.scenario.parts[self.index]
        needs = needed(part, self.capacity, bin_seconds, _HEADROOMS[step], spread)
        table = covering(needs, bin_seconds, part.startup * (1 + STARTUP_SPREAD) + Fixed.every)
        tables = [*self.tables[: self.index], table, *self.tables[self.index + 1 :]]
        record = World(self.scenario, *map(Fixed, tables)).run(*(one[0][1] for one in tables))
        return figures(record).attainment >= self.enough, record.gpu_seconds, table


def covering(needs: Sequence[int], bin_seconds: float, startup: float) -> Timetable:
    """(seconds, replicas) with the fewest replica-seconds that have `needs` serving in each bin.

    Each replica beyond the others is asked for `startup` seconds before it is needed. It stays over a gap that is not
    longer than a start takes, as starting it again would cost as much; the levels do not depend on each other.
    """
    changes: dict[float, int] = {}
    for level in range(1, max(needs) + 1):
        for begin, end in _bridged(_intervals(needs, level, bin_seconds), startup):
            asked = max(0.0, begin - startup)
            changes[asked] = changes.get(asked, 0) + 1
            changes[end] = changes.get(end, 0) - 1
    table, replicas = [], 0
    for time in sorted(changes):
        replicas += changes[time]
        table.append((time, replicas))
    return table


def _intervals(needs: Sequence[int], level: int, bin_seconds: float) -> list[tuple[float, float]]:
    marks = [0, *(int(need >= level) for need in needs), 0]
    edges = [index * bin_seconds for index, (before, after) in enumerate(pairwise(marks)) if before != after]
    return list(zip(edges[::2], edges[1::2], strict=True))


def _bridged(intervals: Iterable[tuple[float, float]], gap: float) -> list[tuple[float, float]]:
    found: list[tuple[float, float]] = []
    for begin, end in intervals:
        if found and begin - found[-1][1] <= gap:
            found[-1] = (found[-1][0], end)
        else:
            found.append((begin, end))
    return found
