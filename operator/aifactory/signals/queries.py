"""PromQL: one query per signal for all services at once.

Series carry `namespace`, `inferenceservice` and `pod`, because the scrape configuration copies the pods' labels.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from aifactory.runtimes.base import MetricDialect

from .objectives import Signal

_SELECTOR = '{inferenceservice!=""}'
_SERVICE = "namespace, inferenceservice"
_POD = "namespace, inferenceservice, pod"
_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")

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
ATTAINMENT_WINDOWS = ("5m", "1h")


@dataclass(frozen=True, slots=True)
class Queries:
    """Query name -> PromQL, sorted by the shape of their answers.

    `histograms`: per service and le. `rates`: one number per service. `gauges`: one number per pod. `slow` are
    histograms over long windows that need not be read in every tick, named like `time_to_first_token_5m`.
    """

    histograms: Mapping[str, str]
    rates: Mapping[str, str]
    gauges: Mapping[str, str]
    slow: Mapping[str, str]

    def of(self, latencies: Collection[Signal]) -> "Queries":
        """Without the histograms of other latencies: they are most of what Prometheus answers."""
        others = {name for signal, name in HISTOGRAM_OF.items() if signal not in latencies}
        left_out = others | {f"{name}_{suffix}" for name in others for suffix in ("sum", *ATTAINMENT_WINDOWS)}

        def kept(queries: Mapping[str, str]) -> Mapping[str, str]:
            return {name: text for name, text in queries.items() if name not in left_out}

        return Queries(kept(self.histograms), kept(self.rates), self.gauges, kept(self.slow))


def build(dialects: Iterable[MetricDialect], window_seconds: int) -> Queries:
    """Queries that cover all dialects, over a window of whole seconds.

    Raises:
        ValueError: if a name in a dialect is not a metric name.
    """
    names = _names(tuple(dialects))
    window = f"{window_seconds}s"
    counters = {counter: _rate(names[counter], window) for counter in COUNTERS if names[counter]}
    sums = {
        total(name): _rate(tuple(f"{one}_sum" for one in names[name]), window) for name in HISTOGRAMS if names[name]
    }
    growth = " + ".join(f"({_by_service(names[gauge], f'deriv(%s[{window}])')})" for gauge in ("running", "waiting"))
    return Queries(
        histograms={name: _buckets(names[name], window) for name in HISTOGRAMS if names[name]},
        rates={**counters, **sums, GROWTH: growth},
        gauges={
            **{gauge: _by_pod(_OF_RANKS[gauge], names[gauge], "%s") for gauge in GAUGES if names[gauge]},
            SAMPLE_AGE: "time() - (" + _by_pod("max", names["running"], "timestamp(%s)") + ")",
        },
        slow={
            f"{name}_{window}": _buckets(names[name], window)
            for name in HISTOGRAMS
            for window in ATTAINMENT_WINDOWS
            if names[name]
        },
    )


def total(histogram: str) -> str:
    """Name of the query for the sum of all observations of a histogram, per second."""
    return f"{histogram}_sum"


def _names(dialects: tuple[MetricDialect, ...]) -> dict[str, tuple[str, ...]]:
    """Field of MetricDialect -> its distinct metric names, in order."""
    fields = (*HISTOGRAMS, *COUNTERS, *GAUGES)
    found = {field: tuple(dict.fromkeys(filter(None, (getattr(d, field) for d in dialects)))) for field in fields}
    for name in (name for names in found.values() for name in names):
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is not a Prometheus metric name: letters, digits, _ and :")
    return found


def _buckets(names: tuple[str, ...], window: str) -> str:
    return _either(_SERVICE, [f"sum by ({_SERVICE}, le) (rate({name}_bucket{_SELECTOR}[{window}]))" for name in names])


def _rate(names: tuple[str, ...], window: str) -> str:
    return _by_service(names, f"rate(%s[{window}])")


def _by_service(names: tuple[str, ...], inner: str) -> str:
    return _either(_SERVICE, [f"sum by ({_SERVICE}) ({inner % (name + _SELECTOR)})" for name in names])


def _by_pod(aggregate: str, names: tuple[str, ...], inner: str) -> str:
    return _either(_POD, [f"{aggregate} by ({_POD}) ({inner % (name + _SELECTOR)})" for name in names])


def _either(labels: str, alternatives: list[str]) -> str:
    """The first alternative that has anything for these labels; a series under two names is never counted twice."""
    return f" or on ({labels}) ".join(alternatives)
