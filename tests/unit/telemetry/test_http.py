"""What Prometheus and the kubelet get from the operator, over HTTP."""

from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp
import pytest
import pytest_asyncio
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
    runner = await http.serve(process.metrics.registry, 0, lambda: process.sick, lambda: process.busy)
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
    first = await http.serve(process.metrics.registry, 0, lambda: None, lambda: None)
    with pytest.raises(OSError, match="address already in use"):
        await http.serve(process.metrics.registry, port_of(first), lambda: None, lambda: None)
    await first.cleanup()


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


STATUS = {
    "conditions": [{"type": "Accepted", "status": "True"}, {"type": "Ready", "status": "True"}],
    "replicas": {"desired": 3, "current": 3, "ready": 2, "pending": 1, "unschedulable": 0},
    "scaling": {"recommendations": [{"signal": "timeToFirstToken", "ratio": "0.62"}, {"signal": "waitingRequests"}]},
    "slo": [
        {"objective": "timeToFirstToken", "attainment5m": "98.5%"},
        {"objective": "interTokenLatency", "state": "IDLE"},
    ],
}


async def test_every_service_has_gauges(process, get):
    process.metrics.watch_services(lambda: {("chat", "llama"): STATUS, ("chat", "new"): {}})
    seen = await samples(get)
    llama, new = ({"namespace": "chat", "inferenceservice": name} for name in ("llama", "new"))
    assert seen[sample("aifactory_service_ready", **llama)] == 1
    assert seen[sample("aifactory_service_ready", **new)] == 0
    assert seen[sample("aifactory_service_replicas", **llama, state="pending")] == 1
    assert seen[sample("aifactory_service_signal_ratio", **llama, signal="timeToFirstToken")] == 0.62
    assert seen[sample("aifactory_service_slo_attainment", **llama, objective="timeToFirstToken")] == 0.985


async def test_what_is_not_known_has_no_series(process, get):
    process.metrics.watch_services(lambda: {("chat", "llama"): STATUS})
    signals = [dict(labels) for _, labels in await samples(get)]
    assert not any(labels.get("signal") == "waitingRequests" for labels in signals)
    assert not any(labels.get("objective") == "interTokenLatency" for labels in signals)


async def test_a_deleted_service_has_no_series(process, get):
    statuses = {("chat", "llama"): STATUS}
    process.metrics.watch_services(lambda: statuses)
    assert any("llama" in text for _, labels in await samples(get) for _, text in labels)
    statuses.clear()
    assert not any("llama" in text for _, labels in await samples(get) for _, text in labels)


async def test_two_processes_in_one_interpreter_do_not_share_metrics():
    one, two = Metrics(), Metrics()
    one.leading.set(1)
    assert two.registry.get_sample_value("aifactory_leading") == 0
