"""What Prometheus and the kubelet get from the operator, over HTTP."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import datetime
from http import HTTPStatus
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aifactory.api.meta import parse_duration
from aifactory.api.scalingstatus import ScalingStatus
from aifactory.telemetry import http
from aifactory.telemetry.metrics import Metrics
from aiohttp import web
from prometheus_client.parser import text_string_to_metric_families


class Process:
    """An operator whose health can be set."""

    def __init__(self) -> None:
        self.metrics = Metrics()
        self.sick: str | None = None
        self.busy: str | None = None
        self.answer = HTTPStatus.ACCEPTED
        self.woken: list[tuple[tuple[str, str], str]] = []

    def wake(self, key: tuple[str, str], address: str) -> HTTPStatus:
        self.woken.append((key, address))
        return self.answer


@pytest.fixture
def process() -> Process:
    return Process()


def port_of(runner: web.AppRunner) -> int:
    """Where IPv4 is served: a free port may differ from that of IPv6."""
    return next(address[1] for address in runner.addresses if address[0] == "0.0.0.0")


Get = Callable[[str], Awaitable[tuple[int, str]]]


@pytest_asyncio.fixture
async def get(process: Process) -> AsyncIterator[Get]:
    """Ask the process for a path: status and text."""
    runner = await http.serve(process.metrics.registry, 0, lambda: process.sick, lambda: process.busy, process.wake)
    port = port_of(runner)
    async with aiohttp.ClientSession() as session:

        async def ask(path: str) -> tuple[int, str]:
            async with session.get(f"http://127.0.0.1:{port}{path}") as response:
                return response.status, await response.text()

        yield ask
    await runner.cleanup()


async def test_a_healthy_process_says_so(get):
    assert await get("/healthz") == (200, "ok")
    assert await get("/readyz") == (200, "ok")


async def test_a_stuck_process_fails_its_liveness_probe_and_says_why(process, get):
    process.sick = "a service has been waiting for 300 s"
    assert await get("/healthz") == (503, "a service has been waiting for 300 s")
    assert await get("/readyz") == (200, "ok")


async def test_a_process_that_is_not_ready_stays_alive(process, get):
    process.busy = "starting"
    assert await get("/readyz") == (503, "starting")
    assert await get("/healthz") == (200, "ok")


async def test_a_taken_port_is_an_error(process, get):
    first = await http.serve(process.metrics.registry, 0, lambda: None, lambda: None, process.wake)
    with pytest.raises(OSError, match="address already in use"):
        await http.serve(process.metrics.registry, port_of(first), lambda: None, lambda: None, process.wake)
    await first.cleanup()


@pytest.mark.parametrize("answer", [HTTPStatus.ACCEPTED, HTTPStatus.FORBIDDEN, HTTPStatus.SERVICE_UNAVAILABLE])
async def test_who_asks_for_a_replica_is_known_by_the_address_of_its_connection(process, answer):
    process.answer = answer
    runner = await http.serve(process.metrics.registry, 0, lambda: None, lambda: None, process.wake)
    url = f"http://127.0.0.1:{port_of(runner)}/wake/chat/llama"
    headers = {"X-Forwarded-For": "10.1.2.3", "Forwarded": "for=10.1.2.3"}
    async with aiohttp.ClientSession() as session, session.post(url, headers=headers) as response:
        assert response.status == answer
    assert process.woken == [(("chat", "llama"), "127.0.0.1")]
    await runner.cleanup()


async def test_looking_wakes_nobody(process, get):
    assert (await get("/wake/chat/llama"))[0] == 405
    assert process.woken == []


async def samples(get: Get) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Every sample of /metrics, by name and labels."""
    status, text = await get("/metrics")
    assert status == 200
    families = text_string_to_metric_families(text)
    return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}


def sample(name: str, **labels: str) -> tuple[str, frozenset[tuple[str, str]]]:
    return name, frozenset(labels.items())


async def test_requests_to_the_api_server_are_counted_and_timed(process, get):
    process.metrics.observe_request("PATCH", "deployments", 200, 0.02)
    process.metrics.observe_request("PATCH", "deployments", 0, 30.0)
    seen = await samples(get)
    counter = "aifactory_api_requests_total"
    assert seen[sample(counter, method="PATCH", resource="deployments", code="200")] == 1
    assert seen[sample(counter, method="PATCH", resource="deployments", code="0")] == 1
    assert seen[sample("aifactory_api_request_duration_seconds_sum", method="PATCH")] == 30.02


