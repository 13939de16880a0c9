"""A Kubernetes control plane as plain processes on loopback: no containers, no kubelet, ready in a few seconds.

    with ControlPlane(audit=True) as plane:
        plane.kubectl("apply", "-f", "crds/")
        run_operator(kubeconfig=plane.kubeconfig)
        writes = [event for event in plane.audit_events() if event["user"]["username"] == "admin"]

etcd keeps its data on /dev/shm. Requests are authorized by RBAC; `admin` is in system:masters. With `fake_nodes=True`,
KWOK plays the kubelets of the nodes that tests create and kube-scheduler places pods on them.
"""

import json
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Self

import requests
import yaml

from tests.kind import binaries
from tests.kind.host import require_commands
from tests.kind.processes import ProcessGroup, free_ports, owned_folder, sweep_leftovers
from tests.kind.progress import CommandFailedError, capture

CONTROLLERS = (
    "deployment-controller",
    "disruption-controller",
    "endpointslice-controller",
    "garbage-collector-controller",
    "job-controller",
    "namespace-controller",
    "node-lifecycle-controller",
    "persistentvolumeclaim-protection-controller",
    "replicaset-controller",
    "serviceaccount-controller",
    "statefulset-controller",
)
_AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "None", "verbs": ["get", "list", "watch"]}, {"level": "Request"}],
}
_START_SECONDS = 180


