"""More replicas are wanted than there are GPUs."""

from collections.abc import Iterator

import pytest

from tests.e2e.conftest import Serve
from tests.e2e.kube import Kube
from tests.e2e.service import TTFT_ONLY, Service, scaling
from tests.kind.cluster import NODE

SLICE = "nvidia.com/mig-1g.10gb"
SLICES = 2


@pytest.fixture
def slices(kube: Kube) -> Iterator[None]:
    """GPU slices that no other test uses."""
    _offer(kube, str(SLICES))
    yield
    _offer(kube, None)


def _offer(kube: Kube, count: str | None) -> None:
    offered = {SLICE: count}
    kube.merge(f"/api/v1/nodes/{NODE}/status", {"status": {"capacity": offered, "allocatable": offered}})


@pytest.mark.usefixtures("slices")
def test_when_gpus_run_out_replicas_are_frozen_and_the_service_says_so(serve: Serve) -> None:
    service = serve(scaling=scaling(1, 6), slo=TTFT_ONLY, accelerator={"resourceName": SLICE})
    service.wait_ready()
    load = service.load("15@300s", "--timeout", "300", "--max-in-flight", "2000")
    service.wait("the shortage is reported", lambda: service.is_("GPUShortage", "True", "InsufficientGPUs"), 90)
    assert SLICE in service.condition("GPUShortage")["message"]

    pods, replicas = _names(service), service.replicas
    assert replicas == SLICES + 1, service.explain()
    service.hold("no churn", lambda: (_names(service), service.replicas) == (pods, replicas), 25)
    assert service.status["replicas"]["unschedulable"] == 1
    assert service.is_("GPUShortage", "True")
    assert service.is_("Ready", "True"), service.explain()
    assert load.stop()["failed"] == 0


def _names(service: Service) -> set[str]:
    return {pod["metadata"]["name"] for pod in service.pods}
