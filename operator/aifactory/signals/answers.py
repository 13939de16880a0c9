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
HistogramsByTrack = Mapping[Service, Mapping[str, Histogram]]
NumbersByTrack = Mapping[Service, Mapping[str, float]]

# Thirty years; what a histogram says beyond is counted as slower than all its edges.
_HIGHEST_EDGE = 1e9


def histograms(vector: Any) -> Histograms:
    """Instant vector by namespace, inferenceservice, pod_template_hash and le -> histogram per service.

    Two spellings of one edge add up; a bucket that comes twice counts once. Pods of a template with a bucket that is no
    count are left out.

    Raises:
        ValueError: if the answer is not a list of samples.
    """
    found = _histograms(vector, "pod_template_hash")
    return {service: Histogram.joined(tables.values()) for service, tables in found.items()}


def histograms_by_track(vector: Any) -> HistogramsByTrack:
    """Instant vector by namespace, inferenceservice, track and le -> histogram per track of a service.

    Raises:
        ValueError: if the answer is not a list of samples.
    """
    return _histograms(vector, "track")


def _histograms(vector: Any, label: str) -> HistogramsByTrack:
    """Histograms per service and value of a label; the value is empty where there is no such label."""
    buckets: defaultdict[tuple[Service, str], dict[float, float]] = defaultdict(dict)
    broken: set[tuple[Service, str]] = set()
    seen: set[tuple[Service, str, str]] = set()
    for service, labels, value in samples(vector):
        edge, of, text = _number(labels.get("le")), (service, str(labels.get(label, ""))), str(labels.get("le"))
        if edge is None or isnan(edge) or _HIGHEST_EDGE < edge < inf or (*of, text) in seen:
            continue
        seen.add((*of, text))
        if value is None or value < 0 or not isfinite(value):
            broken.add(of)
            continue
        counts = buckets[of]
        counts[edge] = counts.get(edge, 0.0) + value
    tables: defaultdict[Service, dict[str, Histogram]] = defaultdict(dict)
    for (service, value_of), counts in buckets.items():
        histogram = Histogram.of(counts) if (service, value_of) not in broken else None
        if histogram:
            tables[service][value_of] = histogram
    return tables


def numbers(vector: Any) -> Numbers:
    """Instant vector by namespace and inferenceservice -> finite number per service.

    Raises:
        ValueError: if the answer is not a list of samples.
    """
    return {service: value for service, _, value in samples(vector) if value is not None and isfinite(value)}


def by_pod(vector: Any) -> NumbersByPod:
    """Instant vector by namespace, inferenceservice and pod -> finite number, not negative, per pod of a service.

    Raises:
        ValueError: if the answer is not a list of samples.
    """
    return _by_label(vector, "pod")


def by_track(vector: Any) -> NumbersByTrack:
    """Instant vector by namespace, inferenceservice and track -> finite number, not negative, per track of a service.

    Raises:
        ValueError: if the answer is not a list of samples.
    """
    return _by_label(vector, "track")


def _by_label(vector: Any, label: str) -> Mapping[Service, Mapping[str, float]]:
    tables: defaultdict[Service, dict[str, float]] = defaultdict(dict)
    for service, labels, value in samples(vector):
        of = labels.get(label)
        if isinstance(of, str) and value is not None and isfinite(value) and value >= 0:
            tables[service][of] = value
    return tables


def samples(
    vector: Any, named: str = "inferenceservice"
) -> Iterator[tuple[tuple[str, str], Mapping[str, Any], float | None]]:
    """Namespace and the label `named`, all labels, and the value, if it is a number; without both labels left out.

    Raises:
        ValueError: if the answer is not a list of samples.
    """
    if not isinstance(vector, list):
        raise ValueError(f"expected a list of samples, got {type(vector).__name__}")
    for sample in vector:
        try:
            labels = sample["metric"]
            identity = labels["namespace"], labels[named]
            value = sample["value"][1]
        except (KeyError, TypeError, IndexError):
            continue
        if all(isinstance(text, str) for text in identity):
            yield identity, labels, _number(value)


def _number(text: Any) -> float | None:
    try:
        return float(text)
    except (TypeError, ValueError, OverflowError):
        return None
