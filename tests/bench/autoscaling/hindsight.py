"""What it takes to know the load of the moment exactly, but not what will come, and to be set up with hindsight."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from math import ceil

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


def cheapest(scenario: Scenario, capacity: Capacity) -> float:
    """GPU-hours of the cheapest set-up that attains what is promised; infinite if none does."""
    load = [rate / capacity.rate for rate in demand(scenario, _BIN_SECONDS)]
    return min(_cost(scenario, load, window, kept) for window in _WINDOWS for kept in _KEPT)


def _cost(scenario: Scenario, load: Sequence[float], window: float, kept: float) -> float:
    """With the least headroom that attains what is promised."""
    low, high, found = 0, len(_HEADROOMS), float("inf")
    while low < high:
        middle = (low + high) // 2
        policy = Knowing(load, window, kept, _HEADROOMS[middle])
        record = World(scenario, policy, enough=scenario.attainment).run(policy.initial or 1)
        if record.attainable >= scenario.attainment:
            high, found = middle, record.gpu_seconds / 3600
        else:
            low = middle + 1
    return found
