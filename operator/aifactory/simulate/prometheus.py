"""Scraped samples of pods, and what PromQL makes of them: the answers that the operator reads, without a server."""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate, pairwise
from math import inf
from operator import add
from typing import NamedTuple

from aifactory.signals.histogram import Histogram
from aifactory.signals.queries import GROWTH, HISTOGRAMS, SAMPLE_AGE, SILENT, total
from aifactory.signals.snapshot import Snapshot

from .engine.counters import Sample

Edges = Mapping[str, tuple[float, ...]]
Service = tuple[str, str]

# How long an instant query looks back for a sample (Prometheus documentation, "Staleness").
LOOKBACK_SECONDS = 300.0
# The longest window that is asked for; older samples are forgotten.
KEPT_SECONDS = 600.0
# Extrapolation reaches to the end of the window if a sample is this near to it, in mean distances between samples.
_NEAR = 1.1


class Growth(NamedTuple):
    """How `rate` extrapolates a window of samples: everything that does not depend on the counter's value."""

    sampled: float
    to_start: float
    to_end: float
    window: float

    def rate(self, first: float, last: float) -> float:
        """Per second, of a counter that was `first` and then `last`; it is not extrapolated to below zero."""
        increase, to_start = last - first, self.to_start
        if increase > 0 and first >= 0:
            to_start = min(to_start, self.sampled * first / increase)
        return increase * (self.sampled + to_start + self.to_end) / self.sampled / self.window


def growth(times: Sequence[float], now: float, window: float) -> Growth | None:
    """Extrapolation as `rate(x[window])` does it (prometheus/promql/functions.go, extrapolatedRate).

    `times` are those of all samples in the window, in order; None of fewer than two, for which `rate` has no answer.
    """
    if len(times) < 2:
        return None
    sampled = times[-1] - times[0]
    mean = sampled / (len(times) - 1)
    to_start, to_end = times[0] - (now - window), now - times[-1]
    near = _NEAR * mean
    return Growth(sampled, to_start if to_start < near else mean / 2, to_end if to_end < near else mean / 2, window)


def slope(points: Sequence[tuple[float, float]]) -> float | None:
    """Per second by least squares, as `deriv`; None of fewer than two points."""
    if len(points) < 2:
        return None
    start = points[0][0]
    mean_time = sum(time - start for time, _ in points) / len(points)
    mean_value = sum(value for _, value in points) / len(points)
    spread = sum((time - start - mean_time) ** 2 for time, _ in points)
    if not spread:
        return None
    return sum((time - start - mean_time) * (value - mean_value) for time, value in points) / spread


@dataclass(slots=True)
class _Target:
    entry: bool
    samples: deque[Sample] = field(default_factory=deque)
    gone: bool = False

    def past(self, now: float) -> bool:
        """No query sees it any more."""
        return self.samples[-1].time <= now - KEPT_SECONDS


