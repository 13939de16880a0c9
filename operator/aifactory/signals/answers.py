"""Answers of Prometheus as tables. What is not a sensible number is left out, so that it reads as missing."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from math import inf, isfinite, isnan
from typing import Any

from .histogram import Histogram

Service = tuple[str, str]  # namespace, name
Histograms = Mapping[Service, Histogram]
Numbers = Mapping[Service, float]
NumbersByPod = Mapping[Service, Mapping[str, float]]

# Thirty years; what a histogram says beyond is counted as slower than all its edges.
_HIGHEST_EDGE = 1e9


def histograms(vector: Any) -> Histograms:
    """Instant vector by namespace, inferenceservice and le -> histogram per service.

    Two spellings of one edge add up. A service with a bucket that is no count is left out.

    Raises:
        ValueError: if the answer is not a list of samples.
    """
    buckets: defaultdict[Service, dict[float, float]] = defaultdict(dict)
    broken: set[Service] = set()
    for service, labels, value in _samples(vector):
        edge = _number(labels.get("le"))
        if edge is None or isnan(edge) or _HIGHEST_EDGE < edge < inf:
            continue
        if value is None or value < 0 or not isfinite(value):
            broken.add(service)
            continue
        counts = buckets[service]
        counts[edge] = counts.get(edge, 0.0) + value
    built = {service: Histogram.of(counts) for service, counts in buckets.items() if service not in broken}
    return {service: histogram for service, histogram in built.items() if histogram}


def numbers(vector: Any) -> Numbers:
    """Instant vector by namespace and inferenceservice -> finite number per service.

    Raises:
        ValueError: if the answer is not a list of samples.
    """
    return {service: value for service, _, value in _samples(vector) if value is not None and isfinite(value)}


def by_pod(vector: Any) -> NumbersByPod:
    """Instant vector by namespace, inferenceservice and pod -> finite number, not negative, per pod of a service.

    Raises:
        ValueError: if the answer is not a list of samples.
    """
    tables: defaultdict[Service, dict[str, float]] = defaultdict(dict)
    for service, labels, value in _samples(vector):
        pod = labels.get("pod")
        if isinstance(pod, str) and value is not None and isfinite(value) and value >= 0:
            tables[service][pod] = value
    return tables


def _samples(vector: Any) -> Iterator[tuple[Service, Mapping[str, Any], float | None]]:
    if not isinstance(vector, list):
        raise ValueError(f"expected a list of samples, got {type(vector).__name__}")
    for sample in vector:
        try:
            labels = sample["metric"]
            service = labels["namespace"], labels["inferenceservice"]
            value = sample["value"][1]
        except (KeyError, TypeError, IndexError):
            continue
        if isinstance(service[0], str) and isinstance(service[1], str):
            yield service, labels, _number(value)


def _number(text: Any) -> float | None:
    try:
        return float(text)
    except (TypeError, ValueError, OverflowError):
        return None
