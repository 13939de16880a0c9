"""PromQL: one query per signal for all services at once.

Series carry `namespace`, `inferenceservice`, `pod`, `track` and `pod_template_hash`, because the scrape configuration
copies the pods' labels.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from .answers import Service
from .objectives import Signal
from .wanted import Wanted

_SERVICE = "namespace, inferenceservice"
_POD = "namespace, inferenceservice, pod"
_TRACK = "namespace, inferenceservice, track"
_TEMPLATE = "namespace, inferenceservice, pod_template_hash"  # pods of one have the same edges
_SERIES = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{([a-z_]+="[-A-Za-z0-9_.]+")\})?')

# Fields of MetricDialect, which are also the names of the queries.
HISTOGRAM_OF = {
    Signal.TTFT: "time_to_first_token",
    Signal.ITL: "inter_token_latency",
    Signal.E2E: "end_to_end_latency",
}
HISTOGRAMS = tuple(HISTOGRAM_OF.values())
COUNTERS = ("completed", "prompt_tokens", "generation_tokens")
GAUGES = ("running", "waiting", "kv_cache_usage")
# Ranks of one pod are separate series: requests add up, usage counts at its fullest.
_OF_RANKS = {"running": "sum", "waiting": "sum", "kv_cache_usage": "max"}
GROWTH = "growth"
SAMPLE_AGE = "sample_age"
SILENT = "silent"
ATTAINMENT_WINDOWS = ("5m", "1h")


@dataclass(frozen=True, slots=True)
class Queries:
    """Query name -> PromQL, sorted by the shape of their answers.

    `histograms`: per service, template of its pods and le. `rates`: one number per service. `gauges`: one number per
    pod. `slow` are histograms over long windows that need not be read in every tick, named like
    `time_to_first_token_5m`. Of services with a canary, `track_histograms` and `track_counts`: per service and track,
    named by `on_tracks`.
    """

    histograms: Mapping[str, str]
    rates: Mapping[str, str]
    gauges: Mapping[str, str]
    slow: Mapping[str, str]
    track_histograms: Mapping[str, str]
    track_counts: Mapping[str, str]


def build(wanted: Wanted, window_seconds: int) -> Queries:
    """Queries for what is wanted, over a window of whole seconds. Histograms are most of what Prometheus answers.

    Raises:
        ValueError: if a name in a dialect is not a metric name.
    """
    series = {field: _series(wanted, field) for field in (*HISTOGRAMS, *COUNTERS, *GAUGES)}
    live = {field: _series(_of_live_tokens(wanted), field) for field in (*GAUGES, *COUNTERS)}
    histograms = [name for signal, name in HISTOGRAM_OF.items() if signal in wanted.latencies and series[name]]
    window = f"{window_seconds}s"
    counters = {counter: _rate(series[counter], "", window) for counter in COUNTERS if series[counter]}
    sums = {total(name): _rate(series[name], "_sum", window) for name in histograms}
    growth = " + ".join(f"({_by_service(series[gauge], f'deriv(%s[{window}])')})" for gauge in ("running", "waiting"))
    return Queries(
        histograms={name: _buckets(series[name], window) for name in histograms},
        rates={**counters, **sums, **({GROWTH: growth} if series["running"] else {})},
        gauges={
            **{gauge: _by_pod(_OF_RANKS[gauge], series[gauge], "%s") for gauge in GAUGES if series[gauge]},
            **(
                {SAMPLE_AGE: f"time() - ({_by_pod('max', series['running'], 'timestamp(%s)')})"}
                if series["running"]
                else {}
            ),
            **({SILENT: _silent(live, window)} if live["generation_tokens"] else {}),
        },
        slow={
            f"{name}_{window}": _buckets(series[name], window) for name in histograms for window in ATTAINMENT_WINDOWS
        },
        track_histograms={
            on_tracks(name, seconds): _track_buckets(_only(series[name], services), f"{seconds}s")
            for seconds, services in wanted.canaries.items()
            for name in histograms
        },
        track_counts={
            on_tracks("completed", seconds): _track_counts(_only(series["completed"], services), f"{seconds}s")
            for seconds, services in wanted.canaries.items()
            if series["completed"]
        },
    )


def total(histogram: str) -> str:
    """Name of the query for the sum of all observations of a histogram, per second."""
    return f"{histogram}_sum"


def on_tracks(name: str, seconds: int) -> str:
    """Name of the query for the increase of a histogram or counter over a window, per track."""
    return f"{name}_by_track_{seconds}s"


@dataclass(frozen=True, slots=True)
class _Series:
    """A metric, with at most one label matcher, of all services or of a few."""

    name: str
    matcher: str
    services: frozenset[Service] | None

    def select(self, suffix: str = "") -> str:
        """The PromQL selector. Names of Kubernetes objects have no character that means anything in it."""
        if self.services is None:
            of = 'inferenceservice!=""'
        else:
            namespaces, names = (sorted(set(part)) for part in zip(*self.services, strict=True))
            of = f'namespace=~"{"|".join(namespaces)}",inferenceservice=~"{"|".join(names)}"'
        return f"{self.name}{suffix}{{{','.join(filter(None, (self.matcher, of)))}}}"


def _series(wanted: Wanted, field: str) -> tuple[_Series, ...]:
    """The metrics that dialects have for one of their fields, each once; those of a service's entry come first."""
    found: dict[str, frozenset[Service] | None] = {}
    for dialect, services in sorted(wanted.dialects.items(), key=lambda item: not item[0].entry):
        text = getattr(dialect, field)
        if text is not None:
            known = found.get(text, frozenset())
            found[text] = None if services is None or known is None else known | services
    return tuple(_parsed(text, services) for text, services in found.items())


