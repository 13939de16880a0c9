"""llm-d with a real endpoint picker: what is missing is said, what is installed is used."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.e2e.conftest import Serve
from tests.e2e.kube import path
from tests.e2e.service import MODEL, Service, runtime
from tests.kind import binaries, crds, images
from tests.kind.cluster import Cluster

RUNTIME = runtime("llmd") | {"endpointPicker": {"image": images.PICKER}}
POOL_CRD = "inferencepools.inference.networking.k8s.io"


@pytest.fixture
def no_extension(cluster: Cluster) -> Iterator[None]:
    """The cluster serves no pools, before as after the test."""
    cluster.kubectl("delete", "crd", POOL_CRD, "--ignore-not-found")
    yield
    cluster.kubectl("delete", "crd", POOL_CRD, "--ignore-not-found")


def test_a_picker_chooses_among_the_workers_once_the_cluster_knows_pools(
    serve: Serve, cluster: Cluster, no_extension: None
) -> None:
    service = serve(replicas=2, runtime=RUNTIME)
    service.wait_ready()
    assert service.completes(), service.explain()
    assert service.is_("RoutingReady", "False", "InferenceExtensionMissing"), service.explain()

    (definition,) = crds.crd_files("InferencePool")
    cluster.kubectl("apply", "--server-side", "-f", str(definition))
    service.wait("the picker serves", lambda: service.is_("RoutingReady", "Unknown", "PoolUnused"), 60)
    assert service.is_("Ready", "True"), service.explain()
    workers = {f"{pod['status']['podIP']}:8000" for pod in selected(service)}
    assert len(workers) == 2
    with forwarded(service, cluster) as port:
        seen: set[str] = set()
        service.wait("both workers are chosen", lambda: seen.update({choice(port, len(seen))}) or seen == workers, 30)

    cluster.kubectl("delete", "crd", POOL_CRD)
    service.wait("it is missed", lambda: service.is_("RoutingReady", "False", "InferenceExtensionMissing"), 60)
    assert len(service.pods) == 2, service.explain()
    assert service.completes(), service.explain()
    assert service.conditions("Ready")[-1] == ("True", "Available")


def selected(service: Service) -> list[dict[str, dict[str, str]]]:
    """Pods that the pool selects."""
    pool = service.kube.get(path(service.namespace, "inferencepools", service.name))
    labels = ",".join(f"{key}={value}" for key, value in pool["spec"]["selector"]["matchLabels"].items())
    return service.kube.items(f"{path(service.namespace, 'pods')}?labelSelector={labels}")


@contextmanager
def forwarded(service: Service, cluster: Cluster) -> Iterator[str]:
    """The port of the picker on this machine."""
    kubectl = [binaries.folder() / "kubectl", "--kubeconfig", cluster.kubeconfig, "--namespace", service.namespace]
    forward = subprocess.Popen(
        [*kubectl, "port-forward", f"service/{service.name}-epp", ":9002"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert forward.stdout is not None
        with forward.stdout as lines:
            yield lines.readline().split(" -> ")[0].rpartition(":")[2]
    finally:
        forward.kill()
        forward.wait()


def choice(port: str, number: int) -> str:
    """The worker that the picker names for a prompt that nobody has seen; empty without one."""
    body = json.dumps({"model": MODEL, "prompt": f"{number}"}).encode()
    ask = [binaries.ensure_picker() / "ask", f"127.0.0.1:{port}"]
    return subprocess.run(ask, input=body, capture_output=True, check=False).stdout.decode().strip()
