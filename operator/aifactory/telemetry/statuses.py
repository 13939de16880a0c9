"""Gauges of what the statuses of objects say."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

Object = Mapping[str, Any]
Objects = Callable[[], Mapping[tuple[str, str], Object]]
Sample = tuple[str, tuple[str, ...], float]
# Name after a prefix: help, further labels.
Gauges = Mapping[str, tuple[str, tuple[str, ...]]]

CONDITION_GAUGES: Gauges = {
    "ready": ("1 when Ready is True.", ()),
    "condition": ("1 for the present status and reason of each condition.", ("condition", "status", "reason")),
}


class StatusGauges(Collector):
    """Series of all `objects`, which are as the API server gave them, each named by the label `kind`.

    `parts` are the samples of one object. A part that was written by another version, or by hand, ends where it cannot
    be read: it costs nobody else's.
    """

    def __init__(
        self,
        kind: str,
        prefix: str,
        gauges: Gauges,
        parts: Callable[[Object], Iterable[Iterator[Sample]]],
        objects: Objects,
    ) -> None:
        self._kind = kind
        self._prefix = prefix
        self._gauges = gauges
        self._parts = parts
        self._objects = objects

    def collect(self) -> list[GaugeMetricFamily]:
        found = {
            name: GaugeMetricFamily(f"{self._prefix}{name}", text, labels=["namespace", self._kind, *labels])
            for name, (text, labels) in self._gauges.items()
        }
        for key, obj in self._objects().items():
            for part in self._parts(obj):
                with suppress(ValueError, LookupError, TypeError, AttributeError):
                    for name, labels, value in part:
                        found[name].add_metric([*key, *labels], float(value))
        return list(found.values())


def conditions(status: Mapping[str, Any]) -> Iterator[Sample]:
    """Samples of `CONDITION_GAUGES`."""
    found = status.get("conditions") or []
    yield "ready", (), float(any(c["type"] == "Ready" and c["status"] == "True" for c in found))
    for condition in found:
        yield "condition", (condition["type"], condition["status"], condition["reason"]), 1.0
