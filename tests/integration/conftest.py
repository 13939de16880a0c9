"""A real API server, etcd and controller manager as plain processes; no kubelet."""

import socket
import uuid
from collections.abc import Iterator

import pytest

from tests.install import install_crds
from tests.kind.controlplane import ControlPlane
from tests.operator_process import OperatorProcess


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def api() -> Iterator[ControlPlane]:
    """The API server with our CRDs installed."""
    with ControlPlane(audit=True) as plane:
        install_crds(plane.kubectl)
        yield plane


@pytest.fixture
def namespace(api: ControlPlane) -> Iterator[str]:
    """A namespace of this test alone."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    api.kubectl("create", "namespace", name)
    yield name
    api.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
def operator(api: ControlPlane, namespace: str) -> Iterator[OperatorProcess]:
    """The operator, serving only this test's namespace."""
    with OperatorProcess(api.kubeconfig, free_port(), {"AIFACTORY_NAMESPACES": namespace}) as process:
        yield process
