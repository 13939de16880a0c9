"""Prometheus metrics of the operator process and of the services it looks after."""

from collections.abc import Callable, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """All series carry the prefix `aifactory_`; durations are seconds."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.reconciles = Histogram(
            "aifactory_reconcile_duration_seconds",
            "Reconciles by outcome.",
            ["outcome"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.decisions = Counter(
            "aifactory_scaling_decisions_total", "Changes of replicas by reason.", ["reason"], registry=self.registry
        )
        self.requests = Counter(
            "aifactory_api_requests_total",
            "Requests to the API server.",
            ["method", "resource", "code"],
            registry=self.registry,
        )
        self.request_seconds = Histogram(
            "aifactory_api_request_duration_seconds",
            "Answers of the API server.",
            ["method"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.query_seconds = Histogram(
            "aifactory_prometheus_query_duration_seconds",
            "Queries to Prometheus.",
            ["query", "outcome"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.leading = Gauge(
            "aifactory_leading", "1 while this process is the active operator.", registry=self.registry
        )

    def observe_request(self, method: str, resource: str, status: int, seconds: float) -> None:
        """Count a request to the API server; status 0 means that no answer came."""
        self.requests.labels(method, resource, str(status)).inc()
        self.request_seconds.labels(method).observe(seconds)

    def observe_query(self, query: str, seconds: float, ok: bool) -> None:
        """Count a query to Prometheus."""
        self.query_seconds.labels(query, "ok" if ok else "error").observe(seconds)

    def watch_queue(self, depth: Callable[[], int], age: Callable[[], float]) -> None:
        """Export the queue's depth and the age of its oldest key."""
        Gauge("aifactory_queue_depth", "Keys due and not worked on.", registry=self.registry).set_function(depth)
        Gauge("aifactory_queue_age_seconds", "Wait of the most overdue key.", registry=self.registry).set_function(age)

    def watch_services(self, statuses: Callable[[], Mapping[tuple[str, str], Mapping[str, Any]]]) -> None:
        """Export replicas, signals and objectives of every service from its status."""
        self.registry.register(_Services(statuses))


class _Services(Collector):
    def __init__(self, statuses: Callable[[], Mapping[tuple[str, str], Mapping[str, Any]]]) -> None:
        self._statuses = statuses

    def collect(self) -> list[GaugeMetricFamily]:
        labels = ["namespace", "inferenceservice"]
        replicas = GaugeMetricFamily("aifactory_service_replicas", "Replicas by state.", labels=[*labels, "state"])
        ratio = GaugeMetricFamily("aifactory_service_signal_ratio", "Signal / limit.", labels=[*labels, "signal"])
        attained = GaugeMetricFamily(
            "aifactory_service_slo_attainment", "Share within target, 5 min.", labels=[*labels, "objective"]
        )
        ready = GaugeMetricFamily("aifactory_service_ready", "1 when Ready is True.", labels=labels)
        for (namespace, name), status in self._statuses().items():
            for state, count in (status.get("replicas") or {}).items():
                replicas.add_metric([namespace, name, state], count)
            for item in (status.get("scaling") or {}).get("recommendations", []):
                if item.get("ratio") is not None:
                    ratio.add_metric([namespace, name, item["signal"]], float(item["ratio"]))
            for item in status.get("slo") or []:
                if item.get("attainment5m"):
                    attained.add_metric(
                        [namespace, name, item["objective"]], float(item["attainment5m"].rstrip("%")) / 100
                    )
            is_ready = any(c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions") or [])
            ready.add_metric([namespace, name], float(is_ready))
        return [replicas, ratio, attained, ready]
