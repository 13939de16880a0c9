"""The Knative Pod Autoscaler on concurrency."""

from collections import deque
from math import ceil, floor
from statistics import fmean

from .base import Choice, Seen

TICK_SECONDS = 2.0
STABLE_SECONDS = 60.0
PANIC_SECONDS = 6.0
PANIC_THRESHOLD = 2.0
MOST_UP = 1000.0
MOST_DOWN = 2.0
DEFAULT_CONCURRENCY = 100.0
UTILIZATION = 0.7


class KPA:
    """Concurrency averaged over a stable and a panic window (knative/serving pkg/autoscaler/scaling/autoscaler.go).

    With the defaults of config-autoscaler: tick-interval 2 s, stable-window 60 s, panic-window-percentage 10,
    panic-threshold-percentage 200, max-scale-up-rate 1000, max-scale-down-rate 2, and a target of
    container-concurrency-target-percentage 70 of container-concurrency-target-default 100, or of what a replica can
    hold within the objectives (`concurrency`) where that is less, as someone would set who has profiled it. It begins
    in panic if more than one pod is ready, and does not shrink while in panic. Concurrency is exact, as that of the
    queue proxy in each pod.
    """

    every = TICK_SECONDS
    initial: int | None = None

    def __init__(self, concurrency: float) -> None:
        self._target = max(1.0, UTILIZATION * min(DEFAULT_CONCURRENCY, concurrency))
        self._seen: deque[tuple[float, float]] = deque()
        self._panic_since: float | None = None
        self._panic_pods = 0
        self._begun = False

    def decide(self, seen: Seen) -> Choice:
        """One tick."""
        now, ready = seen.now, max(1, seen.ready)
        self._seen.append((now, sum(load.running + load.waiting for load in seen.engines().values())))
        while self._seen[0][0] <= now - STABLE_SECONDS:
            self._seen.popleft()
        if not self._begun:
            self._begun = True
            self._panic_since, self._panic_pods = (now, ready) if ready > 1 else (None, 0)
        low, high = floor(ready / MOST_DOWN), ceil(MOST_UP * ready)
        stable = min(max(ceil(self._mean(now, STABLE_SECONDS) / self._target), low), high)
        raw_panic = ceil(self._mean(now, PANIC_SECONDS) / self._target)
        panic = min(max(raw_panic, low), high)
        if raw_panic / ready >= PANIC_THRESHOLD:
            if self._panic_since is None:
                self._panic_pods = 0
            self._panic_since = now
        elif self._panic_since is not None and now - self._panic_since > STABLE_SECONDS:
            self._panic_since = None
        if self._panic_since is None:
            return Choice(stable)
        self._panic_pods = max(self._panic_pods, stable, panic)
        return Choice(self._panic_pods)

    def _mean(self, now: float, window: float) -> float:
        return fmean(value for time, value in self._seen if time > now - window)