async def test_queries_to_prometheus_are_timed_by_outcome(process, get):
    process.metrics.observe_query("completed", 0.1, True)
    process.metrics.observe_query("completed", 5.0, False)
    seen = await samples(get)
    timer = "aifactory_prometheus_query_duration_seconds_sum"
    assert seen[sample(timer, query="completed", outcome="ok")] == 0.1
    assert seen[sample(timer, query="completed", outcome="error")] == 5.0


async def test_reconciles_and_decisions_are_counted(process, get):
    process.metrics.reconciles.labels("changed").observe(0.3)
    process.metrics.decisions.labels("ScaleUp").inc()
    process.metrics.leading.set(1)
    seen = await samples(get)
    assert seen[sample("aifactory_reconcile_duration_seconds_count", outcome="changed")] == 1
    assert seen[sample("aifactory_scaling_decisions_total", reason="ScaleUp")] == 1
    assert seen[sample("aifactory_leading")] == 1


async def test_the_queue_is_seen_as_it_is_when_asked(process, get):
    depth, age = iter((7, 3)), iter((12.5, 1.0))
    process.metrics.watch_queue(lambda: next(depth), lambda: next(age))
    for expected in ((7, 12.5), (3, 1.0)):
        seen = await samples(get)
        found = (seen[sample("aifactory_queue_depth")], seen[sample("aifactory_queue_age_seconds")])
        assert found == expected


LLAMA = {
    "spec": {"slo": {"workload": "interactive", "attainment": "99.5%"}},
    "status": {
        "conditions": [
            {"type": "Accepted", "status": "True", "reason": "Valid"},
            {"type": "Ready", "status": "True", "reason": "Available"},
            {"type": "GPUShortage", "status": "True", "reason": "InsufficientGPUs"},
        ],
        "replicas": {"desired": 3, "current": 3, "ready": 2, "pending": 1, "unschedulable": 0},
        "cost": {
            "basis": "Budget",
            "gpus": 3,
            "pricePerHour": "7.50",
            "perMillionTokens": "2.08",
            "outputPerMillionTokens": "2.31",
        },
        "energy": {"basis": "Measured", "watts": "1830", "tokensPerWatt": "0.546"},
        "scaling": {
            "decision": {
                "time": "2026-01-01T12:00:00Z",
                "from": 3,
                "to": 4,
                "reason": "ScaleUp",
                "signal": "timeToFirstToken",
                "cause": "ExpectedLoad",
                "limitedBy": "AtMaximum",
            },
            "rejected": [
                {"replicas": 6, "reason": "AtMaximum"},
                {
                    "replicas": 3,
                    "reason": "ConsolidationRefused",
                    "signal": "interTokenLatency",
                    "predicted": "1.13",
                },
            ],
            "lastScaleTime": "2026-01-01T11:00:00Z",
            "recommendations": [
                {
                    "signal": "timeToFirstToken",
                    "state": "OK",
                    "ratio": "0.62",
                    "addsAbove": "0.90",
                    "removesBelow": "0.60",
                    "value": "7.05s",
                    "target": "500ms",
                    "replicas": 2,
                    "cause": "TargetMissed",
                },
                {"signal": "kvCacheUsage", "state": "OK", "ratio": "0.50", "value": "45.0%"},
                {"signal": "waitingRequests", "state": "MISSING"},
            ],
            "capacity": {
                "tokensPerSecondPerReplica": "4200",
                "estimatedTokensPerSecondPerReplica": "5100",
                "tokensPerSecond": "9100",
                "confidence": "84%",
                "signal": "interTokenLatency",
            },
            "forecast": {
                "model": "trend",
                "horizon": "1m45s",
                "expected": "11000",
                "upper": "12500",
                "error": "8%",
                "replicas": 4,
            },
        },
        "slo": [
            {
                "objective": "timeToFirstToken",
                "target": "p95 <= 1s500ms",
                "observed": "310ms",
                "attainment5m": "98.5%",
                "attainment1h": "99.9%",
                "errorBudget": "-12.5%",
            },
            {"objective": "throughput", "target": ">= 5000 tokens/s", "observed": "4800.5"},
            {"objective": "interTokenLatency", "target": "p95 <= 50ms", "observed": "25.3ms"},
            {"objective": "endToEndLatency", "target": "p95 <= 10s", "state": "IDLE"},
        ],
        "throughput": {
            "requestsPerSecond": "3.9",
            "offeredRequestsPerSecond": "6.6",
            "inputTokensPerSecond": "100.0",
            "outputTokensPerSecond": "900.0",
            "running": "12.0",
            "waiting": "1.0",
        },
    },
}


