"""Prometheus metrics of the operator process and of the services it looks after."""

import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from aifactory.api.meta import parse_percent
from aifactory.api.role import RoleName
from aifactory.api.rollout import Track

from . import caches
from .costs import COST_GAUGES, cost, energy
from .decisions import SCALING_GAUGES, scaling
from .statuses import CONDITION_GAUGES, Gauges, Object, Objects, Sample, StatusGauges, conditions
from .written import number

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

    def watch_services(self, services: Objects) -> None:
        """Export what the status of every service says; `services` are objects as the API server gave them."""
        self.registry.register(
            StatusGauges("inferenceservice", "aifactory_service_", _SERVICE_GAUGES, _parts, services)
        )

    def watch_caches(self, objects: Objects) -> None:
        """Export what the status of every cache says; `objects` are as the API server gave them."""
        self.registry.register(
            StatusGauges("modelcache", "aifactory_cache_", caches.CACHE_GAUGES, caches.parts, objects)
        )


# Name after `aifactory_service_`: help, further labels.
_SERVICE_GAUGES: Gauges = {
    **CONDITION_GAUGES,
    "replicas": ("Replicas by role and state.", ("role", "state")),
    **SCALING_GAUGES,
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
    "rollout_step": ("Step of the canary that is measured, and of how many: step, of.", ("bound",)),
    "rollout_share": ("Share of the replicas that this step asks for.", ()),
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


def _parts(service: Object) -> tuple[Iterator[Sample], ...]:
    """What the status of a service says."""
    status = service.get("status") or {}
    return (
        conditions(status),
        _roles(status),
        _objectives(service, status),
        _load(status),
        cost(status.get("cost") or {}),
        energy(status.get("energy") or {}),
        _rollout(status.get("rollout") or {}),
    )


def _roles(status: Mapping[str, Any]) -> Iterator[Sample]:
    """Each role of a service; one that has a single role says the same of itself."""
    for part in status.get("roles") or [{**status, "name": RoleName.MODEL_SERVER}]:
        role = part["name"]
        for state, count in (part.get("replicas") or {}).items():
            yield "replicas", (role, state), count
        yield from scaling(role, part.get("scaling") or {})


def _objectives(service: Mapping[str, Any], status: Mapping[str, Any]) -> Iterator[Sample]:
    goal = (service.get("spec", {}).get("slo") or {}).get("attainment")
    if goal:
        yield "slo_goal", (), float(parse_percent(goal))
    for item in status.get("slo") or []:
        name = item["objective"]
        yield "objective_target", (name,), number(item["target"].partition("= ")[2].split()[0])
        if item.get("observed"):
            yield "objective_observed", (name,), number(item["observed"])
        if item.get("errorBudget"):
            yield "error_budget", (name,), number(item["errorBudget"])
        for window in ("5m", "1h"):
            if item.get(f"attainment{window}"):
                yield "slo_attainment", (name, window), number(item[f"attainment{window}"])


def _load(status: Mapping[str, Any]) -> Iterator[Sample]:
    throughput = status.get("throughput") or {}
    for field, (name, kind) in _THROUGHPUT.items():
        if field in throughput:
            yield name, (kind,), float(throughput[field])


def _rollout(rollout: Mapping[str, Any]) -> Iterator[Sample]:
    if rollout:
        yield "rollout", (rollout["phase"],), 1.0
    for bound in ("step", "of"):
        if bound in rollout:
            yield "rollout_step", (bound,), rollout[bound]
    if "share" in rollout:
        yield "rollout_share", (), number(rollout["share"])
    for track in Track:
        for name in ("replicas", "requests"):
            if name in rollout:
                yield f"track_{name}", (track,), rollout[name][track]
        for item in rollout.get("attainment") or []:
            yield "track_attainment", (item["objective"], track), number(item[track])
