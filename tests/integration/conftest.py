"""A real API server, etcd and controller manager as plain processes; no kubelet."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.kube import Kube
from tests.integration.service import Service
from tests.kind import crds
from tests.kind.controlplane import ControlPlane
from tests.kind.paths import CRDS
from tests.kind.processes import free_ports
from tests.operator_process import OperatorProcess

# The operator authenticates as a user of its own, so that the audit log tells its requests from all others.
OPERATOR = "operator"
SHARED_NAMESPACE = "shared"


@pytest.fixture(scope="session")
def api() -> Iterator[ControlPlane]:
    """The API server with our CRDs installed."""
    with ControlPlane(audit=True, crds=CRDS, users={OPERATOR: ["system:masters"]}) as plane:
        yield plane


@pytest.fixture(scope="session")
def complete_api() -> Iterator[ControlPlane]:
    """An API server of its own with every optional kind, for tests that install the operator or none."""
    with ControlPlane(audit=True, crds=[*CRDS, *crds.crd_files(*crds.KINDS)]) as plane:
        yield plane


@pytest.fixture(scope="session")
def kube(api: ControlPlane) -> Iterator[Kube]:
    """An administrator's connection."""
    kube = Kube(api)
    yield kube
    kube.close()


@pytest.fixture(scope="module")
def restricted(kube: Kube) -> Iterator[str]:
    """A namespace that enforces the restricted pod standard."""
    name = f"restricted-{uuid.uuid4().hex[:8]}"
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    kube.send("POST", "/api/v1/namespaces", {"metadata": {"name": name, "labels": labels}})
    yield name
    kube.delete(f"/api/v1/namespaces/{name}")


@pytest.fixture
def namespace(kube: Kube) -> Iterator[str]:
    """A namespace of this test alone."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    kube.send("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    yield name
    kube.delete(f"/api/v1/namespaces/{name}")


@pytest.fixture
def kubeconfig(api: ControlPlane) -> Path:
    """For the command line."""
    return api.kubeconfig_for(OPERATOR)


def new_operator(api: ControlPlane, namespace: str, **settings: str) -> OperatorProcess:
    """An operator that serves one namespace; not started."""
    settings = {"AIFACTORY_NAMESPACES": namespace, **settings}
    return OperatorProcess(api.kubeconfig_for(OPERATOR), free_ports(1)[0], settings)


@pytest.fixture
def operator(api: ControlPlane, namespace: str) -> Iterator[OperatorProcess]:
    """The operator, serving only this test's namespace, where a test stops or kills it."""
    with new_operator(api, namespace) as process:
        yield process


@pytest.fixture(scope="session")
def shared_operator(api: ControlPlane, kube: Kube) -> Iterator[OperatorProcess]:
    """One operator for all tests that leave it alone; they differ by the names of their services."""
    kube.send("POST", "/api/v1/namespaces", {"metadata": {"name": SHARED_NAMESPACE}})
    with new_operator(api, SHARED_NAMESPACE) as process:
        yield process


@pytest.fixture
def service(api: ControlPlane, kube: Kube, shared_operator: OperatorProcess) -> Iterator[Service]:
    """A service of one replica, not yet created, that the shared operator looks after."""
    made = Service(api, kube, SHARED_NAMESPACE, f"chat-{uuid.uuid4().hex[:6]}")
    yield made
    made.delete()


@pytest.fixture
def own_service(api: ControlPlane, kube: Kube, namespace: str) -> Service:
    """A service of one replica, not yet created, in this test's namespace."""
    return Service(api, kube, namespace, "chat")