def service_sample(name: str, **labels: str) -> tuple[str, frozenset[tuple[str, str]]]:
    return sample(f"aifactory_service_{name}", namespace="chat", inferenceservice="llama", **labels)


SEEN = {
    service_sample("ready"): 1,
    service_sample("condition", condition="GPUShortage", status="True", reason="InsufficientGPUs"): 1,
    service_sample("replicas", role="model-server", state="pending"): 1,
    service_sample("signal_ratio", role="model-server", signal="timeToFirstToken"): 0.62,
    service_sample("signal_threshold", role="model-server", signal="timeToFirstToken", bound="adds_above"): 0.9,
    service_sample("signal_threshold", role="model-server", signal="timeToFirstToken", bound="removes_below"): 0.6,
    service_sample("signal_value", role="model-server", signal="timeToFirstToken"): 7.05,
    service_sample("signal_target", role="model-server", signal="timeToFirstToken"): 0.5,
    service_sample("signal_replicas", role="model-server", signal="timeToFirstToken"): 2,
    service_sample("kv_cache_usage", role="model-server"): 0.45,
    service_sample(
        "decision",
        role="model-server",
        reason="ScaleUp",
        signal="timeToFirstToken",
        cause="ExpectedLoad",
        limited_by="AtMaximum",
    ): 1,
    service_sample("signal_cause", role="model-server", signal="timeToFirstToken", cause="TargetMissed"): 1,
    service_sample("decision_replicas", role="model-server", bound="from"): 3,
    service_sample("decision_replicas", role="model-server", bound="to"): 4,
    service_sample("decision_timestamp_seconds", role="model-server"): 1_767_268_800,
    service_sample("last_scale_timestamp_seconds", role="model-server"): 1_767_265_200,
    service_sample("rejected_replicas", role="model-server", reason="AtMaximum"): 6,
    service_sample("rejected_replicas", role="model-server", reason="ConsolidationRefused"): 3,
    service_sample(
        "rejected_ratio", role="model-server", reason="ConsolidationRefused", signal="interTokenLatency"
    ): 1.13,
    service_sample("capacity_signal", role="model-server", signal="interTokenLatency"): 1,
    service_sample("forecast_model", role="model-server", model="trend"): 1,
    service_sample("load_tokens_per_second", role="model-server"): 9100,
    service_sample("capacity_tokens_per_second", role="model-server"): 4200,
    service_sample("capacity_estimated_tokens_per_second", role="model-server"): 5100,
    service_sample("capacity_confidence", role="model-server"): 0.84,
    service_sample("forecast_tokens_per_second", role="model-server", bound="expected"): 11_000,
    service_sample("forecast_tokens_per_second", role="model-server", bound="upper"): 12_500,
    service_sample("forecast_error", role="model-server"): 0.08,
    service_sample("forecast_horizon_seconds", role="model-server"): 105,
    service_sample("forecast_replicas", role="model-server"): 4,
    service_sample("error_budget", objective="timeToFirstToken"): -0.125,
    service_sample("objective_target", objective="timeToFirstToken"): 1.5,
    service_sample("objective_observed", objective="timeToFirstToken"): 0.31,
    service_sample("objective_target", objective="throughput"): 5000,
    service_sample("objective_observed", objective="throughput"): 4800.5,
    service_sample("objective_observed", objective="interTokenLatency"): 0.0253,
    service_sample("objective_target", objective="endToEndLatency"): 10,
    service_sample("objective_target", objective="interTokenLatency"): 0.05,
    service_sample("slo_attainment", objective="timeToFirstToken", window="5m"): 0.985,
    service_sample("slo_attainment", objective="timeToFirstToken", window="1h"): 0.999,
    service_sample("slo_goal"): 0.995,
    service_sample("requests_per_second", kind="completed"): 3.9,
    service_sample("requests_per_second", kind="offered"): 6.6,
    service_sample("gpus"): 3,
    service_sample("cost_per_hour"): 7.5,
    service_sample("cost_per_million_tokens", kind="all"): 2.08,
    service_sample("cost_per_million_tokens", kind="output"): 2.31,
    service_sample("watts", basis="Measured"): 1830,
    service_sample("tokens_per_watt"): 0.546,
    service_sample("tokens_per_second", kind="input"): 100,
    service_sample("tokens_per_second", kind="output"): 900,
    service_sample("requests", state="running"): 12,
    service_sample("requests", state="waiting"): 1,
}


