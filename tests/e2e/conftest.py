"""A real kind cluster with the operator installed, and a namespace of its own for every test. Nothing is simulated but
the model servers."""

import os
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.kind.cluster import Cluster

from .install import install
from .kube import Kube, path
from .service import Service
from .waiting import PATIENCE, wait_until

Serve = Callable[..., Service]


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """The kind cluster with the operator and Prometheus running."""
    cluster = Cluster()
    install(cluster, run=os.environ.get("PYTEST_XDIST_TESTRUNUID", f"pid {os.getpid()} at {time.time()}"))
    return cluster


@pytest.fixture(scope="session")
def kube(cluster: Cluster) -> Kube:
    """An administrator's connection."""
    return Kube(cluster.kubeconfig)


@pytest.fixture
def namespace(kube: Kube) -> Iterator[str]:
    """As of `fresh_namespace`, for one test."""
    with fresh_namespace(kube) as name:
        yield name


@contextmanager
def fresh_namespace(kube: Kube) -> Iterator[str]:
    """A namespace with restricted pod security; its GPUs are free again at the end."""
    name = f"e2e-{uuid.uuid4().hex[:8]}"
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    where, pods = f"/api/v1/namespaces/{name}", path(name, "pods")
    kube.apply(where, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
    account = path(name, "serviceaccounts", "default")
    wait_until(f"namespace {name} takes pods", lambda: kube.find(account), PATIENCE, str)
    yield name
    kube.delete(where)

    def empty() -> bool:
        kube.delete(pods, grace_seconds=1)
        return not kube.items(pods)

    wait_until(f"namespace {name} is empty", empty, PATIENCE, lambda: str(kube.items(pods)))


@pytest.fixture
def serve(kube: Kube, namespace: str) -> Iterator[Serve]:
    """Creates a service: `serve("chat", replicas=2, runtime=runtime())`; the arguments are fields of its spec."""
    services: list[Service] = []

    def create(name: str = "chat", **spec: Any) -> Service:
        services.append(Service(kube, namespace, name, spec))
        return services[-1]

    yield create
    for service in services:
        assert not _pods_refused(service), service.explain()
        service.close()


def _pods_refused(service: Service) -> bool:
    """Whether the namespace's pod security kept a pod from being created."""
    events = service.kube.items(path(service.namespace, "events"))
    return any(event["reason"] == "FailedCreate" and "PodSecurity" in event["message"] for event in events)
