"""The HorizontalPodAutoscaler of Kubernetes: its ratio of a metric, and the behaviour that every user of it shares."""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, floor
from statistics import fmean

from aifactory.simulate.engine.counters import Sample

from .base import Choice, Seen

SYNC_SECONDS = 15.0
"""--horizontal-pod-autoscaler-sync-period."""
TOLERANCE = 0.1
"""--horizontal-pod-autoscaler-tolerance."""


def tolerated(ratio: float) -> bool:
    """So near to 1 that nothing is done (pkg/controller/podautoscaler/replica_calculator.go, isWithin)."""
    return 1 - TOLERANCE <= ratio <= 1 + TOLERANCE


@dataclass(frozen=True, slots=True)
class Rules:
    """`behavior.scaleUp` or `scaleDown`: at most so many percent or pods per period, after a window; seconds."""

    percent: int
    pods: int
    period: float
    window: float


UP = Rules(percent=100, pods=4, period=15.0, window=0.0)
"""Defaults of autoscaling/v2: 100 % or 4 pods per 15 s, whichever is more, at once."""
DOWN = Rules(percent=100, pods=0, period=15.0, window=300.0)
"""Defaults of autoscaling/v2: 100 % per 15 s, the highest recommendation of 300 s."""


class Behavior:
    """Stabilization windows and rates (pkg/controller/podautoscaler/horizontal.go, normalizeDesiredReplicas...)."""

    def __init__(self, up: Rules = UP, down: Rules = DOWN) -> None:
        self._up, self._down = up, down
        self._recommended: list[tuple[float, int]] = []
        self._changes: list[tuple[float, int]] = []

    def limited(self, current: int, wanted: int, now: float) -> int:
        """What becomes of a recommendation at `now`, taken as carried out; the first call also counts `current`."""
        if not self._recommended:
            self._recommended = [(now, current)]  # as recordInitialRecommendation
        longest = max(self._up.window, self._down.window)
        self._recommended = [(at, count) for at, count in self._recommended if now - at < longest]
        lowest = min([wanted, *(count for at, count in self._recommended if now - at < self._up.window)])
        highest = max([wanted, *(count for at, count in self._recommended if now - at < self._down.window)])
        self._recommended.append((now, wanted))
        stable = max(current, lowest) if wanted > current else min(current, highest) if wanted < current else current
        replicas = self._rated(current, stable, now)
        if replicas != current:
            self._changes.append((now, replicas - current))
        return replicas

    def _rated(self, current: int, wanted: int, now: float) -> int:
        if wanted > current:
            start = current - self._changed(self._up.period, now)
            return max(current, min(wanted, max(ceil(start * (1 + self._up.percent / 100)), start + self._up.pods)))
        start = current - self._changed(self._down.period, now)
        return min(current, max(wanted, min(floor(start * (1 - self._down.percent / 100)), start - self._down.pods)))

    def _changed(self, seconds: float, now: float) -> int:
        """Net change within the period."""
        return sum(by for at, by in self._changes if now - at < seconds)


class HPA:
    """A Pods metric against an average value.

    `ceil(replicas x metric / target)`, nothing within the tolerance; pods that are not ready count as idle when that
    would add replicas, pods without a sample as at their target when it would remove some, and nothing happens when
    that turns the direction (pkg/controller/podautoscaler/replica_calculator.go). Without any sample: hold.
    """

    every = SYNC_SECONDS
    initial: int | None = None

    def __init__(self, metric: Callable[[Sample], float], target: float) -> None:
        self._metric = metric
        self._target = target
        self._behavior = Behavior()

    def decide(self, seen: Seen) -> Choice:
        """One sync."""
        latest = seen.prometheus.latest(seen.now)
        ready = [pod.name for pod in seen.group.serving_pods]
        values = [self._metric(latest[name]) for name in ready if name in latest]
        wanted = self._wanted(values, len(ready) - len(values), len(seen.group.pending_pods), seen.replicas)
        return Choice(self._behavior.limited(seen.replicas, wanted, seen.now))

    def _wanted(self, values: list[float], missing: int, unready: int, current: int) -> int:
        if not values:
            return current
        ratio = fmean(values) / self._target
        if not unready and not missing:
            return current if tolerated(ratio) else ceil(ratio * len(values))
        filled = values + [self._target if ratio < 1 else 0.0] * missing + [0.0] * (unready if ratio > 1 else 0)
        corrected = fmean(filled) / self._target
        turned = (ratio < 1 < corrected) or (ratio > 1 > corrected)
        if tolerated(corrected) or turned:
            return current
        wanted = ceil(corrected * len(filled))
        turned = (corrected < 1 and wanted > current) or (corrected > 1 and wanted < current)
        return current if turned else wanted


def on_queue() -> HPA:
    """Waiting requests per pod, at most 5: the upper end of the 3 to 5 that Google's guide to GKE advises.

    "Best practices for autoscaling large language model (LLM) inference workloads with GPUs on GKE".
    """
    return HPA(lambda sample: float(sample.waiting), 5.0)


def on_kv_cache() -> HPA:
    """KV-cache usage of 80 %, where llm-d's workload-variant-autoscaler calls a replica saturated."""
    return HPA(lambda sample: sample.kv_cache_usage, 0.8)