class ControlPlane:
    """etcd, kube-apiserver and kube-controller-manager; use it as a context manager or call start() and stop().

    Args:
        users: further users that authenticate by token: name -> groups. RBAC gives them nothing at first.
        controllers: the controllers of kube-controller-manager that run.
        crds: files with one CustomResourceDefinition each, served before the controllers start; the garbage collector
            would notice a later one only after up to 30 s.
        audit: writes every request that changes something to `audit_log`, one JSON object per line.
        fake_nodes: also runs kube-scheduler and KWOK; nodes with the annotation `kwok.x-k8s.io/node: fake` come alive.
        logs: the folder for the processes' logs; the default is inside the plane's own folder and goes with it.

    Attributes:
        url: `https://127.0.0.1:<port>`.
        token: the bearer token of `admin`.
        ca_file: PEM file that the API server's certificate verifies with.
        kubeconfig: path of the kubeconfig of `admin`.
    """

    def __init__(
        self,
        *,
        users: Mapping[str, Sequence[str]] | None = None,
        controllers: Sequence[str] = CONTROLLERS,
        crds: Sequence[Path] = (),
        audit: bool = False,
        fake_nodes: bool = False,
        logs: Path | None = None,
    ) -> None:
        self._users = {"admin": ("system:masters",), **(users or {})}
        self._tokens = {user: secrets.token_hex(16) for user in self._users}
        self._controllers = tuple(controllers)
        self._crds = tuple(crds)
        self._audit = audit
        self._fake_nodes = fake_nodes
        self._logs = logs
        self.token = self._tokens["admin"]

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> Self:
        """Starts the processes and waits until the API server answers and the default service account exists.

        Raises:
            StepFailedError: a program could not be built, ended early or was not ready in time.
        """
        self._bin = binaries.ensure("etcd", "kube-apiserver", "kube-controller-manager", "kubectl")
        require_commands({"openssl": "openssl"})
        sweep_leftovers("plane")
        self.folder = owned_folder("plane")
        self.logs = self._logs or self.folder / "logs"
        self.logs.mkdir(parents=True, exist_ok=True)
        self.audit_log = self.logs / "audit.jsonl"
        self._processes = ProcessGroup(self.logs)
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Stops every process, the API server's clients first, and removes the folder."""
        self._processes.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def crash_apiserver(self) -> None:
        """Kills the API server and starts it again at the same address; its data stays.

        Raises:
            StepFailedError: it was not ready in time.
        """
        self._processes.kill("kube-apiserver")
        self._start_apiserver(*self._ports)
        self._processes.wait_until("the API server", self._answers, _START_SECONDS)

    def slow_controllers(self) -> AbstractContextManager[None]:
        """Meanwhile, nobody acts on what the API server is told; controllers then see only the newest state."""
        return self._processes.paused("kube-controller-manager")

    def kubectl(self, *args: str, stdin: str = "", timeout: float = 180) -> str:
        """Runs kubectl as `admin` and returns what it prints.

        Raises:
            StepFailedError: kubectl failed; carries its message.
        """
        kubectl = self._bin / "kubectl"
        return capture([kubectl, "--kubeconfig", self.kubeconfig, *args], stdin=stdin.encode(), timeout=timeout)

    def may(self, account: str, namespace: str, verb: str, resource: str) -> bool:
        """Whether a service account (namespace:name) may do something in a namespace."""
        question = ("auth", "can-i", verb, resource, "-n", namespace, "--as", f"system:serviceaccount:{account}")
        try:
            return self.kubectl(*question).strip() == "yes"
        except CommandFailedError:
            return False

    def kubeconfig_for(self, user: str) -> Path:
        """The kubeconfig of one of the `users`, or of `admin`.

        Raises:
            LookupError: the control plane was not started with this user.
        """
        if user not in self._tokens:
            raise LookupError(f"user {user!r} is unknown; give it as ControlPlane(users={{{user!r}: [groups]}})")
        return self._write_kubeconfig(user, self._tokens[user])

    def kubeconfig_for_service_account(self, namespace: str, name: str) -> Path:
        """A kubeconfig with a fresh one-day token of an existing service account.

        Raises:
            StepFailedError: there is no such service account.
        """
        token = self.kubectl("create", "token", name, "--namespace", namespace, "--duration=24h").strip()
        return self._write_kubeconfig(f"{namespace}-{name}", token)

    def audit_events(self) -> Iterator[dict[str, Any]]:
        """The audit events so far, oldest first: every request but get, list and watch, with body and response code."""
        if not self._audit:
            raise LookupError("the control plane writes no audit log; start it with ControlPlane(audit=True)")
        if self.audit_log.exists():
            with self.audit_log.open() as lines:
                yield from (json.loads(line) for line in lines if line.endswith("\n"))

    def add_fake_node(self, name: str, capacity: Mapping[str, str], labels: Mapping[str, str] | None = None) -> None:
        """Creates a node that KWOK keeps Ready, with this capacity, such as `{"nvidia.com/gpu": "8", "cpu": "128"}`."""
        if not self._fake_nodes:
            raise LookupError(
                "no one would keep the node alive; start the control plane with ControlPlane(fake_nodes=True)"
            )
        resources = {"cpu": "128", "memory": "1Ti", "pods": "512", **capacity}
        node = {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {
                "name": name,
                "annotations": {"kwok.x-k8s.io/node": "fake"},
                "labels": {"kubernetes.io/hostname": name, "type": "kwok", **(labels or {})},
            },
            "status": {"capacity": resources, "allocatable": resources},
        }
        self.kubectl("apply", "-f", "-", stdin=json.dumps(node))

    def _start(self) -> None:
        etcd_port, peer_port, port = free_ports(3)
        self._ports = port, etcd_port
        self.url = f"https://127.0.0.1:{port}"
        self._make_certificate()
        self._start_etcd(etcd_port, peer_port)
        self._start_apiserver(*self._ports)
        self.kubeconfig = self.kubeconfig_for("admin")
        self._processes.wait_until("the API server", self._answers, _START_SECONDS)
        for crd in self._crds:
            self._install_crd(crd)
        self._start_controllers()
        self._processes.wait_until("the default service account", self._has_service_account, _START_SECONDS)

    def _make_certificate(self) -> None:
        """One self-signed certificate: the API server's, its own authority, and the key of service-account tokens."""
        self.ca_file, self._key = self.folder / "tls.crt", self.folder / "tls.key"
        capture(
            [
                *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
                *("-keyout", self._key, "-out", self.ca_file, "-days", "2", "-subj", "/CN=aifactory-test"),
                *("-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost,DNS:kubernetes.default.svc"),
                *("-addext", "basicConstraints=critical,CA:TRUE"),
                *("-addext", "keyUsage=critical,digitalSignature,keyCertSign"),
            ]
        )

    def _start_etcd(self, port: int, peer_port: int) -> None:
        client, peer = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{peer_port}"
        self._processes.start(
            self._bin / "etcd",
            f"--data-dir={self.folder / 'etcd'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--unsafe-no-fsync",
            "--log-level=warn",
        )

    def _start_apiserver(self, port: int, etcd_port: int) -> None:
        tokens = self.folder / "tokens.csv"
        tokens.write_text(
            "".join(
                f'{self._tokens[user]},{user},{user},"{",".join(groups)}"\n' for user, groups in self._users.items()
            )
        )
        tokens.chmod(0o600)
        self._processes.start(
            self._bin / "kube-apiserver",
            f"--etcd-servers=http://127.0.0.1:{etcd_port}",
            "--bind-address=127.0.0.1",
            f"--secure-port={port}",
            f"--tls-cert-file={self.ca_file}",
            f"--tls-private-key-file={self._key}",
            f"--token-auth-file={tokens}",
            "--authorization-mode=RBAC",
            "--service-cluster-ip-range=10.96.0.0/16",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={self.ca_file}",
            f"--service-account-signing-key-file={self._key}",
            "--endpoint-reconciler-type=none",
            "--allow-privileged",
            *self._audit_flags(),
        )

    def _audit_flags(self) -> list[str]:
        if not self._audit:
            return []
        policy = self.folder / "audit-policy.json"
        policy.write_text(json.dumps(_AUDIT_POLICY))
        return [f"--audit-policy-file={policy}", f"--audit-log-path={self.audit_log}", "--audit-log-format=json"]

    def _install_crd(self, crd: Path) -> None:
        self.kubectl("apply", "--server-side", "-f", str(crd))
        spec = yaml.safe_load(crd.read_text())["spec"]
        collection = f"/apis/{spec['group']}/{spec['versions'][0]['name']}/{spec['names']['plural']}"
        self._processes.wait_until(collection, lambda: self._serves(collection), _START_SECONDS)

    def _start_controllers(self) -> None:
        shared = [f"--kubeconfig={self.kubeconfig}", "--leader-elect=false"]
        self._processes.start(
            self._bin / "kube-controller-manager",
            *shared,
            f"--controllers={','.join(self._controllers)}",
            f"--service-account-private-key-file={self._key}",
            "--kube-api-qps=500",
            "--kube-api-burst=1000",
            "--secure-port=0",
        )
        if self._fake_nodes:
            binaries.ensure("kube-scheduler", "kwok")
            self._processes.start(self._bin / "kube-scheduler", *shared, "--secure-port=0")
            self._processes.start(
                self._bin / "kwok",
                f"--kubeconfig={self.kubeconfig}",
                f"--config={self._bin / 'kwok-stages.yaml'}",
                "--node-lease-duration-seconds=40",
                "--manage-all-nodes=false",
                "--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake",
            )

    def _answers(self) -> bool:
        return self._serves("/readyz")

    def _has_service_account(self) -> bool:
        return self._serves("/api/v1/namespaces/default/serviceaccounts/default")

    def _serves(self, path: str) -> bool:
        """Asked directly: kubectl takes longer to start than the API server to answer."""
        headers = {"Authorization": f"Bearer {self.token}"}
        try:
            return requests.get(self.url + path, headers=headers, verify=str(self.ca_file), timeout=10).ok
        except requests.RequestException:
            return False

    def _write_kubeconfig(self, user: str, token: str) -> Path:
        path = self.folder / f"kubeconfig-{user}"
        cluster = {"server": self.url, "certificate-authority": str(self.ca_file)}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "plane", "cluster": cluster}],
            "users": [{"name": user, "user": {"token": token}}],
            "contexts": [{"name": "plane", "context": {"cluster": "plane", "user": user}}],
            "current-context": "plane",
        }
        path.write_text(json.dumps(config, indent=2))
        path.chmod(0o600)
        return path
