"""All services in one reading of Prometheus, and one service's share of it, joined with its live pods."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from statistics import fmean

from aifactory.api.rollout import Track
from aifactory.runtimes.base import MetricDialect

from .answers import Histograms, HistogramsByTrack, Numbers, NumbersByPod, NumbersByTrack, Service
from .histogram import Histogram
from .objectives import Objective
from .power import WattsByPod
from .queries import GROWTH, HISTOGRAM_OF, SAMPLE_AGE, SILENT, on_tracks, total
from .readings import ObjectiveReading, PodReading, Reading, ServiceReadings, State
from .tracks import Tally, TrackObjective, TrackReadings, window_within


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Tables by query name (`queries.py`), read at `time` (epoch seconds); a query that failed has no table.

    `error` says why nothing could be read at all. `watts` is the power of pods that somebody measures.
    """

    time: float
    window_seconds: float
    histograms: Mapping[str, Histograms] = field(default_factory=dict)
    rates: Mapping[str, Numbers] = field(default_factory=dict)
    gauges: Mapping[str, NumbersByPod] = field(default_factory=dict)
    error: str = ""
    track_histograms: Mapping[str, HistogramsByTrack] = field(default_factory=dict)
    track_counts: Mapping[str, NumbersByTrack] = field(default_factory=dict)
    watts: WattsByPod = field(default_factory=dict)

    def service(
        self,
        namespace: str,
        name: str,
        ready_pods: Collection[str],
        objectives: Iterable[Objective],
        dialects: Iterable[MetricDialect],
        completions: Iterable[Objective] = (),
    ) -> ServiceReadings:
        """What is known about one service. Series of pods that are not ready are left out of gauges."""
        view = _View(self, (namespace, name), frozenset(ready_pods), tuple(dialects))
        return view.readings(objectives, completions)

    def tracks(
        self, service: Service, since: float, objectives: Iterable[Objective], dialects: Collection[MetricDialect]
    ) -> TrackReadings | None:
        """Stable replicas and canary since a step began (epoch seconds); None while it is too young to tell."""
        window = window_within(self.time - since)
        if window is None:
            return None
        found = tuple(
            self._on_tracks(service, objective, window, dialects) for objective in objectives if objective.percentile
        )
        counts = self.track_counts.get(on_tracks("completed", window), {}).get(service, {})
        # An engine that does not count completed requests has each of them once in its longest latency.
        seen = {track: max((_total(one, track) for one in found), default=0.0) for track in Track}
        requests = {track: counts.get(track, seen[track]) for track in Track}
        return TrackReadings(self.time, window, found, requests)

    def _on_tracks(
        self, service: Service, objective: Objective, window: int, dialects: Collection[MetricDialect]
    ) -> TrackObjective:
        name = HISTOGRAM_OF[objective.signal]
        if not any(getattr(dialect, name) for dialect in dialects):
            return TrackObjective(objective.signal, State.UNSUPPORTED)
        table = self.track_histograms.get(on_tracks(name, window))
        if table is None:
            return TrackObjective(objective.signal, State.ERROR)
        of = {track: table.get(service, {}).get(track) for track in Track}
        if any(histogram and histogram.edge_below(objective.target) is None for histogram in of.values()):
            return TrackObjective(objective.signal, State.UNSUPPORTED)
        stable, canary = (_tally(of[track], objective) for track in Track)
        return TrackObjective(objective.signal, State.OK, stable, canary)


