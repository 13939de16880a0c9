"""Requests to a service, sent from a pod of the cluster."""

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from .kube import Kube, KubeError, Object, path
from .waiting import PATIENCE, wait_until

_IMAGE = "aifactory/modelserver:dev"
_USER = 65532
FOLDER = "/etc/load"
"""Where the load generator finds its files."""


class Load:
    """A pod that runs the load generator with `options`; `files` (text by name) are in FOLDER."""

    def __init__(
        self,
        kube: Kube,
        namespace: str,
        name: str,
        url: str,
        options: Sequence[str],
        files: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._kube = kube
        self._where = path(namespace, "pods", name)
        if files:
            data = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": dict(files)}
            kube.apply(path(namespace, "configmaps", name), data)
        command = ["python3", "-m", "loadgen", "--url", url, "--model", "simulated", *options]
        kube.apply(self._where, _pod(name, command, mounts=bool(files)))

    def wait_running(self) -> None:
        """Until requests are being sent."""
        wait_until("the load generator reports", lambda: self.lines(), PATIENCE, self.tail)

    def summary(self, seconds: float = 240) -> dict[str, Any]:
        """Wait for the end of the shape; totals, failures and percentiles of the whole run."""
        return wait_until("the load ends", self._summary, seconds, self.tail)

    def stop(self) -> dict[str, Any]:
        """Send no more, wait for the requests in flight; the summary."""
        self.wait_running()
        self._kube.merge(self._where, {"spec": {"activeDeadlineSeconds": 1}})  # a pod that is deleted loses its log
        return self.summary(2 * PATIENCE)

    def _summary(self) -> dict[str, Any]:
        return next((line["summary"] for line in self.lines() if "summary" in line), {})

    @property
    def recent(self) -> list[dict[str, Any]]:
        """The lines so far: what happened in every interval of five seconds."""
        return [line for line in self.lines() if "summary" not in line]

    def tail(self) -> str:
        """The end of the log."""
        return "\n".join(map(json.dumps, self.lines()[-6:]))

    def lines(self) -> list[dict[str, Any]]:
        """All it has printed so far; the summary is the last."""
        try:
            text = self._kube.send("GET", f"{self._where}/log")
        except KubeError:
            return []
        return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


class Burst:
    """A pod that sends requests all at once, each on a connection of its own."""

    def __init__(self, kube: Kube, namespace: str, name: str, url: str, count: int) -> None:
        self._kube = kube
        self._where = path(namespace, "pods", name)
        command = ["python3", "-c", _BURST, f"{url}/v1/completions", str(count)]
        kube.apply(self._where, {**_pod(name, command, mounts=False), "metadata": {"name": name}})

    def answers(self) -> list[tuple[int, str | None]]:
        """Status and Retry-After of each request, in no order; without that, what a failure says; 0 if no answer."""
        ended = ("Succeeded", "Failed")
        wait_until("the burst ends", lambda: self._kube.get(self._where)["status"]["phase"] in ended, 2 * PATIENCE, str)
        log = self._kube.send("GET", f"{self._where}/log")
        return [(found["status"], found["retryAfter"]) for found in map(json.loads, log.splitlines())]


_BURST = """
import json, sys, urllib.error, urllib.request
from concurrent.futures import ThreadPoolExecutor

def ask(_):
    body = json.dumps({"model": "simulated", "prompt": "hello", "max_tokens": 2}).encode()
    request = urllib.request.Request(sys.argv[1], body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=300) as answer:
            return {"status": answer.status if json.load(answer)["choices"] else 0, "retryAfter": None}
    except urllib.error.HTTPError as error:
        return {"status": error.code, "retryAfter": error.headers["Retry-After"] or error.read(500).decode()}
    except Exception as error:
        return {"status": 0, "retryAfter": repr(error)}

count = int(sys.argv[2])
for found in ThreadPoolExecutor(count).map(ask, range(count)):
    print(json.dumps(found))
"""


def _pod(name: str, command: Sequence[str], mounts: bool) -> Object:
    container = {
        "name": "load",
        "image": _IMAGE,
        "command": list(command),
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [{"name": "files", "mountPath": FOLDER}] if mounts else [],
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 300,
            "automountServiceAccountToken": False,
            "securityContext": {"runAsNonRoot": True, "runAsUser": _USER, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [container],
            "volumes": [{"name": "files", "configMap": {"name": name}}] if mounts else [],
        },
    }
