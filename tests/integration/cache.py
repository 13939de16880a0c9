"""A ModelCache under test, and the parts that the kubelet and the volume's provisioner play."""

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from tests.e2e.kube import KubeError, Object, path
from tests.e2e.waiting import PATIENCE, wait_until

from .kube import Kube

T = TypeVar("T")
CHILDREN = {
    "persistentvolumeclaims": "-weights",
    "serviceaccounts": "-download",
    "networkpolicies": "-download",
}
PLANNED = {"revision": "abc", "filesTotal": 4, "bytesTotal": 10 * 2**30}
FETCHED = {**PLANNED, "files": 4, "bytes": 10 * 2**30}


class Cache:
    """Reads and writes as a user; waits as a test must."""

    def __init__(self, kube: Kube, namespace: str, name: str) -> None:
        self.kube = kube
        self.namespace = namespace
        self.name = name
        self.path = path(namespace, "modelcaches", name)

    def apply(self, spec: Mapping[str, Any] | None = None) -> Object:
        """Create or change it."""
        wanted = {"source": {"huggingFace": {"repo": "acme/tiny"}}, "storage": {"size": "20Gi"}, **(spec or {})}
        metadata = {"name": self.name, "namespace": self.namespace}
        manifest = {"apiVersion": "aifactory.dev/v1alpha1", "kind": "ModelCache", "metadata": metadata, "spec": wanted}
        return self.kube.apply(self.path, manifest)

    def delete(self) -> None:
        self.kube.delete(self.path)

    def status(self) -> Object:
        """Its status, empty while there is none."""
        status: Object = (self.kube.find(self.path) or {}).get("status") or {}
        return status

    def condition(self, kind: str) -> Object:
        """A condition, empty while it is absent."""
        return next((one for one in self.status().get("conditions", []) if one["type"] == kind), {})

    def child_path(self, plural: str) -> str:
        return path(self.namespace, plural, self.name + CHILDREN[plural])

    def child(self, plural: str) -> Object | None:
        return self.kube.find(self.child_path(plural))

    def listed(self, plural: str) -> list[Object]:
        """Its Jobs or pods that are not leaving."""
        where = f"{path(self.namespace, plural)}?labelSelector=aifactory.dev%2Fmodelcache%3D{self.name}"
        found = self.kube.send("GET", where)["items"]
        return [one for one in found if "deletionTimestamp" not in one["metadata"]]

    def wait(self, what: str, check: Callable[[], T]) -> T:
        """The first true answer of `check`.

        Raises:
            AssertionError: there was none in time; shows the cache.
        """
        return wait_until(what, check, PATIENCE, lambda: json.dumps(self.kube.find(self.path), indent=1))

    def wait_for(self, kind: str, status: str, reason: str) -> Object:
        """The condition, once it has this status and reason and is about the newest spec."""
        generation = self.kube.send("GET", self.path)["metadata"]["generation"]
        wanted = {"status": status, "reason": reason, "observedGeneration": generation}

        def found() -> Object | None:
            condition = self.condition(kind)
            return condition if wanted.items() <= condition.items() else None

        return self.wait(f"{kind}={status}, {reason}", found)  # type: ignore[return-value]

    def bind(self) -> None:
        """Play the provisioner."""
        self.wait("the claim exists", lambda: self.child("persistentvolumeclaims"))
        status = {"phase": "Bound", "accessModes": ["ReadWriteMany"], "capacity": {"storage": "20Gi"}}
        self.kube.merge(f"{self.child_path('persistentvolumeclaims')}/status", {"status": status})

    def play(self, phase: str, **steps: Object | None) -> None:
        """Play the kubelet: steps that ended with these outcomes; one with a reason has failed for good."""
        self.wait("the Job has a pod", self._begun)
        kinds = {"plan": "initContainerStatuses", "fetch": "containerStatuses"}
        status: Object = {"phase": phase}
        for step, outcome in steps.items():
            code = 3 if outcome and "reason" in outcome else 0
            ended = {"exitCode": code, "reason": "Error" if code else "Completed", "message": json.dumps(outcome)}
            status[kinds[step]] = [
                {
                    "name": step,
                    "image": "x",
                    "imageID": "",
                    "ready": False,
                    "restartCount": 0,
                    "state": {"terminated": ended},
                }
            ]
        for pod in self.listed("pods"):
            try:
                self.kube.merge(path(self.namespace, "pods", pod["metadata"]["name"], "status"), {"status": status})
            except KubeError as error:
                if error.status != 404:
                    raise

    def _begun(self) -> bool:
        """Whether there are Jobs, and a pod of each."""
        jobs = {job["metadata"]["uid"] for job in self.listed("jobs")}
        owners = {owner["uid"] for pod in self.listed("pods") for owner in pod["metadata"].get("ownerReferences", ())}
        return bool(jobs) and jobs <= owners

    def fill(self) -> None:
        """Create it, if it is not there yet, and bring it to Ready."""
        if self.kube.find(self.path) is None:
            self.apply()
        self.bind()
        self.play("Succeeded", plan=PLANNED, fetch=FETCHED)
        self.wait_for("Ready", "True", "Downloaded")
