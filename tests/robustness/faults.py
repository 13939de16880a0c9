"""What can be wrong with the answers of Prometheus."""

import json
from collections.abc import Callable
from random import Random

from aifactory.signals.queries import HISTOGRAMS, SAMPLE_AGE
from requests import ConnectionError as NoConnectionError
from requests import ReadTimeout

from tests.robustness.prometheus_api import Raw, Vector, metric

Spoil = Callable[[str, Vector], Vector | Raw]

_PAGE = b"<!doctype html><html><title>Sign in</title><body>Please sign in to continue.</body></html>"
# Of a filler line, so that bodies of ten megabytes cost no time to make.
_TEN_MEGABYTES = 10 * 2**20


def _is_latency(name: str) -> bool:
    return name.startswith(HISTOGRAMS)


def _put(value: str) -> Spoil:
    """Every latency histogram and its sum have this value in every series."""

    def spoil(name: str, vector: Vector) -> Vector:
        if not _is_latency(name):
            return vector
        return [{**sample, "value": [sample["value"][0], value]} for sample in vector]

    return spoil


def everything(value: str) -> Spoil:
    """All series have this value, but for their age."""

    def spoil(name: str, vector: Vector) -> Vector:
        if name == SAMPLE_AGE:
            return vector
        return [{**sample, "value": [sample["value"][0], value]} for sample in vector]

    return spoil


def refused(name: str, vector: Vector) -> Vector:
    """Nobody listens."""
    raise NoConnectionError("[Errno 111] Connection refused")


def silent(name: str, vector: Vector) -> Vector:
    """Prometheus does not answer in time."""
    raise ReadTimeout("Read timed out. (read timeout=5.0)")


def page(name: str, vector: Vector) -> Raw:
    """A proxy answers with its login page."""
    return Raw(_PAGE, content_type="text/html")


def server_error(name: str, vector: Vector) -> Raw:
    """Prometheus replays its log."""
    return Raw(b"Service Unavailable", status=503, content_type="text/plain")


def bad_gateway(name: str, vector: Vector) -> Raw:
    """Prometheus fails with an error of its own."""
    return Raw(b'{"status":"error","errorType":"internal","error":"expanding series: chunk missing"}', status=500)


def cut_off(name: str, vector: Vector) -> Raw:
    """The connection ends in the middle of an answer."""
    whole = json.dumps({"status": "success", "data": {"resultType": "vector", "result": vector}}).encode()
    return Raw(whole[: len(whole) // 2])


def ten_megabytes_of_nothing(name: str, vector: Vector) -> Raw:
    """A page of ten megabytes, for one query."""
    return Raw(_PAGE * (_TEN_MEGABYTES // len(_PAGE)) if name == "waiting" else _PAGE, content_type="text/html")


def a_crowd(name: str, vector: Vector) -> Vector | Raw:
    """Ten megabytes of another service's pods, and this service's own among them."""
    if name != "waiting":
        return vector
    other = {
        "metric": {"namespace": "other", "inferenceservice": "crowd", "pod": "crowd-7d9f8c6b5-xxxxx"},
        "value": [1700000000.0, "3"],
    }
    text, line = json.dumps(vector)[1:-1], json.dumps(other)
    body = ",".join([text] + [line] * (_TEN_MEGABYTES // len(line)))
    return Raw(f'{{"status":"success","data":{{"resultType":"vector","result":[{body}]}}}}'.encode())


def nothing(name: str, vector: Vector) -> Vector:
    """Prometheus has just begun, and knows no series."""
    return []


def repeated(name: str, vector: Vector) -> Vector:
    """Every sample comes twice, as from a proxy that joins two servers badly."""
    return vector + vector


def scraped_twice(name: str, vector: Vector) -> Vector:
    """Two scrape jobs find the same pods: sums count all of it twice."""
    return vector if name in ("kv_cache_usage", SAMPLE_AGE) else _times(2.0, vector)


def now_and_then(seed: int) -> Spoil:
    """Three of ten queries time out."""
    randoms: dict[str, Random] = {}

    def spoil(name: str, vector: Vector) -> Vector:
        if randoms.setdefault(name, Random(f"{seed} {name}")).random() < 0.3:
            raise ReadTimeout("Read timed out. (read timeout=5.0)")
        return vector

    return spoil


def renamed(*fields: str) -> Spoil:
    """An update of the engine took metrics away: `fields` of the dialect have no series any more."""
    gone = {metric(field) for field in fields}

    def spoil(name: str, vector: Vector) -> Vector:
        return [] if metric(name) in gone else vector

    return spoil


def times(factor: float, *names: str) -> Spoil:
    """Gauges or rates read as `factor` times what they are."""

    def spoil(name: str, vector: Vector) -> Vector:
        return _times(factor, vector) if name in names else vector

    return spoil


def _times(factor: float, vector: Vector) -> Vector:
    return [{**sample, "value": [sample["value"][0], repr(factor * float(sample["value"][1]))]} for sample in vector]


def spike(*names: str) -> Spoil:
    """Values of a billion."""

    def spoil(name: str, vector: Vector) -> Vector:
        return [{**sample, "value": [sample["value"][0], "1e9"]} for sample in vector] if name in names else vector

    return spoil


def slow_spike(name: str, vector: Vector) -> Vector:
    """All requests of the window seem to have taken longer than any bucket."""
    if name in HISTOGRAMS:
        return [
            {**sample, "value": [sample["value"][0], sample["value"][1] if sample["metric"]["le"] == "+Inf" else "0"]}
            for sample in vector
        ]
    return vector


def noise(share: float, seed: int) -> Spoil:
    """Gauges and rates, but for latencies, are off by up to `share`, another amount each time.

    Queries are asked at the same time, in no order: each draws from numbers of its own.
    """
    randoms: dict[str, Random] = {}

    def spoil(name: str, vector: Vector) -> Vector:
        if name == SAMPLE_AGE or _is_latency(name):
            return vector
        random = randoms.setdefault(name, Random(f"{seed} {name}"))
        return [
            {
                **sample,
                "value": [sample["value"][0], repr(float(sample["value"][1]) * random.uniform(1 - share, 1 + share))],
            }
            for sample in vector
        ]

    return spoil


not_a_number, infinite, negative = _put("NaN"), _put("+Inf"), _put("-1")
