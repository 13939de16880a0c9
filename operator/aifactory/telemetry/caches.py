"""Prometheus metrics of caches."""

from collections.abc import Callable, Mapping
from typing import Any

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

Caches = Callable[[], Mapping[tuple[str, str], Mapping[str, Any]]]
_LABELS = ["namespace", "modelcache"]


class CacheGauges(Collector):
    """What the status of every cache says; `caches` are objects as the API server gave them."""

    def __init__(self, caches: Caches) -> None:
        self._caches = caches

    def collect(self) -> list[GaugeMetricFamily]:
        ready = GaugeMetricFamily("aifactory_cache_ready", "1 when Ready is True.", labels=_LABELS)
        reasons = GaugeMetricFamily(
            "aifactory_cache_condition",
            "1 for the present status and reason of each condition.",
            labels=[*_LABELS, "condition", "status", "reason"],
        )
        size = GaugeMetricFamily("aifactory_cache_bytes", "Bytes of the last complete copy.", labels=_LABELS)
        for key, cache in self._caches().items():
            status = cache.get("status") or {}
            conditions = status.get("conditions") or []
            ready.add_metric(key, float(any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)))
            for condition in conditions:
                reasons.add_metric([*key, condition["type"], condition["status"], condition["reason"]], 1.0)
            count = (status.get("content") or {}).get("bytes")
            if count is not None:
                size.add_metric(key, float(count))
        return [ready, reasons, size]
