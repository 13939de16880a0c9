"""The API server of the kind cluster, spoken to in JSON."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import urllib3
from kubernetes import config

Object = dict[str, Any]
FIELD_MANAGER = "e2e"
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
_PREFIXES = {
    "inferenceservices": "/apis/aifactory.dev/v1alpha1",
    "modelcaches": "/apis/aifactory.dev/v1alpha1",
    "aifactories": "/apis/aifactory.dev/v1alpha1",
    "jobs": "/apis/batch/v1",
    "deployments": "/apis/apps/v1",
    "statefulsets": "/apis/apps/v1",
    "leaderworkersets": "/apis/leaderworkerset.x-k8s.io/v1",
    "replicasets": "/apis/apps/v1",
    "poddisruptionbudgets": "/apis/policy/v1",
    "networkpolicies": "/apis/networking.k8s.io/v1",
    "podmonitors": "/apis/monitoring.coreos.com/v1",
    "ingresses": "/apis/networking.k8s.io/v1",
    "httproutes": "/apis/gateway.networking.k8s.io/v1",
    "inferencepools": "/apis/inference.networking.k8s.io/v1",
    "roles": "/apis/rbac.authorization.k8s.io/v1",
    "rolebindings": "/apis/rbac.authorization.k8s.io/v1",
    "leases": "/apis/coordination.k8s.io/v1",
}
# A connection that was kept open may have been closed meanwhile; an answer, whatever it says, is never asked for again.
_RETRIES = urllib3.Retry(3, status=0, redirect=0, backoff_factor=0.1, allowed_methods=None)


class KubeError(Exception):
    """An answer that is not a success."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


def path(namespace: str, plural: str, name: str = "", subresource: str = "") -> str:
    """Path of an object, or of all; kinds of the core API need no prefix here, those of the cluster no namespace."""
    place = f"namespaces/{namespace}" if namespace else ""
    parts = (_PREFIXES.get(plural, "/api/v1"), place, plural, name, subresource)
    return "/".join(part for part in parts if part)


class Kube:
    """An administrator's connection. Threads may share it."""

    def __init__(self, kubeconfig: Path) -> None:
        api = config.new_client_from_config(str(kubeconfig))  # type: ignore[no-untyped-call]
        self._pool: urllib3.PoolManager = api.rest_client.pool_manager
        self._host: str = api.configuration.host

    def send(self, method: str, where: str, body: object = None, content_type: str = "application/json") -> str:
        """The text of the answer.

        Raises:
            KubeError: it is not a success.
        """
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": content_type, "Accept": "application/json, */*"}
        answer = self._pool.request(
            method, self._host + where, body=data, headers=headers, timeout=30, retries=_RETRIES
        )
        text = answer.data.decode(errors="replace")
        if answer.status >= 300:
            raise KubeError(answer.status, text)
        return text

    def get(self, where: str) -> Object:
        """An object or a list."""
        found: Object = json.loads(self.send("GET", where))
        return found

    def find(self, where: str) -> Object | None:
        """An object, or None where there is none."""
        try:
            return self.get(where)
        except KubeError as error:
            if error.status == 404:
                return None
            raise

    def items(self, where: str) -> list[Object]:
        """The objects of a list."""
        found: list[Object] = self.get(where)["items"]
        return found

    def apply(self, where: str, obj: Object) -> Object:
        """Server-side apply, as a user or a GitOps tool does it."""
        answer = self.send("PATCH", f"{where}?fieldManager={FIELD_MANAGER}&force=true", obj, APPLY)
        applied: Object = json.loads(answer)
        return applied

    def merge(self, where: str, patch: Object) -> None:
        """Change fields of an object by hand."""
        self.send("PATCH", where, patch, MERGE)

    def delete(self, where: str, grace_seconds: int | None = None) -> None:
        """Delete an object, or all of a list; one that is gone already is fine."""
        body: Object = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
        if grace_seconds is not None:
            body |= {"gracePeriodSeconds": grace_seconds}
        try:
            self.send("DELETE", where, body)
        except KubeError as error:
            if error.status != 404:
                raise

    def stream(self, where: str) -> "Stream":
        """The lines of an answer that goes on, such as a watch."""
        answer = self._pool.request("GET", self._host + where, preload_content=False, timeout=None, retries=False)
        if answer.status >= 300:
            raise KubeError(answer.status, answer.data.decode(errors="replace"))
        return Stream(answer)

    def watch(self, collection: str, name: str = "") -> "Stream":
        """Events from now on, of one object or of all of a list."""
        selector = f"fieldSelector=metadata.name%3D{name}&" if name else ""
        version = self.get(f"{collection}?{selector}limit=1")["metadata"]["resourceVersion"]
        return self.stream(f"{collection}?{selector}watch=1&timeoutSeconds=3600&resourceVersion={version}")


class Stream:
    """Lines as they come, until the server ends it or another thread closes it."""

    def __init__(self, response: urllib3.BaseHTTPResponse) -> None:
        self._response = response
        self.closed = False

    def __iter__(self) -> Iterator[str]:
        buffer = b""
        for part in self._parts():
            if self.closed:
                return  # Python gives up the encryption before the socket: what is read now may be anything
            *lines, buffer = (buffer + part).split(b"\n")
            yield from (line.decode() for line in lines)

    def close(self) -> None:
        """End it."""
        self.closed = True
        self._response.shutdown()

    def _parts(self) -> Iterator[bytes]:
        try:
            yield from self._response.stream(2**16)
        except urllib3.exceptions.HTTPError:
            if not self.closed:
                raise