class _View:
    """One service in a snapshot."""

    def __init__(
        self, snapshot: Snapshot, service: Service, ready: frozenset[str], dialects: tuple[MetricDialect, ...]
    ) -> None:
        self.snapshot = snapshot
        self.service = service
        self.ready = ready
        self.dialects = dialects
        ages = {pod: age for pod, age in self._by_pod(SAMPLE_AGE).items() if pod in ready}
        fresh = {pod for pod, age in ages.items() if age <= snapshot.window_seconds}
        self.reporting = sorted(fresh & self._by_pod("running").keys())
        self.sampled = bool(ages)

    def readings(self, objectives: Iterable[Objective], completions: Iterable[Objective]) -> ServiceReadings:
        return ServiceReadings(
            time=self.snapshot.time,
            window_seconds=self.snapshot.window_seconds,
            objectives=tuple(map(self._objective, objectives)),
            completions=tuple(map(self._objective, completions)),
            running=self._gauge("running", sum),
            waiting=self._gauge("waiting", sum),
            kv_cache_usage=self._gauge("kv_cache_usage", fmean),
            kv_cache_usage_worst=self._gauge("kv_cache_usage", max),
            completed=self._rate("completed"),
            offered=self._offered(),
            prompt_tokens=self._rate("prompt_tokens"),
            generation_tokens=self._rate("generation_tokens"),
            pods=self._pods(),
            silent=frozenset(self._by_pod(SILENT).keys() & set(self.reporting)),
            live_tokens=any(dialect.live_tokens for dialect in self.dialects),
            error=self.snapshot.error,
        )

    def _objective(self, objective: Objective) -> ObjectiveReading:
        if objective.percentile is None:
            return ObjectiveReading(objective, self._rate("generation_tokens"))
        name = HISTOGRAM_OF[objective.signal]
        histogram = self._histogram(name)
        observations = histogram.total * self.snapshot.window_seconds if histogram else 0.0
        return ObjectiveReading(
            objective=objective,
            observed=self._latency(name, histogram, objective.percentile / 100),
            promised=self._estimate(name, histogram, _promised(objective, observations), observations),
            missed=histogram.share_above(objective.target, observations) if histogram else None,
            observations=observations,
            attainment=_share(histogram, objective),
            attainment_5m=_share(self._histogram(f"{name}_5m"), objective),
            attainment_1h=_share(self._histogram(f"{name}_1h"), objective),
            edge=histogram.edge_below(objective.target) if histogram else None,
            edges=histogram.edges if histogram else (),
        )

    def _latency(self, name: str, histogram: Histogram | None, q: float) -> Reading:
        value = histogram.quantile(q) if histogram else None
        if value is not None:
            return Reading(value, State.OK)
        none_seen = histogram.total == 0 if histogram else self._rate("completed").value == 0
        if none_seen and self._measured(name) and self.reporting and len(self.reporting) >= len(self.ready):
            return Reading(None, State.IDLE)
        return self._absent(name, self.snapshot.histograms)

    def _estimate(self, name: str, histogram: Histogram | None, q: float, observations: float) -> float | None:
        seconds = self.snapshot.rates.get(total(name), {}).get(self.service)
        if histogram is None or seconds is None or histogram.total <= 0:
            return histogram.quantile(q) if histogram else None
        return histogram.quantile_with_mean(q, seconds / histogram.total, observations)

    def _gauge(self, name: str, summary: Callable[[list[float]], float]) -> Reading:
        values = self._by_pod(name)
        if not self.reporting or not values.keys() >= set(self.reporting):
            return self._absent(name, self.snapshot.gauges)
        return Reading(summary([values[pod] for pod in self.reporting]), State.OK)

    def _rate(self, name: str) -> Reading:
        value = self.snapshot.rates.get(name, {}).get(self.service)
        if value is None and self._untouched and name in self.snapshot.rates and self._measured(name):
            value = 0.0
        sensible = value is not None and value >= 0
        return Reading(value, State.OK) if sensible else self._absent(name, self.snapshot.rates)

    @property
    def _untouched(self) -> bool:
        """Every pod reports that it holds no request, and nothing would be said of requests if none had ended yet."""
        lazy, held = any(dialect.lazy_requests for dialect in self.dialects), self._pods().values()
        return lazy and len(held) >= len(self.ready) > 0 and not any(pod.running or pod.waiting for pod in held)

    def _offered(self) -> Reading:
        completed = self._rate("completed")
        if completed.value is None or GROWTH not in self.snapshot.rates:
            return Reading(None, completed.state if completed.value is None else State.ERROR)
        growth = self.snapshot.rates[GROWTH].get(self.service, 0.0)
        return Reading(max(0.0, completed.value + growth), State.OK)

    def _pods(self) -> dict[str, PodReading]:
        running, waiting, usage = (self._by_pod(name) for name in ("running", "waiting", "kv_cache_usage"))
        return {pod: PodReading(running[pod], waiting.get(pod, 0.0), usage.get(pod)) for pod in self.reporting}

    def _absent(self, name: str, tables: Mapping[str, object]) -> Reading:
        """Why there is no value."""
        if not self._measured(name):
            return Reading(None, State.UNSUPPORTED)
        if name not in tables:
            return Reading(None, State.ERROR)
        if self.sampled and not self.reporting:
            return Reading(None, State.STALE)
        return Reading(None, State.MISSING)

    def _measured(self, name: str) -> bool:
        """The pods may have a metric for it."""
        return any(getattr(dialect, name) for dialect in self.dialects)

    def _histogram(self, name: str) -> Histogram | None:
        return self.snapshot.histograms.get(name, {}).get(self.service)

    def _by_pod(self, name: str) -> Mapping[str, float]:
        return self.snapshot.gauges.get(name, {}).get(self.service, {})


def _share(histogram: Histogram | None, objective: Objective) -> float | None:
    return histogram.share_within(objective.target) if histogram else None


def _promised(objective: Objective, observations: float) -> float:
    """The share of requests that is promised, or the largest that so many observations can tell."""
    known = 1 - 1 / observations if observations > 1 else 0.0
    return max((objective.percentile or 0) / 100, min(objective.attainment, known))


def _tally(histogram: Histogram | None, objective: Objective) -> Tally:
    share = _share(histogram, objective)
    return Tally(share * histogram.total, histogram.total) if histogram and share is not None else Tally()


def _total(one: TrackObjective, track: Track) -> float:
    return (one.stable if track is Track.STABLE else one.canary).total
