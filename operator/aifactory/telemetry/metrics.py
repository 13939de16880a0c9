"""Prometheus metrics of the operator process and of the services it looks after."""

import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from aifactory.api.meta import parse_duration, parse_percent
from aifactory.api.role import RoleName
from aifactory.api.rollout import Track

from .caches import CacheGauges, Caches
from .costs import COST_GAUGES, cost, energy

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

    async def reconciled(self, work: Awaitable[tuple[str, float | None]]) -> float | None:
        """Do one reconcile and time it by its outcome; the result is the time until the next, in seconds."""
        started, outcome = time.monotonic(), "error"
        try:
            outcome, delay = await work
        finally:
            self.reconciles.labels(outcome).observe(time.monotonic() - started)
        return delay

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

    def watch_services(self, services: Callable[[], Mapping[tuple[str, str], Mapping[str, Any]]]) -> None:
        """Export what the status of every service says; `services` are objects as the API server gave them."""
        self.registry.register(_Services(services))

    def watch_caches(self, caches: Caches) -> None:
        """Export what the status of every cache says; `caches` are objects as the API server gave them."""
        self.registry.register(CacheGauges(caches))


# Name after `aifactory_service_`: help, further labels.
_SERVICE_GAUGES = {
    "ready": ("1 when Ready is True.", ()),
    "condition": ("1 for the present status and reason of each condition.", ("condition", "status", "reason")),
    "replicas": ("Replicas by role and state.", ("role", "state")),
    "signal_value": ("What a signal is now, in its own unit.", ("role", "signal")),
    "signal_target": ("Its limit.", ("role", "signal")),
    "signal_ratio": ("Signal / limit.", ("role", "signal")),
    "signal_replicas": ("Replicas that a signal alone would choose.", ("role", "signal")),
    "signal_cause": ("1 for the rule by which it would.", ("role", "signal", "cause")),
    "decision": (
        "1 for the decision in force, by its reason, the signal that asked for it, by which rule, and what limited it.",
        ("role", "reason", "signal", "cause", "limited_by"),
    ),
    "decision_replicas": ("Replicas before and after the decision in force: from, to.", ("role", "bound")),
    "decision_timestamp_seconds": ("When the decision in force was taken.", ("role",)),
    "last_scale_timestamp_seconds": ("When replicas last changed.", ("role",)),
    "rejected_replicas": ("A number of replicas that was not chosen, by the reason.", ("role", "reason")),
    "rejected_ratio": ("What the ratio of a signal would become with it.", ("role", "reason", "signal")),
    "load_tokens_per_second": ("Prompt and output tokens of all replicas.", ("role",)),
    "capacity_tokens_per_second": ("What one replica carries, as learned and trusted.", ("role",)),
    "capacity_estimated_tokens_per_second": ("The same by estimate, by which replicas are added.", ("role",)),
    "capacity_signal": ("1 for the signal that comes to its limit there.", ("role", "signal")),
    "capacity_confidence": ("How sure that is, 0 to 1.", ("role",)),
    "forecast_tokens_per_second": (
        "Load that is expected: expected, and upper with its usual error.",
        ("role", "bound"),
    ),
    "forecast_model": ("1 for the model that forecasts.", ("role", "model")),
    "forecast_error": ("What forecasts were short of in about an hour, as a share of the loads.", ("role",)),
    "forecast_horizon_seconds": ("How far ahead is looked.", ("role",)),
    "forecast_replicas": ("Replicas that latencies ask for because of the load.", ("role",)),
    "kv_cache_usage": ("Share of the KV cache in use, as scaling sees it.", ("role",)),
    "objective_target": ("Target in seconds, of throughput in tokens per second.", ("objective",)),
    "objective_observed": ("What is seen, in the unit of the target.", ("objective",)),
    "slo_attainment": ("Share within target over the last 5m or 1h.", ("objective", "window")),
    "error_budget": ("Share of the hour's error budget that is left; below 0 when overdrawn.", ("objective",)),
    "slo_goal": ("Share within target that is asked for.", ()),
    "requests_per_second": ("Requests by kind: offered or completed.", ("kind",)),
    "tokens_per_second": ("Tokens by kind: input or output.", ("kind",)),
    "requests": ("Requests in the engine by state: running or waiting.", ("state",)),
    **COST_GAUGES,
    "rollout": ("1 for where the canary of a changed spec is.", ("phase",)),
    "track_replicas": ("Replicas wanted, stable and canary.", ("track",)),
    "track_requests": ("Requests answered in this step of the canary.", ("track",)),
    "track_attainment": ("Share within target in this step of the canary.", ("objective", "track")),
}
_THROUGHPUT = {
    "requestsPerSecond": ("requests_per_second", "completed"),
    "offeredRequestsPerSecond": ("requests_per_second", "offered"),
    "inputTokensPerSecond": ("tokens_per_second", "input"),
    "outputTokensPerSecond": ("tokens_per_second", "output"),
    "running": ("requests", "running"),
    "waiting": ("requests", "waiting"),
}
_SIGNAL = ("value", "target", "ratio", "replicas")
# Of status.scaling: field to the name of its gauge, and labels after the role.
_EXPECTED: Mapping[str, Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "capacity": {
        "tokensPerSecond": ("load_tokens_per_second", ()),
        "tokensPerSecondPerReplica": ("capacity_tokens_per_second", ()),
        "estimatedTokensPerSecondPerReplica": ("capacity_estimated_tokens_per_second", ()),
        "confidence": ("capacity_confidence", ()),
    },
    "forecast": {
        "expected": ("forecast_tokens_per_second", ("expected",)),
        "upper": ("forecast_tokens_per_second", ("upper",)),
        "error": ("forecast_error", ()),
        "horizon": ("forecast_horizon_seconds", ()),
        "replicas": ("forecast_replicas", ()),
    },
}
_Sample = tuple[str, tuple[str, ...], float]


