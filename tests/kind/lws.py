"""The LeaderWorkerSet controller and its webhooks as a process beside a control plane of plain processes."""

import base64
import json
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Self

from tests.kind import binaries
from tests.kind.controlplane import ControlPlane
from tests.kind.processes import ProcessGroup, free_ports

_START_SECONDS = 60
_GROUP = "leaderworkerset.x-k8s.io"
_POD_OF_A_GROUP = {"matchExpressions": [{"key": "leaderworkerset.sigs.k8s.io/name", "operator": "Exists"}]}


class LeaderWorkerSets:
    """Use it as a context manager, around a plane that was started with its CustomResourceDefinitions."""

    def __init__(self, plane: ControlPlane) -> None:
        self._plane = plane
        self._processes = ProcessGroup(plane.logs)

    def __enter__(self) -> Self:
        self._webhook, health = free_ports(2)
        self._manager, folder = binaries.ensure_lws(), self._plane.folder / "lws"
        folder.mkdir()
        for name in ("tls.crt", "tls.key"):
            shutil.copy(self._plane.folder / name, folder / name)
        self._config = folder / "config.json"
        self._config.write_text(json.dumps(_configuration(folder, self._webhook, health)))
        try:
            self._start()
            for configuration in _webhooks(self._plane.ca_file, self._webhook):
                self._plane.kubectl("apply", "-f", "-", stdin=json.dumps(configuration))
        except BaseException:
            self._processes.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._processes.stop()

    @contextmanager
    def absent(self) -> Iterator[None]:
        """Meanwhile it does not run; what began and ended within that time it never hears of."""
        self._processes.stop()
        yield
        self._start()

    def _start(self) -> None:
        environment = {"KUBECONFIG": str(self._plane.kubeconfig), "PATH": os.environ["PATH"]}
        self._processes.start(self._manager, f"--config={self._config}", environment=environment)
        self._processes.wait_until("the webhooks of LeaderWorkerSet", lambda: _listens(self._webhook), _START_SECONDS)


def _configuration(folder: Path, webhook: int, health: int) -> dict[str, Any]:
    return {
        "apiVersion": "config.lws.x-k8s.io/v1alpha1",
        "kind": "Configuration",
        "internalCertManagement": {"enable": False},
        "webhook": {"host": "127.0.0.1", "port": webhook, "certDir": str(folder)},
        "metrics": {"bindAddress": "0"},
        "health": {"healthProbeBindAddress": f"127.0.0.1:{health}"},
        "leaderElection": {"leaderElect": False},
    }


def _webhooks(ca_file: Path, port: int) -> list[dict[str, Any]]:
    """Those that LeaderWorkerSet registers, by address instead of by Service; API servers wait for each of them."""
    sets = {"apiGroups": [_GROUP], "resources": ["leaderworkersets"], "operations": ["CREATE", "UPDATE"]}
    pods = {"apiGroups": [""], "resources": ["pods"], "operations": ["CREATE"]}
    of_sets = f"{_GROUP.replace('.', '-')}-v1-leaderworkerset"
    return [
        {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "MutatingWebhookConfiguration",
            "metadata": {"name": "lws"},
            "webhooks": [
                _webhook("sets", f"/mutate-{of_sets}", sets, ca_file, port),
                _webhook("pods", "/mutate--v1-pod", pods, ca_file, port) | {"objectSelector": _POD_OF_A_GROUP},
            ],
        },
        {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingWebhookConfiguration",
            "metadata": {"name": "lws"},
            "webhooks": [_webhook("sets", f"/validate-{of_sets}", sets, ca_file, port)],
        },
    ]


def _webhook(name: str, path: str, rule: dict[str, Any], ca_file: Path, port: int) -> dict[str, Any]:
    return {
        "name": f"{name}.lws.example.com",
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "rules": [{"apiVersions": ["v1"], **rule}],
        "clientConfig": {"url": f"https://127.0.0.1:{port}{path}", "caBundle": _base64(ca_file)},
    }


def _base64(file: Path) -> str:
    return base64.b64encode(file.read_bytes()).decode()


def _listens(port: int) -> bool:
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
