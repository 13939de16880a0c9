"""Who knows the whole trace: what keeping the promise costs at least."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from math import ceil, isinf, prod
from typing import NamedTuple

from .capacity import Capacity, demand, replicas_for
from .cluster import STARTUP_SPREAD
from .policies.fixed import Fixed
from .scenario import Scenario
from .world import World

Timetable = list[tuple[float, int]]

# Bursts shorter than a bin are averaged out. Which bin is best depends on how bursty the load is.
_BINS_SECONDS = (60.0, 15.0, 5.0)
# Of an offline service: shares of the time that a request may take, over which its work is spread.
_SPREADS = (1.0, 0.8, 0.5, 0.2)
# Load is counted so many times, in steps of 1.7 %: below 1 where a short excess can wait a little.
_HEADROOMS = tuple(1.07 ** (step / 4) for step in range(-24, 37))


def timetables(scenario: Scenario, capacities: Sequence[Capacity]) -> list[Timetable]:
    """The cheapest timetable of replicas that keeps the promise when it is tried on the trace itself, for each part.

    Load is counted in bins of several lengths, or, of an offline service, spread over several times, and with more or
    less headroom. Where nothing keeps the promise, the most headroom. Of two parts, one is looked for beside as many
    replicas of the other as there may be and may spend half of what may be missed, then the other, then the first once
    more.
    """
    parts = scenario.parts
    enough = prod(one.enough for one in capacities) / scenario.attainment ** (len(parts) - 1)
    tables: list[Timetable] = [[(0.0, part.scaling.max_replicas)] for part in parts]
    first = [(0, enough + (1 - enough) / 2)] if len(parts) > 1 else []
    for index, share in (*first, *((index, enough) for index in reversed(range(len(parts))))):
        tables[index] = _Search(scenario, capacities[index], tables, index, share).cheapest()
    return tables


class _Candidate(NamedTuple):
    """A timetable, what it costs at least (GPU-seconds), which way of counting load it is from, and its headroom."""

    cost: float
    way: int
    step: int
    table: Timetable


@dataclass(frozen=True, slots=True)
class _Search:
    """For the timetable of one part beside those of the others, with which a share of `enough` requests is good."""

    scenario: Scenario
    capacity: Capacity
    tables: Sequence[Timetable]
    index: int
    enough: float

    def cheapest(self) -> Timetable:
        """Bisection over candidates by what they cost.

        One that keeps the promise leaves those that cost less at least than it does, and of those from the same way of
        counting load the ones with less headroom; one that does not keep it leaves of these the ones with more.
        """
        left = sorted(self._candidates())
        best = min(one for one in left if one.step == len(_HEADROOMS) - 1).table
        least = float("inf")
        while left:
            middle = left[len(left) // 2]
            seconds = self._kept_for(middle.table)
            if seconds is None:
                left = [one for one in left if one.way != middle.way or one.step > middle.step]
                continue
            if seconds < least:
                best, least = middle.table, seconds
            left = [one for one in left if one.cost < least and (one.way != middle.way or one.step < middle.step)]
        return best

    def _candidates(self) -> list[_Candidate]:
        part, within = self.scenario.parts[self.index], self.scenario.within
        ways = [(seconds, 0.0) for seconds in _BINS_SECONDS]
        if within is not None:
            ways = [(_BINS_SECONDS[0], share * within) for share in _SPREADS]
        ahead = part.startup * (1 + STARTUP_SPREAD) + Fixed.every
        found = []
        for way, (seconds, spread) in enumerate(ways):
            load = demand(part, seconds, spread)
            for step, headroom in enumerate(_HEADROOMS):
                needs = replicas_for(load, part, self.capacity, headroom)
                table = covering(needs, seconds, ahead, part.serves_on)
                found.append(_Candidate(self._least_cost(table), way, step, table))
        return found

    def _least_cost(self, table: Timetable) -> float:
        parts = self.scenario.parts
        return sum(at_least(part, one) for part, one in zip(parts, self._beside(table), strict=True))

    def _kept_for(self, table: Timetable) -> float | None:
        """GPU-seconds, if it keeps the promise."""
        tables = self._beside(table)
        world = World(self.scenario, *map(Fixed, tables), enough=self.enough)
        record = world.run(*(one[0][1] for one in tables))
        return record.gpu_seconds if record.attainable >= self.enough else None

    def _beside(self, table: Timetable) -> list[Timetable]:
        return [*self.tables[: self.index], table, *self.tables[self.index + 1 :]]


def at_least(part: Scenario, table: Timetable) -> float:
    """GPU-seconds of a timetable if pods that leave have no requests; it is looked at when `Fixed` decides.

    In a cluster that is full others wait for pods that leave, which then cost nothing more.
    """
    low, high = part.scaling.min_replicas, min(part.scaling.max_replicas, part.room)
    asked = {min(part.end, Fixed.every * ceil(time / Fixed.every)): replicas for time, replicas in table}
    levels = [(time, min(high, max(low, replicas))) for time, replicas in asked.items()]
    serves_on = part.serves_on if isinf(part.room) else 0.0
    seconds = 0.0
    for (begin, before), (end, after) in pairwise([*levels, (part.end, levels[-1][1])]):
        seconds += (end - begin) * before + max(0, before - after) * min(serves_on, part.end - end)
    return part.gpus * seconds


def covering(needs: Sequence[int], bin_seconds: float, startup: float, serves_on: float = 0.0) -> Timetable:
    """(seconds, replicas) with the fewest replica-seconds that have `needs` serving in each bin.

    Each replica beyond the others is asked for `startup` seconds before it is needed. It stays over a gap that is not
    longer than a start takes and than it would serve on when told to leave, as to have it again would cost as much; the
    levels do not depend on each other.
    """
    bridged = startup + serves_on
    changes: dict[float, int] = {}
    gone: dict[int, float] = {}
    for index, (before, after) in enumerate(pairwise((0, *needs, 0))):
        at = index * bin_seconds
        for level in range(before + 1, after + 1):
            end = gone.pop(level, None)
            if end is not None and at - end > bridged:
                changes[end] = changes.get(end, 0) - 1
            if end is None or at - end > bridged:
                asked = max(0.0, at - startup)
                changes[asked] = changes.get(asked, 0) + 1
        gone |= dict.fromkeys(range(after + 1, before + 1), at)
    for end in gone.values():
        changes[end] = changes.get(end, 0) - 1
    return list(zip(sorted(changes), accumulate(changes[time] for time in sorted(changes)), strict=True))
