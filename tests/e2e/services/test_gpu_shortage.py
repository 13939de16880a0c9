"""More replicas are wanted than there are GPUs."""

from collections.abc import Iterator

import pytest

from tests.e2e.conftest import Serve
from tests.e2e.install import GPU
from tests.e2e.kube import Kube, path
from tests.e2e.service import FAST_LAW, LENIENT, PATIENT, Service, scaling
from tests.e2e.waiting import PATIENCE
from tests.kind.cluster import NODE

SLICE = "nvidia.com/mig-1g.10gb"
SLICES = 2
DRA = "/apis/resource.k8s.io/v1"


@pytest.fixture
def slices(kube: Kube) -> Iterator[None]:
    """GPU slices that no other test uses."""
    _offer(kube, str(SLICES))
    yield
    _offer(kube, None)


def _offer(kube: Kube, count: str | None) -> None:
    offered = {SLICE: count}
    kube.merge(f"/api/v1/nodes/{NODE}/status", {"status": {"capacity": offered, "allocatable": offered}})


@pytest.mark.slow
@pytest.mark.usefixtures("slices")
def test_when_gpus_run_out_replicas_are_frozen_and_the_service_says_so(serve: Serve) -> None:
    # Nobody may ask for the next replica before the scheduler has said of the last one that it gets no GPU.
    rarely = {**FAST_LAW["scaleUp"], "period": "20s"}
    service = serve(scaling=scaling(1, 6, scaleUp=rarely), slo=LENIENT, accelerator={"resourceName": SLICE})
    service.wait_ready()
    load = service.load("22@900s", "--timeout", "300", "--max-in-flight", "5000")
    service.wait("the shortage is reported", lambda: service.is_("GPUShortage", "True", "InsufficientGPUs"))
    assert SLICE in service.condition("GPUShortage")["message"]

    pods, replicas = _names(service), service.replicas
    assert replicas == SLICES + 1, service.explain()
    service.hold("no churn", lambda: (_names(service), service.replicas) == (pods, replicas), 45)
    assert service.status["replicas"]["unschedulable"] == 1
    assert service.is_("GPUShortage", "True")
    assert service.is_("Ready", "True"), service.explain()
    assert load.stop()["failed"] == 0


def test_beyond_a_quota_no_more_are_asked_for_and_those_that_nobody_needs_go(
    kube: Kube, namespace: str, serve: Serve
) -> None:
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "gpus"},
        "spec": {"hard": {f"requests.{GPU}": "2"}},
    }
    kube.apply(path(namespace, "resourcequotas", "gpus"), quota)
    service = serve(scaling=scaling(1, 6), slo=PATIENT)
    service.wait_ready()
    load = service.load("20@900s", "--timeout", "300", "--max-in-flight", "2000")
    service.wait("a replica is refused", lambda: service.is_("ScalingLimited", "True", "PodRejected"))
    assert "exceeded quota" in service.condition("ScalingLimited")["message"]

    asked = service.replicas
    service.hold("no more are asked for", lambda: service.replicas == asked, 10)
    assert load.stop()["failed"] == 0
    service.wait("idle replicas are removed", lambda: service.replicas == 1, 2 * PATIENCE)
    service.wait("nothing is refused", lambda: not service.condition("ScalingLimited"))
    service.wait_ready()


def _names(service: Service) -> set[str]:
    return {pod["metadata"]["name"] for pod in service.pods}


@pytest.fixture
def device_class(kube: Kube) -> Iterator[str]:
    """A class of devices of which no node has any."""
    name = "no-gpus"
    where = f"{DRA}/deviceclasses/{name}"
    kube.apply(
        where, {"apiVersion": "resource.k8s.io/v1", "kind": "DeviceClass", "metadata": {"name": name}, "spec": {}}
    )
    yield name
    kube.delete(where)


def test_a_claim_of_devices_that_no_node_has_is_a_shortage(
    serve: Serve, kube: Kube, namespace: str, device_class: str
) -> None:
    template = {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceClaimTemplate",
        "metadata": {"name": "one-gpu"},
        "spec": {"spec": {"devices": {"requests": [{"name": "gpu", "exactly": {"deviceClassName": device_class}}]}}},
    }
    kube.apply(f"{DRA}/namespaces/{namespace}/resourceclaimtemplates/one-gpu", template)
    service = serve(accelerator={"resourceClaimTemplate": "one-gpu"})
    service.wait("the shortage is reported", lambda: service.is_("GPUShortage", "True", "InsufficientGPUs"))
    assert service.is_("Ready", "False", "InsufficientGPUs")
    assert "cannot allocate all claims" in service.condition("GPUShortage")["message"]
    assert service.status["resolved"]["accelerator"] == "ResourceClaimTemplate one-gpu: 1"
