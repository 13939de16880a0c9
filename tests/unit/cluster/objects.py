"""Objects as the API server sends them."""

from typing import Any

from aifactory.api import API_VERSION
from aifactory.api.inferenceservice import KIND
from aifactory.render import labels

NAMESPACE, NAME, UID = "chat", "llama", "service-1"
KEY = (NAMESPACE, NAME)


def metadata(name: str, uid: str, version: int, **more: Any) -> dict[str, Any]:
    return {"name": name, "namespace": NAMESPACE, "uid": uid, "resourceVersion": str(version), **more}


def service(version: int = 1, uid: str = UID, **more: Any) -> dict[str, Any]:
    spec = {"model": {"name": "meta/llama"}, "runtime": {"engine": "vllm"}}
    body = {"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata(NAME, uid, version, generation=1)}
    return {**body, "spec": spec, **more}


def owner(uid: str = UID) -> dict[str, Any]:
    return {"apiVersion": API_VERSION, "kind": KIND, "name": NAME, "uid": uid, "controller": True}


def child(kind: str = "Deployment", version: int = 1, uid: str = "child-1", owner_uid: str = UID) -> dict[str, Any]:
    """A child as it is stored."""
    more = {"labels": {labels.SERVICE: NAME}, "ownerReferences": [owner(owner_uid)], "generation": 1}
    return {"kind": kind, "metadata": metadata(NAME, uid, version, **more), "spec": {"replicas": 1}}


def pod(name: str = "llama-1", version: int = 1, uid: str = "", **status: Any) -> dict[str, Any]:
    """A model-server pod; `status` is its status."""
    return {
        "kind": "Pod",
        "metadata": metadata(
            name,
            uid or name,
            version,
            creationTimestamp="2026-01-01T00:00:00Z",
            labels={labels.SERVICE: NAME, labels.ROLE: "model-server", "pod-template-hash": "5d4f"},
            ownerReferences=[{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "llama-5d4f", "uid": "rs"}],
        ),
        "spec": {},
        "status": status,
    }
