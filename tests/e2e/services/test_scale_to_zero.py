"""A service without replicas while nobody asks, and requests that wait until one serves."""

from typing import Any

import pytest

from tests.e2e.conftest import Serve
from tests.e2e.kube import path
from tests.e2e.service import TTFT_ONLY, Service, runtime, scaling

LOADING_SECONDS = 8
pytestmark = pytest.mark.slow


def sleeps(**fields: Any) -> dict[str, Any]:
    return {**scaling(0, 1), "scaleToZero": {"after": "8s", **fields}}


def sleeper(serve: Serve, loading: int = LOADING_SECONDS, **fields: Any) -> Service:
    """A service that has fallen asleep, with nothing left but its activator."""
    service = serve(runtime=runtime(MODELSERVER_STARTUP_SECONDS=loading), slo=TTFT_ONLY, scaling=sleeps(**fields))
    service.wait("asleep", lambda: service.is_("Ready", "True", "ScaledToZero"))
    service.wait("no model server is left", lambda: not model_servers(service))
    return service


def model_servers(service: Service) -> list[str]:
    """Pods that serve, or still finish what they do."""
    found = service.kube.items(f"{path(service.namespace, 'pods')}?labelSelector=aifactory.dev/role%3Dmodel-server")
    return [pod["metadata"]["name"] for pod in found]


def test_requests_wake_a_service_and_all_are_answered(serve: Serve) -> None:
    service = sleeper(serve)
    assert service.steps == [1, 0]
    assert service.burst(10).answers() == [(200, None)] * 10, service.explain()
    assert ("False", "ColdStarting") in service.conditions("ModelReady")
    assert ("Unknown", "ColdStarting") in service.conditions("Ready")
    history = service.status["scaling"]["history"]
    assert "Activated" in [entry["reason"] for entry in history]
    service.wait("the replica is told to go", lambda: service.steps == [1, 0, 1, 0])
    assert service.burst(5).answers() == [(200, None)] * 5, f"while it drains\n{service.explain()}"


def test_requests_beyond_those_that_may_wait_are_told_to_come_again(serve: Serve) -> None:
    # Longer than one of the requests may be on its way on a busy machine: it would find a replica that serves.
    service = sleeper(serve, loading=25, maxHeldRequests=3)
    answers = sorted(service.burst(10).answers(), key=lambda answer: answer[0])
    assert [status for status, _ in answers] == [200] * 3 + [503] * 7, f"{answers}\n{service.explain()}"
    assert all(int(retry or 0) > 0 for _, retry in answers[3:])