async def test_every_service_has_gauges(process, get):
    process.metrics.watch_services(lambda: {("chat", "llama"): LLAMA})
    seen = await samples(get)
    assert {key: seen.get(key) for key in SEEN} == pytest.approx(SEEN)


# A history of its own, and what only the operator reads.
LEFT_OUT = {"history", "learned", "learned_of"}


async def test_every_number_of_scaling_is_a_gauge(process, get):
    scaling = LLAMA["status"]["scaling"]
    parts = ScalingStatus.model_validate(scaling)
    assert {name for name, value in parts if not value} == LEFT_OUT, "the example has to have all of it"
    process.metrics.watch_services(lambda: {("chat", "llama"): LLAMA})
    shown = {round(value, 6) for value in (await samples(get)).values()}
    assert {text for text in leaves(scaling) if (found := number(text)) is not None and found not in shown} == set()


def leaves(value: Any) -> Iterator[str]:
    for item in value.values() if isinstance(value, dict) else value:
        yield from leaves(item) if isinstance(item, dict | list) else (str(item),)


def number(text: str) -> float | None:
    """A share, a duration in seconds, a time in epoch seconds or a plain number."""
    if re.fullmatch(r"[0-9.]+%", text):
        return round(float(text[:-1]) / 100, 6)
    if re.fullmatch(r"([0-9]+(ms|s|m|h))+", text):
        return parse_duration(text).total_seconds()
    if re.fullmatch(r"[0-9]{4}-.*Z", text):
        return datetime.fromisoformat(text).timestamp()
    return float(text) if re.fullmatch(r"[0-9.]+", text) else None


async def test_each_role_of_a_service_has_gauges_of_its_own(process, get):
    scaling = {"recommendations": [{"signal": "timeToFirstToken", "ratio": "0.62"}]}
    roles = [
        {"name": "frontend", "replicas": {"ready": 1}},
        {"name": "prefill", "replicas": {"ready": 3}, "scaling": scaling},
    ]
    process.metrics.watch_services(lambda: {("chat", "llama"): {"status": {"replicas": {"ready": 3}, "roles": roles}}})
    seen = await samples(get)
    found = {key: value for key, value in seen.items() if dict(key[1]).get("role")}
    assert found == {
        service_sample("replicas", role="frontend", state="ready"): 1,
        service_sample("replicas", role="prefill", state="ready"): 3,
        service_sample("signal_ratio", role="prefill", signal="timeToFirstToken"): 0.62,
    }


async def test_a_canary_has_gauges(process, get):
    rollout = {
        "phase": "Progressing",
        "step": 1,
        "of": 2,
        "share": "10%",
        "replicas": {"stable": 9, "canary": 1},
        "requests": {"stable": 900, "canary": 100},
        "attainment": [{"objective": "timeToFirstToken", "stable": "99.0%", "canary": "98.0%"}],
    }
    process.metrics.watch_services(lambda: {("chat", "llama"): {"status": {"rollout": rollout}}})
    seen = await samples(get)
    assert seen[service_sample("rollout", phase="Progressing")] == 1
    assert seen[service_sample("rollout_step", bound="step")] == 1
    assert seen[service_sample("rollout_step", bound="of")] == 2
    assert seen[service_sample("rollout_share")] == 0.1
    assert seen[service_sample("track_replicas", track="canary")] == 1
    assert seen[service_sample("track_requests", track="stable")] == 900
    assert seen[service_sample("track_attainment", objective="timeToFirstToken", track="canary")] == 0.98