def _parsed(text: str, services: frozenset[Service] | None) -> _Series:
    match = _SERIES.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a Prometheus metric name: letters, digits, _ and :")
    return _Series(match[1], match[2] or "", services)


def _only(series: Iterable[_Series], services: frozenset[Service]) -> tuple[_Series, ...]:
    """The same metrics of a few services."""
    return tuple(replace(one, services=services) for one in series)


def _track_buckets(series: Iterable[_Series], window: str) -> str:
    return _either(_TRACK, [f"sum by ({_TRACK}, le) (increase({one.select('_bucket')}[{window}]))" for one in series])


def _track_counts(series: Iterable[_Series], window: str) -> str:
    return _either(_TRACK, [f"sum by ({_TRACK}) (increase({one.select()}[{window}]))" for one in series])


def _buckets(series: Iterable[_Series], window: str) -> str:
    alternatives = [f"sum by ({_TEMPLATE}, le) (rate({one.select('_bucket')}[{window}]))" for one in series]
    return _either(_SERVICE, alternatives)


def _rate(series: Iterable[_Series], suffix: str, window: str) -> str:
    return _either(_SERVICE, [f"sum by ({_SERVICE}) (rate({one.select(suffix)}[{window}]))" for one in series])


def _by_service(series: Iterable[_Series], inner: str) -> str:
    return _either(_SERVICE, [f"sum by ({_SERVICE}) ({inner % one.select()})" for one in series])


def _by_pod(aggregate: str, series: Iterable[_Series], inner: str) -> str:
    return _either(_POD, [f"{aggregate} by ({_POD}) ({inner % one.select()})" for one in series])


def _of_live_tokens(wanted: Wanted) -> Wanted:
    """Of engines that count tokens as they are made: elsewhere a long answer looks like none."""
    return replace(wanted, dialects={one: services for one, services in wanted.dialects.items() if one.live_tokens})


def _silent(series: Mapping[str, tuple[_Series, ...]], window: str) -> str:
    """Pods that held requests for the whole window and made no token, though the service has made some; hardly any."""
    held = (series[gauge] for gauge in ("running", "waiting") if series[gauge])
    busy = f" or on ({_POD}) ".join(f"({_by_pod('sum', one, f'min_over_time(%s[{window}])')}) > 0" for one in held)
    tokens = series["generation_tokens"]
    without = f"({_by_pod('sum', tokens, f'rate(%s[{window}])')}) == 0"
    return f"({busy}) and on ({_POD}) ({without}) and on ({_SERVICE}) (({_by_service(tokens, '%s')}) > 0)"


def _either(labels: str, alternatives: list[str]) -> str:
    """The first alternative that has anything for these labels; a series under two names is never counted twice."""
    return f" or on ({labels}) ".join(alternatives)
