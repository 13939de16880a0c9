"""An InferenceService under test, and the parts that others play in its life: users, controllers, the kubelet."""

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from tests.e2e.kube import KubeError, Object, path
from tests.e2e.waiting import PATIENCE, wait_until
from tests.kind.controlplane import ControlPlane

from .kube import Kube

# Plural of each child and what its name adds to the service's.
CHILDREN = {
    "deployments": "",
    "services": "",
    "networkpolicies": "",
    "poddisruptionbudgets": "",
    "serviceaccounts": "-server",
}
T = TypeVar("T")


class Service:
    """Reads and writes as a user; waits as a test must."""

    def __init__(self, api: ControlPlane, kube: Kube, namespace: str, name: str) -> None:
        self.api = api
        self.kube = kube
        self.namespace = namespace
        self.name = name
        self.path = path(namespace, "inferenceservices", name)

    def apply(self, spec: Mapping[str, Any] | None = None) -> Object:
        """Create or change it: fields of `spec` are added to those of a small service of one fixed replica."""
        return self.kube.apply(self.path, self.manifest(spec))

    def manifest(self, spec: Mapping[str, Any] | None = None) -> Object:
        """As a user keeps it in a file."""
        given = dict(spec or {})
        sizing = {} if given.keys() & {"scaling", "topology"} else {"replicas": 1}
        runtime = {"engine": "vllm", **given.pop("runtime", {})}
        return {
            "apiVersion": "aifactory.dev/v1alpha1",
            "kind": "InferenceService",
            "metadata": {"name": self.name, "namespace": self.namespace},
            "spec": {"model": {"name": "meta/llama"}, "runtime": runtime, **sizing, **given},
        }

    def delete(self) -> None:
        """As `kubectl delete`."""
        self.kube.delete(self.path)

    def get(self) -> Object:
        """As stored."""
        return self.kube.send("GET", self.path)

    def status(self) -> Object:
        """Its status, empty while there is none."""
        status: Object = (self.kube.find(self.path) or {}).get("status") or {}
        return status

    def condition(self, kind: str) -> Object:
        """A condition, empty while it is absent."""
        found = (condition for condition in self.status().get("conditions", []) if condition["type"] == kind)
        return next(found, {})

    def child_path(self, plural: str) -> str:
        """Path of a child."""
        return path(self.namespace, plural, self.name + CHILDREN.get(plural, ""))

    def child(self, plural: str) -> Object | None:
        """A child as stored."""
        return self.kube.find(self.child_path(plural))

    def deployment(self) -> Object:
        """The Deployment, empty while there is none."""
        return self.child("deployments") or {}

    def container(self) -> Object:
        """The model server's container in the Deployment."""
        container: Object = self.deployment()["spec"]["template"]["spec"]["containers"][0]
        return container

    def pods(self, track: str = "") -> list[Object]:
        """Its pods, or those of a track; those that are leaving are left out."""
        collection = path(self.namespace, "pods")
        found = self.kube.send("GET", f"{collection}?labelSelector=aifactory.dev%2Finferenceservice%3D{self.name}")
        return [
            pod
            for pod in found["items"]
            if "deletionTimestamp" not in pod["metadata"]
            and track in ("", pod["metadata"]["labels"].get("aifactory.dev/track"))
        ]

    def wait(self, what: str, check: Callable[[], T], seconds: float = PATIENCE) -> T:
        """The first true answer of `check`.

        Raises:
            AssertionError: there was none in time; shows the service.
        """
        return wait_until(what, check, seconds, lambda: json.dumps(self.kube.find(self.path), indent=1))

    def wait_for(self, kind: str, status: str, reason: str) -> Object:
        """The condition, once it has this status and reason and is about the newest spec."""
        generation = self.get()["metadata"]["generation"]
        wanted = {"status": status, "reason": reason, "observedGeneration": generation}

        def found() -> Object | None:
            condition = self.condition(kind)
            return condition if wanted.items() <= condition.items() else None

        return self.wait(f"{kind}={status}, {reason}", found)  # type: ignore[return-value]

    def wait_children(self) -> None:
        """Until every child exists and the first status was written."""
        for plural in CHILDREN:
            self.wait(f"{plural} exist", lambda plural=plural: self.child(plural))
        self.wait("a pod exists", self.pods)
        self.wait("the status knows of the pod", lambda: self.status().get("replicas", {}).get("current"))

    def play_kubelet(self, status: Mapping[str, Any], track: str = "") -> None:
        """Give this status to every pod, or those of a track; one that a controller deletes meanwhile needs none."""
        for pod in self.pods(track):
            where = path(self.namespace, "pods", pod["metadata"]["name"], "status")
            try:
                self.kube.merge(where, {"status": status})
            except KubeError as error:
                if error.status != 404:
                    raise

    def load_model(self) -> None:
        """Play the kubelet: the pods run and their models are loaded."""
        self.play_kubelet({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]})

    def become_ready(self) -> None:
        """Create it, if it is not there yet, and bring it to Ready."""
        if self.kube.find(self.path) is None:
            self.apply()
        self.wait("a pod exists", self.pods)
        self.load_model()
        self.wait_for("Ready", "True", "Available")


def operator_writes(api: ControlPlane, namespace: str, user: str = "operator") -> list[Object]:
    """Audit events of the operator's writes in a namespace, oldest first."""
    return [
        event
        for event in api.audit_events()
        if event["user"]["username"] == user and event["objectRef"].get("namespace") == namespace
    ]


def target(event: Object) -> str:
    """What an audit event is about: verb, resource and subresource."""
    where = event["objectRef"]
    return " ".join([event["verb"], "/".join(filter(None, (where["resource"], where.get("subresource"))))])
