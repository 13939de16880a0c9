"""llm-d with a real endpoint picker: what is missing is said, what is installed is used."""

import json
import subprocess
import uuid
from collections.abc import Iterator

import pytest

from tests.e2e.conftest import Serve
from tests.e2e.kube import path
from tests.e2e.service import MODEL, Service, runtime
from tests.e2e.waiting import PATIENCE
from tests.kind import binaries, crds, images
from tests.kind.cluster import Cluster

RUNTIME = runtime("llmd") | {"endpointPicker": {"image": images.PICKER}}
POOL_CRD = "inferencepools.inference.networking.k8s.io"


@pytest.fixture
def no_extension(cluster: Cluster) -> Iterator[None]:
    """The cluster serves no pools, before as after the test."""
    cluster.kubectl("delete", "crd", POOL_CRD, "--ignore-not-found", timeout=PATIENCE)
    yield
    cluster.kubectl("delete", "crd", POOL_CRD, "--ignore-not-found", timeout=PATIENCE)


def test_a_picker_chooses_among_the_workers_once_the_cluster_knows_pools(
    serve: Serve, cluster: Cluster, no_extension: None
) -> None:
    service = serve(replicas=2, runtime=RUNTIME)
    service.wait_ready()
    service.wait("it answers", service.completes)
    service.wait("it is missed", lambda: service.is_("RoutingReady", "False", "InferenceExtensionMissing"))

    (definition,) = crds.crd_files("InferencePool")
    cluster.kubectl("apply", "--server-side", "-f", str(definition))
    service.wait("the picker serves", lambda: service.is_("RoutingReady", "Unknown", "PoolUnused"))
    assert service.is_("Ready", "True"), service.explain()
    workers = {f"{pod['status']['podIP']}:8000" for pod in selected(service)}
    assert len(workers) == 2
    seen: set[str] = set()
    service.wait("both workers are chosen", lambda: seen.add(choice(service, cluster)) or seen >= workers)
    assert seen - {""} == workers

    cluster.kubectl("delete", "crd", POOL_CRD, timeout=PATIENCE)
    service.wait("it is missed", lambda: service.is_("RoutingReady", "False", "InferenceExtensionMissing"))
    service.wait("the picker's pod is gone", lambda: len(service.pods) == 2)
    assert service.completes(), service.explain()
    assert service.conditions("Ready")[-1] == ("True", "Available")


def selected(service: Service) -> list[dict[str, dict[str, str]]]:
    """Pods that the pool selects."""
    pool = service.kube.get(path(service.namespace, "inferencepools", service.name))
    labels = ",".join(f"{key}={value}" for key, value in pool["spec"]["selector"]["matchLabels"].items())
    return service.kube.items(f"{path(service.namespace, 'pods')}?labelSelector={labels}")


def choice(service: Service, cluster: Cluster) -> str:
    """The worker that the picker names for a prompt that nobody has seen; empty while it names none."""
    kubectl = [binaries.folder() / "kubectl", "--kubeconfig", cluster.kubeconfig, "--namespace", service.namespace]
    forward = subprocess.Popen(
        [*kubectl, "port-forward", f"service/{service.name}-epp", ":9002"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert forward.stdout is not None
        with forward.stdout as lines:
            port = lines.readline().split(" -> ")[0].rpartition(":")[2]
            body = json.dumps({"model": MODEL, "prompt": uuid.uuid4().hex}).encode()
            ask = [binaries.ensure_picker() / "ask", f"127.0.0.1:{port}"]
            return subprocess.run(ask, input=body, capture_output=True, check=False).stdout.decode().strip()
    finally:
        forward.kill()
        forward.wait()