async def test_a_service_without_a_status_is_not_ready_and_nothing_else(process, get):
    new = {"metadata": {}, "spec": {}, "status": {"observedGeneration": -1}}
    process.metrics.watch_services(lambda: {("chat", "new"): new, ("chat", "newer"): {}})
    seen = await samples(get)
    labels = [{"namespace": "chat", "inferenceservice": name} for name in ("new", "newer")]
    found = {key: value for key, value in seen.items() if key[0].startswith("aifactory_service")}
    assert found == {sample("aifactory_service_ready", **each): 0 for each in labels}


async def test_what_is_not_known_has_no_series(process, get):
    process.metrics.watch_services(lambda: {("chat", "llama"): LLAMA})
    seen = await samples(get)
    assert not any(dict(labels).get("signal") == "waitingRequests" for _, labels in seen)
    assert [name for name, labels in seen if dict(labels).get("objective") == "endToEndLatency"] == [
        "aifactory_service_objective_target"
    ]


@pytest.mark.parametrize(
    "broken",
    [
        {"slo": [{"objective": "timeToFirstToken", "target": "fast", "observed": "310ms"}]},
        {"slo": [{"objective": "timeToFirstToken"}]},
        {"throughput": {"running": "many"}},
        {"scaling": {"decision": {"time": "noon", "from": 1, "to": 2, "reason": "ScaleUp"}}},
        {"scaling": {"recommendations": ["timeToFirstToken"]}},
        {"replicas": "three"},
        {"replicas": {"ready": "three"}},
    ],
)
async def test_a_status_of_another_version_takes_no_series_from_other_services(process, get, broken):
    odd = {**LLAMA, "status": {**LLAMA["status"], **broken}}
    process.metrics.watch_services(lambda: {("chat", "odd"): odd, ("chat", "llama"): LLAMA})
    seen = await samples(get)
    assert {key: seen.get(key) for key in SEEN} == pytest.approx(SEEN)
    assert seen[sample("aifactory_service_ready", namespace="chat", inferenceservice="odd")] == 1


async def test_a_deleted_service_has_no_series(process, get):
    services = {("chat", "llama"): LLAMA}
    process.metrics.watch_services(lambda: services)
    assert any("llama" in text for _, labels in await samples(get) for _, text in labels)
    services.clear()
    assert not any("llama" in text for _, labels in await samples(get) for _, text in labels)


async def test_every_cache_has_gauges(process, get):
    conditions = [{"type": "Ready", "status": "True", "reason": "Downloaded"}]
    filled = {"status": {"conditions": conditions, "content": {"folder": "copy-1", "bytes": 1000}}}
    process.metrics.watch_caches(lambda: {("chat", "llama"): filled, ("chat", "new"): {}})
    seen = await samples(get)
    llama, new = ({"namespace": "chat", "modelcache": name} for name in ("llama", "new"))
    assert {key: value for key, value in seen.items() if key[0].startswith("aifactory_cache")} == {
        sample("aifactory_cache_ready", **llama): 1,
        sample("aifactory_cache_ready", **new): 0,
        sample("aifactory_cache_bytes", **llama): 1000,
        sample("aifactory_cache_condition", **llama, condition="Ready", status="True", reason="Downloaded"): 1,
    }


@pytest.mark.parametrize(
    "broken", [{"conditions": [{"type": "Ready"}]}, {"content": {"bytes": "many"}}, {"content": 5}]
)
async def test_a_status_of_another_version_takes_no_series_from_other_caches(process, get, broken):
    conditions = [{"type": "Ready", "status": "True", "reason": "Downloaded"}]
    filled = {"status": {"conditions": conditions, "content": {"bytes": 1000}}}
    odd = {"status": {**filled["status"], **broken}}
    process.metrics.watch_caches(lambda: {("chat", "odd"): odd, ("chat", "llama"): filled})
    seen = await samples(get)
    assert seen[sample("aifactory_cache_ready", namespace="chat", modelcache="llama")] == 1
    assert seen[sample("aifactory_cache_bytes", namespace="chat", modelcache="llama")] == 1000


async def test_two_processes_in_one_interpreter_do_not_share_metrics():
    one, two = Metrics(), Metrics()
    one.leading.set(1)
    assert two.registry.get_sample_value("aifactory_leading") == 0
