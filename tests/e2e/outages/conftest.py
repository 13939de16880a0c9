"""Outages hit every service of the cluster, so these tests run one after the other and by themselves."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime

import pytest

from tests.e2e.kube import Kube, path
from tests.e2e.service import SYSTEM, operator_log
from tests.e2e.waiting import PATIENCE, wait_until
from tests.kind.progress import capture

Scaled = Callable[[str, int], AbstractContextManager[None]]
LEASE = path(SYSTEM, "leases", "aifactory-operator")


def pytest_configure(config: pytest.Config) -> None:
    if getattr(config.option, "numprocesses", None):
        raise pytest.UsageError("tests/e2e/outages stop the operator or Prometheus for all: run them without -n")


@pytest.fixture
def scaled(kube: Kube) -> Scaled:
    """`with scaled("prometheus", 0):` runs a Deployment of the system with another number of replicas."""

    @contextmanager
    def change(name: str, replicas: int) -> Iterator[None]:
        where = path(SYSTEM, "deployments", name)
        _scale(kube, where, replicas)
        try:
            yield
        finally:
            _scale(kube, where, 1)

    return change


def _scale(kube: Kube, where: str, replicas: int) -> None:
    kube.merge(where, {"spec": {"replicas": replicas}})

    def done() -> bool:
        status = kube.get(where)["status"]
        return {status.get("replicas", 0), status.get("readyReplicas", 0)} == {replicas}

    wait_until(f"{where} has {replicas} replicas", done, 2 * PATIENCE, lambda: json.dumps(kube.get(where)["status"]))


def holder(kube: Kube) -> str:
    """Who holds the Lease, as `<pod>_<process>`; empty while nobody does."""
    return str(kube.get(LEASE)["spec"].get("holderIdentity") or "")


def leader(kube: Kube) -> str:
    """Name of the pod whose process holds the Lease."""
    return holder(kube).partition("_")[0]


def crash_leader(kube: Kube, node: str) -> float:
    """Kill the active operator without warning and wait for a new one; since when it leads, in epoch seconds."""
    before = holder(kube)
    container = kube.get(path(SYSTEM, "pods", leader(kube)))["status"]["containerStatuses"][0]["containerID"]
    ctr = ["docker", "exec", node, "ctr", "--namespace=k8s.io"]
    capture([*ctr, "task", "kill", "--signal=SIGKILL", container.removeprefix("containerd://")])
    wait_until("a new operator leads", lambda: holder(kube) not in ("", before), PATIENCE, lambda: operator_log(kube))
    return datetime.fromisoformat(kube.get(LEASE)["spec"]["acquireTime"]).timestamp()
