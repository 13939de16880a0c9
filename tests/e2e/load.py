"""Requests to a service, sent from a pod of the cluster."""

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from .kube import Kube, KubeError, Object, path
from .waiting import wait_until

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

    @property
    def _phase(self) -> str:
        return str(self._kube.get(self._where)["status"].get("phase"))

    def wait_running(self) -> None:
        """Until requests are being sent."""
        wait_until("the load generator reports", lambda: self.lines(), 60, self.tail)

    def summary(self, seconds: float = 240) -> dict[str, Any]:
        """Wait for the end of the shape; totals, failures and percentiles of the whole run."""
        wait_until("the load ends", lambda: self._phase in ("Succeeded", "Failed"), seconds, self.tail)
        last = self.lines()[-1]
        assert "summary" in last, self.tail()
        found: dict[str, Any] = last["summary"]
        return found

    def stop(self) -> dict[str, Any]:
        """Send no more, wait for the requests in flight; the summary."""
        log = self._kube.stream(f"{self._where}/log?follow=true")
        self._kube.delete(self._where)
        found: dict[str, Any] = json.loads(list(log)[-1])["summary"]
        return found

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
            "terminationGracePeriodSeconds": 60,
            "automountServiceAccountToken": False,
            "securityContext": {"runAsNonRoot": True, "runAsUser": _USER, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [container],
            "volumes": [{"name": "files", "configMap": {"name": name}}] if mounts else [],
        },
    }
