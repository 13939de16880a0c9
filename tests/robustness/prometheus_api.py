"""The HTTP API of a Prometheus that scrapes the simulated pods, as raw answers, so that the operator's client reads it.

`PrometheusAPI` is a transport of `requests`. It knows the operator's queries by their text and answers with the JSON of
a server, numbers as strings. A `Fault` stands between the vector and the answer.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from math import inf
from typing import Any
from urllib.parse import parse_qs, urlsplit

from aifactory.runtimes.base import MetricDialect
from aifactory.runtimes.vllm import DIALECT
from aifactory.signals.answers import Service
from aifactory.signals.queries import COUNTERS, GAUGES, GROWTH, HISTOGRAMS, SAMPLE_AGE, SILENT, build, total
from aifactory.signals.wanted import Wanted
from aifactory.simulate.prometheus import Prometheus
from requests import PreparedRequest, Response
from requests.adapters import BaseAdapter
from urllib3 import HTTPResponse

Vector = list[dict[str, Any]]


@dataclass(frozen=True)
class Raw:
    """An answer that is none of Prometheus' own making."""

    body: bytes
    status: int = 200
    content_type: str = "application/json"


@dataclass(frozen=True)
class Fault:
    """From `begin` to `end` (seconds), `spoil` makes of the vector of a query (by name) what comes back.

    It may raise what `requests` raises.
    """

    begin: float
    end: float
    spoil: Callable[[str, Vector], Vector | Raw]

    def at(self, now: float) -> bool:
        """It lasts at `now`."""
        return self.begin <= now < self.end


class PrometheusAPI(BaseAdapter):
    """`now` is set before each read, as the simulated clock stands still meanwhile."""

    def __init__(self, prometheus: Prometheus, service: Service, wanted: Wanted, window: int) -> None:
        super().__init__()
        self.prometheus = prometheus
        self.now = 0.0
        self.faults: tuple[Fault, ...] = ()
        self._labels = {"namespace": service[0], "inferenceservice": service[1]}
        asked = build(wanted, window)
        by_name = {**asked.histograms, **asked.rates, **asked.gauges, **asked.slow}
        self._names = {text: name for name, text in by_name.items()}
        self._window = float(window)

    def send(self, request: PreparedRequest, *args: Any, **kwargs: Any) -> Response:
        """One query."""
        name = self._names[parse_qs(urlsplit(request.url or "").query)["query"][0]]
        found: Vector | Raw = self._vector(name)
        for fault in self.faults:
            if fault.at(self.now) and isinstance(found, list):
                found = fault.spoil(name, found)
        return _response(request, found if isinstance(found, Raw) else Raw(_success(found)))

    def close(self) -> None:
        """Nothing is open."""

    def _vector(self, name: str) -> Vector:
        prometheus, now, window = self.prometheus, self.now, self._window
        if name in GAUGES or name == SAMPLE_AGE:
            latest = prometheus.latest(now).items()
            if name == SAMPLE_AGE:
                return [self._sample(now - sample.time, pod=pod) for pod, sample in latest]
            return [self._sample(float(getattr(sample, name)), pod=pod) for pod, sample in latest]
        if name == SILENT:
            return [self._sample(held, pod=pod) for pod, held in prometheus.silent(now, window).items()]
        if name in COUNTERS:
            return self._number(prometheus.rate(name, now, window))
        if name == GROWTH:
            return self._number(prometheus.growth(now, window))
        for histogram in HISTOGRAMS:
            if name == total(histogram):
                return self._number(prometheus.seconds(histogram, now, window))
            for suffix, seconds in (("", window), ("_5m", 300.0), ("_1h", 3600.0)):
                if name == histogram + suffix:
                    return self._buckets(histogram, seconds)
        raise AssertionError(name)

    def _buckets(self, name: str, window: float) -> Vector:
        found = self.prometheus.histogram(name, self.now, window)
        if found is None:
            return []
        edges = (*found.edges, inf)
        return [
            self._sample(count, le="+Inf" if edge == inf else f"{edge:g}")
            for edge, count in zip(edges, (*found.counts, found.total), strict=True)
        ]

    def _number(self, value: float | None) -> Vector:
        return [] if value is None else [self._sample(value)]

    def _sample(self, value: float, **labels: str) -> dict[str, Any]:
        return {"metric": {**self._labels, **labels}, "value": [self.now, repr(value)]}


def metric(name: str, dialect: MetricDialect = DIALECT) -> str:
    """The metric that a query is about, the first if it is about two."""
    field = {GROWTH: "running", SAMPLE_AGE: "running", SILENT: "generation_tokens"}.get(name, name)
    known = next(one for one in (*HISTOGRAMS, *COUNTERS, *GAUGES) if field.startswith(one))
    return str(getattr(dialect, known))


def _success(vector: Vector) -> bytes:
    return json.dumps({"status": "success", "data": {"resultType": "vector", "result": vector}}).encode()


def _response(request: PreparedRequest, raw: Raw) -> Response:
    response = Response()
    response.status_code = raw.status
    response.headers["Content-Type"] = raw.content_type
    response.raw = HTTPResponse(BytesIO(raw.body), preload_content=False, status=raw.status)
    response.request, response.url = request, request.url or ""
    return response
