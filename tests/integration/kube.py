"""The API server of the plain-process control plane, spoken to in JSON as the administrator."""

from typing import Any

import requests

from tests.kind.controlplane import ControlPlane

Object = dict[str, Any]
USER = "gitops"
_PREFIXES = {
    "inferenceservices": "/apis/aifactory.dev/v1alpha1",
    "deployments": "/apis/apps/v1",
    "poddisruptionbudgets": "/apis/policy/v1",
    "networkpolicies": "/apis/networking.k8s.io/v1",
    "podmonitors": "/apis/monitoring.coreos.com/v1",
    "leases": "/apis/coordination.k8s.io/v1",
}


class KubeError(Exception):
    """An answer that is not a success."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


def path(namespace: str, plural: str, name: str = "", subresource: str = "") -> str:
    """Path of a namespaced object, or of all of them."""
    parts = (_PREFIXES.get(plural, "/api/v1"), "namespaces", namespace, plural, name, subresource)
    return "/".join(part for part in parts if part)


class Kube:
    """One connection, kept open: much faster than kubectl."""

    def __init__(self, plane: ControlPlane) -> None:
        self._url = plane.url
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = str(plane.ca_file)
        self._session.headers["Authorization"] = f"Bearer {plane.token}"

    def close(self) -> None:
        self._session.close()

    def send(self, method: str, where: str, body: object = None, content_type: str = "application/json") -> Object:
        """The object that the API server answers with.

        Raises:
            KubeError: it is not a success.
        """
        headers = {"Content-Type": content_type}
        answer = self._session.request(method, self._url + where, json=body, headers=headers, timeout=30)
        if answer.status_code >= 300:
            raise KubeError(answer.status_code, answer.text)
        found: Object = answer.json()
        return found

    def find(self, where: str) -> Object | None:
        """An object, or None where there is none."""
        try:
            return self.send("GET", where)
        except KubeError as error:
            if error.status == 404:
                return None
            raise

    def apply(self, where: str, obj: Object) -> Object:
        """Server-side apply, as a GitOps tool does it."""
        return self.send("PATCH", f"{where}?fieldManager={USER}&force=true", obj, "application/apply-patch+yaml")

    def merge(self, where: str, patch: Object) -> Object:
        """Change fields by hand; lists of named items are merged where the kind is a built-in one."""
        return self.send("PATCH", where, patch, "application/strategic-merge-patch+json")

    def delete(self, where: str) -> None:
        """As `kubectl delete`; one that is gone already is fine."""
        try:
            self.send("DELETE", where)
        except KubeError as error:
            if error.status != 404:
                raise
