"""Weights are fetched once, by a pod that survives a source that cuts it off, and then served from the volume."""

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.conftest import Serve
from tests.e2e.kube import Kube, Object, path
from tests.e2e.service import IMAGE, MODEL, condition, operator_log
from tests.e2e.waiting import PATIENCE, History, wait_until
from tests.kind.cluster import Cluster
from tests.kind.paths import ROOT
from tests.sources.server import REPO, model

MEGABYTES = 64
# Two large files at 1 MB/s each: long enough for Prometheus to find the pod and to see, with two cuts on the way.
SOURCE = ["--megabytes", str(MEGABYTES), "--rate", "1", "--cut", "2"]
_USER = {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}}
_CONTAINER = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


@pytest.fixture
def volume(cluster: Cluster, kube: Kube, namespace: str) -> Iterator[str]:
    """A storage class whose one volume is a folder of the node that every user may write to."""
    folder = f"/var/{namespace}"
    made = ["docker", "exec", cluster.node, "mkdir", "-m", "777", folder]
    subprocess.run(made, check=True, timeout=PATIENCE, capture_output=True)
    spec = {
        "capacity": {"storage": "1Gi"},
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": namespace,
        "hostPath": {"path": folder},
    }
    where = f"/api/v1/persistentvolumes/{namespace}"
    metadata = {"name": namespace}
    kube.apply(where, {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": metadata, "spec": spec})
    yield namespace
    kube.delete(where)
    removed = ["docker", "exec", cluster.node, "rm", "-r", folder]
    subprocess.run(removed, check=True, timeout=PATIENCE, capture_output=True)


@pytest.fixture
def hub(kube: Kube, namespace: str) -> str:
    """Address of a Hugging Face Hub in the cluster."""
    script = (ROOT / "tests" / "sources" / "server.py").read_text()
    labels = {"app": "hub"}
    container = {
        "name": "hub",
        "image": IMAGE,
        "command": ["python3", "/source/server.py", *SOURCE],
        "securityContext": _CONTAINER,
        "readinessProbe": {"tcpSocket": {"port": 8000}, "periodSeconds": 1},
        "volumeMounts": [{"name": "source", "mountPath": "/source"}],
    }
    pod = {
        "securityContext": _USER,
        "automountServiceAccountToken": False,
        "containers": [container],
        "volumes": [{"name": "source", "configMap": {"name": "hub"}}],
    }
    objects: dict[str, Object] = {
        "configmaps": {"kind": "ConfigMap", "data": {"server.py": script}},
        "services": {"kind": "Service", "spec": {"selector": labels, "ports": [{"port": 80, "targetPort": 8000}]}},
        "pods": {"kind": "Pod", "spec": pod},
    }
    for plural, obj in objects.items():
        metadata = {"name": "hub", "labels": labels}
        kube.apply(path(namespace, plural, "hub"), {"apiVersion": "v1", "metadata": metadata, **obj})
    where = path(namespace, "pods", "hub")

    def serves() -> bool:
        return condition(kube.get(where), "Ready").get("status") == "True"

    wait_until("the hub serves", serves, PATIENCE, lambda: json.dumps(kube.get(where)["status"]))
    return "http://hub"


class Cache:
    """A ModelCache under test; `kubectl get -w` on it runs along from the beginning."""

    def __init__(self, kube: Kube, namespace: str, spec: Object) -> None:
        self.kube = kube
        self.where = path(namespace, "modelcaches", "tiny")
        self.history = History(kube.watch(path(namespace, "modelcaches"), "tiny"))
        manifest = {"apiVersion": "aifactory.dev/v1alpha1", "kind": "ModelCache", "metadata": {"name": "tiny"}}
        kube.apply(self.where, {**manifest, "spec": spec})

    @property
    def status(self) -> Object:
        found: Object = self.kube.get(self.where).get("status") or {}
        return found

    def is_(self, status: str, reason: str) -> bool:
        found = condition(self.kube.get(self.where), "Ready")
        return (found.get("status"), found.get("reason")) == (status, reason)

    def explain(self) -> str:
        return f"{json.dumps(self.status, indent=1)}\n{operator_log(self.kube)}"

    def wait(self, what: str, status: str, reason: str) -> None:
        wait_until(what, lambda: self.is_(status, reason), 2 * PATIENCE, self.explain)


@pytest.fixture
def spec(hub: str, volume: str) -> Object:
    """The weights of the hub in the volume."""
    return {
        "source": {"huggingFace": {"repo": REPO, "exclude": ["original/*"]}},
        "endpoint": hub,
        "storage": {"size": "1Gi", "storageClassName": volume, "accessMode": "ReadWriteOnce"},
    }


def test_weights_are_fetched_once_through_cuts_and_served(
    cluster: Cluster, kube: Kube, namespace: str, serve: Serve, spec: Object
) -> None:
    service = serve(model={"name": MODEL, "source": {"modelCache": {"name": "tiny"}}})
    service.wait("it waits", lambda: service.is_("ModelReady", "False", "ModelCacheMissing"))
    cache = Cache(kube, namespace, spec)
    cache.wait("the download has begun", "Unknown", "Downloading")
    assert service.child("deployments") is None, "no GPU waits for weights"
    cache.wait("all is there", "True", "Downloaded")
    _assert_fetched(kube, namespace, cache)
    service.wait_ready()
    service.wait("it answers", service.completes)
    pod = service.pods[0]["metadata"]["name"]
    seen = cluster.kubectl("-n", namespace, "exec", pod, "--", "find", "/models/", "-name", "*.*", "-type", "f")
    assert "/models/config.json" in seen.split()
    assert not any("original" in name for name in seen.split())
    kube.delete(cache.where)
    wait_until("the cache is gone", lambda: kube.find(cache.where) is None, PATIENCE, service.explain)
    service.hold("a deleted cache ends nothing that serves", lambda: service.is_("Ready", "True"), 5)
    assert service.completes()
    cache.history.stop()


def _assert_fetched(kube: Kube, namespace: str, cache: Cache) -> None:
    """Everything arrived, no byte twice, and a reader of the status could follow it."""
    files = {name: len(data) for name, data in model(MEGABYTES).items() if not name.startswith("original/")}
    content = cache.status["content"]
    assert (content["files"], content["bytes"]) == (len(files), sum(files.values()))
    served = kube.get(path(namespace, "pods", "hub:8000", "proxy/served"))
    assert served == files, "a cut transfer went on where it broke"
    told = [step for step in cache.history.path(_progress) if step]
    speeds = [step[1] for step in told if step[1]]
    assert len({step[0] for step in told}) > 2, f"progress is followed: {told}"
    assert speeds, f"speed is measured: {told}"
    (job,) = kube.items(path(namespace, "jobs"))
    assert job["status"].get("failed", 0) == 0, "cuts are mended without another pod"


def _progress(obj: Object) -> tuple[Any, Any] | None:
    found = (obj.get("status") or {}).get("progress")
    return (found.get("percent"), found.get("speed")) if found else None


def test_a_repository_that_is_not_there_is_told_by_the_cache_and_its_service(
    kube: Kube, namespace: str, serve: Serve, spec: Object
) -> None:
    cache = Cache(kube, namespace, {**spec, "endpoint": f"{spec['endpoint']}/nowhere"})
    cache.wait("it failed", "False", "SourceNotFound")
    service = serve(model={"name": MODEL, "source": {"modelCache": {"name": "tiny"}}})
    service.wait("so does the service", lambda: service.is_("Ready", "False", "ModelCacheFailed"))
    assert "answers 404" in service.condition("Ready")["message"]
    cache.history.stop()


def test_weights_that_do_not_fit_are_not_begun(kube: Kube, namespace: str, spec: Object) -> None:
    spec["storage"] = {**spec["storage"], "size": "10Mi"}
    cache = Cache(kube, namespace, spec)
    cache.wait("it is refused", "False", "StorageTooSmall")
    assert kube.get(path(namespace, "pods", "hub:8000", "proxy/served")) == {}
    cache.history.stop()
