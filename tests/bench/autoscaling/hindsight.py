"""What it takes to know the load of the moment exactly, but not what will come, and to be set up with hindsight."""

from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from math import ceil, inf
from typing import NamedTuple

from aifactory.simulate.capacity import Capacity, demand
from aifactory.simulate.policies.base import Choice, Seen
from aifactory.simulate.scenario import Scenario
from aifactory.simulate.world import World

_BIN_SECONDS = 5.0
# Load is averaged over one of these, and the highest number of replicas of one of those is kept; seconds.
_WINDOWS = (15.0, 60.0)
_KEPT = (60.0, 300.0, 900.0, 1800.0)
# Headroom is looked for in steps of 5 %.
_HEADROOMS = [0.6 * 1.05**step for step in range(32)]


@dataclass(slots=True)
class Knowing:
    """Replicas for the mean `load` (replicas' worth, by bin) of the last `window` seconds, times `headroom`.

    The highest number of the last `kept` seconds counts.
    """

    load: Sequence[float]
    window: float
    kept: float
    headroom: float
    every: float = 15.0
    initial: int | None = None
    _sums: list[float] = field(init=False)
    _wanted: deque[tuple[float, int]] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self._sums = [0.0, *accumulate(self.load)]
        self.initial = max(1, ceil(max(self.load[: int(300 // _BIN_SECONDS)])))

    def decide(self, seen: Seen) -> Choice:
        """The load up to now, without the delay of a scrape."""
        end = min(len(self.load), int(seen.now // _BIN_SECONDS))
        begin = max(0, end - int(self.window // _BIN_SECONDS))
        mean = (self._sums[end] - self._sums[begin]) / max(1, end - begin)
        self._wanted.append((seen.now, ceil(self.headroom * mean)))
        while self._wanted[0][0] < seen.now - self.kept:
            self._wanted.popleft()
        begun = (self.initial or 1) if seen.now <= self.kept else 1
        return Choice(max(begun, *(replicas for _, replicas in self._wanted), 1))


class Cost(NamedTuple):
    """Of a policy that attains what is asked for."""

    gpu_hours: float
    actions_per_hour: float


def cheapest(scenario: Scenario, capacity: Capacity, attained: Sequence[float]) -> list[Cost]:
    """The cheapest set-up for each share of requests (0 to 1) that is to be attained; infinite if none does."""
    load = [rate / capacity.rate for rate in demand(scenario, _BIN_SECONDS)]
    set_ups = [_SetUp(scenario, load, window, kept, min(attained)) for window in _WINDOWS for kept in _KEPT]
    return [min(one.cheapest(share) for one in set_ups) for share in attained]


@dataclass(slots=True)
class _SetUp:
    """All headrooms of one; what attains less than `least` is of no use."""

    scenario: Scenario
    load: Sequence[float]
    window: float
    kept: float
    least: float
    _tried: dict[int, tuple[float, Cost]] = field(default_factory=dict)

    def cheapest(self, attained: float) -> Cost:
        """With the least headroom that attains it."""
        steps = range(len(_HEADROOMS))
        step = bisect_left(steps, attained, key=lambda one: self._try(one)[0])
        return self._try(step)[1] if step < len(steps) else Cost(inf, inf)

    def _try(self, step: int) -> tuple[float, Cost]:
        if step not in self._tried:
            policy = Knowing(self.load, self.window, self.kept, _HEADROOMS[step])
            record = World(self.scenario, policy, enough=self.least).run(policy.initial or 1)
            changes = len(record.actions) * 3600 / self.scenario.end
            self._tried[step] = record.attainable, Cost(record.gpu_seconds / 3600, changes)
        return self._tried[step]
