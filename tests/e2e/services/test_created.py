"""From `kubectl apply` to an endpoint that answers."""

import pytest

from tests.e2e.conftest import Serve
from tests.e2e.kube import Object
from tests.e2e.service import Service, condition, runtime
from tests.e2e.waiting import PATIENCE
from tests.kind.cluster import GPU_PRODUCT

ENGINES = {
    "vllm": runtime("vllm", MODELSERVER_STARTUP_SECONDS=4),
    "nim-1": runtime("nim", MODELSERVER_STARTUP_SECONDS=4, MODELSERVER_DIALECT="nim1"),
    "nim-2": runtime("nim", MODELSERVER_STARTUP_SECONDS=4, MODELSERVER_DIALECT="nim2"),
    "nim-2 with health on a port of its own": runtime("nim", MODELSERVER_STARTUP_SECONDS=4) | {"healthPort": 8081},
}


@pytest.mark.parametrize("engine", ENGINES)
def test_a_new_service_turns_ready_when_its_endpoint_answers_and_reports_its_latency(serve: Serve, engine: str) -> None:
    service = serve(runtime=ENGINES[engine], accelerator={"product": GPU_PRODUCT, "count": 1}, drain={"timeout": "5s"})
    answered = next((service.completes() for obj in service.statuses.follow(PATIENCE) if _ready(obj)), None)
    assert answered, f"Ready without an answer: {answered}\n{service.explain()}"
    _assert_way_to_ready(service)
    _assert_only_status_is_written(service)
    service.load("2@900s")
    service.wait("latencies are read", lambda: _states(service) == {"OK"})
    service.wait("every replica reports", lambda: service.is_("MetricsAvailable", "True"))
    assert service.status["url"] == f"http://chat.{service.namespace}.svc"
    assert service.status["resolved"]["image"] == "aifactory/modelserver:dev"
    assert service.status["resolved"]["accelerator"] == "nvidia.com/gpu: 1"


def _ready(obj: Object) -> bool:
    return bool(condition(obj, "Ready").get("status") == "True")


def _assert_way_to_ready(service: Service) -> None:
    service.wait_ready()
    *before, last = [step for step in service.conditions("Ready") if step[0]]
    assert {status for status, _ in before} == {"Unknown"}
    assert before[-1] == ("Unknown", "ModelLoading")
    assert last == ("True", "Available")
    absent = ("", "")
    assert service.conditions("Accepted") == [absent, ("True", "Valid")]
    assert service.conditions("ModelReady") == [absent, ("False", "ModelLoading"), ("True", "Available")]
    assert service.conditions("Progressing")[-1] == ("True", "RolloutComplete")
    assert service.conditions("Reconciling")[1][0] == "True"
    assert service.conditions("Reconciling")[-1] == absent


def _assert_only_status_is_written(service: Service) -> None:
    metadata = service.stored["metadata"]
    assert "finalizers" not in metadata
    assert "annotations" not in metadata
    assert {(item["manager"], item.get("subresource")) for item in metadata["managedFields"]} == {
        ("e2e", None),
        ("aifactory-status", "status"),
    }


def _states(service: Service) -> set[str]:
    return {objective["state"] for objective in service.status.get("slo", [])}
