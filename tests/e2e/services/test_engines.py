"""Engines other than vLLM and NIM, as simulated servers with their command lines, health paths and metrics."""

from typing import Any

import pytest

from tests.e2e.conftest import Serve
from tests.e2e.service import IMAGE, MODEL, Service, runtime, scaling

IMAGE_SOURCE = {"name": MODEL, "source": {"image": {"path": "/models"}}}
LLAMACPP = runtime("llamacpp", MODELSERVER_DIALECT="llamacpp")
CUSTOM = {
    "engine": "custom",
    "image": IMAGE,
    "command": ["python3", "-m", "modelserver"],
    "args": ["--dialect", "nim1", "--model", MODEL, "--port", "8000", "--startup-seconds", "1", "--cache-path", "/tmp"],
    "probes": {"startup": "/v1/health/ready", "readiness": "/v1/health/ready", "liveness": "/v1/health/live"},
    "metrics": {
        "path": "/v1/metrics",
        "running": "num_requests_running",
        "waiting": "num_requests_waiting",
        "timeToFirstToken": "time_to_first_token_seconds",
        "completed": 'request_finish_total{finished_reason="length"}',
    },
}
ENGINES: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "sglang": (
        {"runtime": runtime("sglang") | {"latencyBuckets": "Objectives"}},
        {"timeToFirstToken": "OK", "interTokenLatency": "OK"},
    ),
    "trtllm": ({"runtime": runtime("trtllm")}, {"timeToFirstToken": "OK", "interTokenLatency": "OK"}),
    "triton": (
        {"runtime": runtime("triton"), "model": IMAGE_SOURCE},
        {"timeToFirstToken": "UNSUPPORTED", "interTokenLatency": "UNSUPPORTED"},
    ),
    "llamacpp": ({"runtime": LLAMACPP}, {"timeToFirstToken": "UNSUPPORTED", "interTokenLatency": "UNSUPPORTED"}),
    "custom": ({"runtime": CUSTOM}, {"timeToFirstToken": "OK", "interTokenLatency": "UNSUPPORTED"}),
}
"""Spec, and how each objective can be read."""


@pytest.mark.parametrize("engine", ENGINES)
def test_a_service_of_any_engine_turns_ready_and_says_which_objectives_it_can_measure(
    serve: Serve, engine: str
) -> None:
    spec, states = ENGINES[engine]
    service = serve(scaling=scaling(1, 2), **spec)
    service.wait_ready()
    service.wait("it answers", service.completes)
    service.load("2@900s")
    service.wait("objectives are read", lambda: _states(service) == states)
    service.wait("requests are read", lambda: _running(service) > 0)
    service.wait("every replica reports", lambda: service.is_("MetricsAvailable", "True"))
    unsupported = "UNSUPPORTED" in states.values()
    assert bool(service.is_("SLOResolution", "False", "ObjectiveUnsupported")) == unsupported, service.explain()
    assert engine != "sglang" or not service.is_("SLOResolution", "False"), service.explain()


@pytest.mark.parametrize(
    ("engine", "signals"), [("triton", {"waitingRequests"}), ("llamacpp", {"runningRequests", "waitingRequests"})]
)
def test_an_engine_without_latencies_scales_on_its_requests(serve: Serve, engine: str, signals: set[str]) -> None:
    spec, _ = ENGINES[engine]
    service = serve(scaling=scaling(1, 2), **spec)
    service.wait_ready()
    load = service.load("9@900s", "--output-tokens", "96")
    service.wait("a replica is added", lambda: service.replicas == 2)
    first = service.wait("the decision is told", lambda: service.status.get("scaling", {}).get("history"))[-1]
    assert (first["from"], first["to"]) == (1, 2)
    assert first["signal"] in signals, service.explain()
    load.stop()


def _running(service: Service) -> float:
    return float(service.status.get("throughput", {}).get("running", 0))


def _states(service: Service) -> dict[str, str]:
    return {objective["objective"]: objective["state"] for objective in service.status.get("slo", [])}