class Prometheus:
    """Samples by pod. Times are seconds on the clock of the simulation. While it is `paused` nothing is scraped.

    Where there are pods that are the service's entry, histograms, counters and growth are theirs, as in `queries.py`.
    """

    def __init__(self, edges: Edges) -> None:
        self.paused = False
        self._edges = edges
        self._forgotten_at = 0.0
        self._targets: dict[str, _Target] = {}

    def scraped(self, pod: str, sample: Sample, *, entry: bool = False) -> None:
        """Store what a scrape has read."""
        if self.paused:
            return
        target = self._targets.setdefault(pod, _Target(entry))
        target.samples.append(sample)
        target.gone = False
        while target.samples[0].time <= sample.time - KEPT_SECONDS:
            target.samples.popleft()
        if sample.time > self._forgotten_at + KEPT_SECONDS:
            self._forgotten_at = sample.time
            kept = {name: one for name, one in self._targets.items() if one.entry or not one.past(sample.time)}
            self._targets = kept

    def lost(self, pod: str) -> None:
        """The pod cannot be scraped any more: its gauges are stale at once, ranges still see its samples."""
        if pod in self._targets:
            self._targets[pod].gone = True

    def latest(self, now: float) -> Mapping[str, Sample]:
        """By pod, what an instant query finds."""
        found = {pod: target.samples[-1] for pod, target in self._targets.items() if not target.gone}
        return {pod: sample for pod, sample in found.items() if now - sample.time <= LOOKBACK_SECONDS}

    def histogram(self, name: str, now: float, window: float) -> Histogram | None:
        """`sum by (le) (rate(NAME_bucket[window]))`, per second; None without any series."""
        edges = (*self._edges[name], inf)
        sums: list[float] | None = None
        for first, last, grown in self._ranges(now, window):
            pairs = zip(accumulate(first.histograms[name][0]), accumulate(last.histograms[name][0]), strict=True)
            rates = [grown.rate(before, after) for before, after in pairs]
            sums = rates if sums is None else [one + other for one, other in zip(sums, rates, strict=True)]
        return None if sums is None else Histogram.of(dict(zip(edges, sums, strict=True)))

    def seconds(self, name: str, now: float, window: float) -> float | None:
        """`sum(rate(NAME_sum[window]))`; None without any series."""
        found = [
            grown.rate(first.histograms[name][1], last.histograms[name][1])
            for first, last, grown in self._ranges(now, window)
        ]
        return sum(found) if found else None

    def rate(self, counter: str, now: float, window: float) -> float | None:
        """`sum(rate(COUNTER[window]))`, the counter named as in `MetricDialect`; None without any series."""
        found = [
            grown.rate(getattr(first, counter), getattr(last, counter))
            for first, last, grown in self._ranges(now, window)
        ]
        return sum(found) if found else None

    def growth(self, now: float, window: float) -> float | None:
        """`sum(deriv(running[window])) + sum(deriv(waiting[window]))`; None without any series."""
        found = [
            slope([(sample.time, sample.running + sample.waiting) for sample in samples])
            for samples in self._windows(now, window)
        ]
        slopes = [each for each in found if each is not None]
        return sum(slopes) if slopes else None

    def silent(self, now: float, window: float) -> Mapping[str, float]:
        """By pod, the requests that it had during the whole window without making a token, if the service made any."""
        if not any(sample.generation_tokens for sample in self.latest(now).values()):
            return {}
        found: dict[str, float] = {}
        for pod, target in self._targets.items():
            samples = [sample for sample in target.samples if now - window < sample.time <= now]
            held = [min(one.running for one in samples), min(one.waiting for one in samples)] if samples else []
            silent = len(samples) > 1 and samples[0].generation_tokens == samples[-1].generation_tokens
            found |= {pod: float(next(filter(None, held)))} if silent and any(held) else {}
        return found

    def snapshot(self, service: Service, latencies: Iterable[str], now: float, window: float) -> Snapshot:
        """What the operator would have read at `now`; `latencies` are the histograms that objectives need."""
        asked = [name for name in HISTOGRAMS if name in latencies]
        tables = {name: self.histogram(name, now, window) for name in asked}
        rates = {name: self.rate(name, now, window) for name in ("completed", "prompt_tokens", "generation_tokens")}
        rates |= {total(name): self.seconds(name, now, window) for name in asked}
        rates[GROWTH] = self.growth(now, window)
        latest = self.latest(now)
        gauges = {
            "running": {pod: float(sample.running) for pod, sample in latest.items()},
            "waiting": {pod: float(sample.waiting) for pod, sample in latest.items()},
            "kv_cache_usage": {pod: sample.kv_cache_usage for pod, sample in latest.items()},
            SAMPLE_AGE: {pod: now - sample.time for pod, sample in latest.items()},
            SILENT: self.silent(now, window),
        }
        return Snapshot(
            time=now,
            window_seconds=window,
            histograms={name: {service: table} if table else {} for name, table in tables.items()},
            rates={name: {} if value is None else {service: value} for name, value in rates.items()},
            gauges={name: {service: table} for name, table in gauges.items()},
        )

    def _windows(self, now: float, window: float) -> Iterable[list[Sample]]:
        """Of every pod that counts, the samples in the window, which is open at its left end (as of Prometheus 3)."""
        entries = [target for target in self._targets.values() if target.entry]
        for target in entries or self._targets.values():
            if target.samples[-1].time > now - window:
                yield [sample for sample in target.samples if now - window < sample.time <= now]

    def _ranges(self, now: float, window: float) -> Iterable[tuple[Sample, Sample, Growth]]:
        for samples in self._windows(now, window):
            grown = growth([sample.time for sample in samples], now, window)
            if grown is not None:
                yield samples[0], _unbroken(samples), grown


def _unbroken(samples: Sequence[Sample]) -> Sample:
    """The last sample, with what its counters had before each time they began anew added, as `rate` does it."""
    last = samples[-1]
    for before, after in pairwise(samples):
        if after.generation_tokens < before.generation_tokens:
            last = _plus(last, before)
    return last


def _plus(sample: Sample, other: Sample) -> Sample:
    """With the counters of both."""
    return replace(
        sample,
        histograms={
            name: (tuple(map(add, counts, other.histograms[name][0])), seconds + other.histograms[name][1])
            for name, (counts, seconds) in sample.histograms.items()
        },
        completed=sample.completed + other.completed,
        prompt_tokens=sample.prompt_tokens + other.prompt_tokens,
        generation_tokens=sample.generation_tokens + other.generation_tokens,
    )