class _Services(Collector):
    def __init__(self, services: Callable[[], Mapping[tuple[str, str], Mapping[str, Any]]]) -> None:
        self._services = services

    def collect(self) -> list[GaugeMetricFamily]:
        gauges = {
            name: GaugeMetricFamily(
                f"aifactory_service_{name}", text, labels=["namespace", "inferenceservice", *labels]
            )
            for name, (text, labels) in _SERVICE_GAUGES.items()
        }
        for key, service in self._services().items():
            status = service.get("status") or {}
            for name, labels, value in _samples(service, status):
                gauges[name].add_metric([*key, *labels], value)
        return list(gauges.values())


def _samples(service: Mapping[str, Any], status: Mapping[str, Any]) -> Iterator[_Sample]:
    yield from _state(status)
    yield from _roles(status)
    yield from _objectives(service, status)
    yield from _load(status)
    yield from cost(status.get("cost") or {})
    yield from energy(status.get("energy") or {})
    yield from _rollout(status.get("rollout") or {})


def _state(status: Mapping[str, Any]) -> Iterator[_Sample]:
    conditions = status.get("conditions") or []
    yield "ready", (), float(any(c["type"] == "Ready" and c["status"] == "True" for c in conditions))
    for condition in conditions:
        yield "condition", (condition["type"], condition["status"], condition["reason"]), 1.0


def _roles(status: Mapping[str, Any]) -> Iterator[_Sample]:
    """Each role of a service; one that has a single role says the same of itself."""
    for part in status.get("roles") or [{**status, "name": RoleName.MODEL_SERVER}]:
        role = part["name"]
        for state, count in (part.get("replicas") or {}).items():
            yield "replicas", (role, state), count
        yield from _scaling(role, part.get("scaling") or {})


def _scaling(role: str, scaling: Mapping[str, Any]) -> Iterator[_Sample]:
    for item in scaling.get("recommendations", []):
        for field in _SIGNAL:
            if item.get(field) is not None:
                yield f"signal_{field}", (role, item["signal"]), _number(str(item[field]))
        if item.get("cause"):
            yield "signal_cause", (role, item["signal"], item["cause"]), 1.0
        if item["signal"] == "kvCacheUsage" and item.get("value"):
            yield "kv_cache_usage", (role,), _number(item["value"])
    yield from _decided(role, scaling)
    for part, fields in _EXPECTED.items():
        for field, (name, labels) in fields.items():
            if field in (scaling.get(part) or {}):
                yield name, (role, *labels), _number(str(scaling[part][field]))


def _decided(role: str, scaling: Mapping[str, Any]) -> Iterator[_Sample]:
    """What was chosen, what was not, and by what it goes."""
    decision = scaling.get("decision")
    if decision:
        labels = (decision["reason"], *(decision.get(field, "") for field in ("signal", "cause", "limitedBy")))
        yield "decision", (role, *labels), 1.0
        yield "decision_replicas", (role, "from"), decision["from"]
        yield "decision_replicas", (role, "to"), decision["to"]
        yield "decision_timestamp_seconds", (role,), _epoch(decision["time"])
    if scaling.get("lastScaleTime"):
        yield "last_scale_timestamp_seconds", (role,), _epoch(scaling["lastScaleTime"])
    for item in scaling.get("rejected", []):
        yield "rejected_replicas", (role, item["reason"]), item["replicas"]
        if item.get("predicted"):
            yield "rejected_ratio", (role, item["reason"], item.get("signal", "")), float(item["predicted"])
    if scaling.get("capacity"):
        yield "capacity_signal", (role, scaling["capacity"]["signal"]), 1.0
    if scaling.get("forecast"):
        yield "forecast_model", (role, scaling["forecast"]["model"]), 1.0


def _objectives(service: Mapping[str, Any], status: Mapping[str, Any]) -> Iterator[_Sample]:
    goal = (service.get("spec", {}).get("slo") or {}).get("attainment")
    if goal:
        yield "slo_goal", (), float(parse_percent(goal))
    for item in status.get("slo") or []:
        name = item["objective"]
        yield "objective_target", (name,), _number(item["target"].partition("= ")[2].split()[0])
        if item.get("observed"):
            yield "objective_observed", (name,), _number(item["observed"])
        if item.get("errorBudget"):
            yield "error_budget", (name,), _number(item["errorBudget"])
        for window in ("5m", "1h"):
            if item.get(f"attainment{window}"):
                yield "slo_attainment", (name, window), _number(item[f"attainment{window}"])


def _load(status: Mapping[str, Any]) -> Iterator[_Sample]:
    throughput = status.get("throughput") or {}
    for field, (name, kind) in _THROUGHPUT.items():
        if field in throughput:
            yield name, (kind,), float(throughput[field])


def _rollout(rollout: Mapping[str, Any]) -> Iterator[_Sample]:
    if rollout:
        yield "rollout", (rollout["phase"],), 1.0
    for track in Track:
        for name in ("replicas", "requests"):
            if name in rollout:
                yield f"track_{name}", (track,), rollout[name][track]
        for item in rollout.get("attainment") or []:
            yield "track_attainment", (item["objective"], track), _number(item[track])


def _epoch(time: str) -> float:
    """RFC 3339 in seconds since 1970."""
    return datetime.fromisoformat(time).timestamp()


def _number(text: str) -> float:
    """A share, a duration in seconds or a plain number, as the status writes it."""
    if text.endswith("%"):
        return float(text[:-1]) / 100
    try:
        return parse_duration(text).total_seconds()
    except ValueError:
        return float(text.removesuffix("s"))
