"""The API server of the plain-process control plane, spoken to in JSON as the administrator."""

import requests

from tests.e2e.kube import KubeError, Object
from tests.kind.controlplane import ControlPlane

USER = "gitops"


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
