"""The kind cluster `aifactory`: one node whose simulated GPUs are really scheduled.

cluster = Cluster().up(gpus=8)
cluster.kubectl("apply", "-k", "manifests/")
"""

import json
import tempfile
import time
from pathlib import Path
from typing import Any, Self

from tests.kind import binaries, docker, images, node_image
from tests.kind.host import exclusive
from tests.kind.paths import FILES, KUBECONFIG, cache_dir
from tests.kind.progress import CommandFailedError, capture, note, run_step, step, succeeds

NAME = "aifactory"
NODE = f"{NAME}-control-plane"
GPU_RESOURCE = "nvidia.com/gpu"
GPU_PRODUCT = "NVIDIA-H100-80GB-HBM3"
DEFAULT_GPUS = 8

_OWN_NETWORK = {"disableDefaultCNI": True}
_CONTAINERD_PATCH = '[plugins."io.containerd.grpc.v1.cri"]\n  restrict_oom_score_adj = true\n'
_READY_SECONDS = 120


class Cluster:
    """The cluster and its kubeconfig. Any number of these objects speak of the same cluster.

    Attributes:
        kubeconfig: path of the administrator's kubeconfig, inside the checkout.
        node: the name of the node and of its Docker container.
    """

    def __init__(self, kubeconfig: Path = KUBECONFIG) -> None:
        self.kubeconfig = kubeconfig
        self.node = NODE

    def up(self, gpus: int | None = None) -> Self:
        """Makes sure that the cluster runs and its node offers `gpus` GPUs; does nothing when that is so already.

        Without `gpus` a node keeps what it offers, and a new one offers DEFAULT_GPUS.

        Raises:
            StepFailedError: a step failed; says which, why and what to do next.
        """
        with exclusive("cluster"):
            offered = self.offered_gpus()
            wanted = (offered or DEFAULT_GPUS) if gpus is None else gpus
            if offered == wanted and not self._outdated():
                note(f"Cluster {NAME} is up with {offered} GPUs")
                return self
            binaries.ensure("kind", "kubectl")
            docker.ensure_daemon()
            image = node_image.ensure()
            if not self._restarted():
                self._create(image)
            self._offer_gpus(wanted)
            self._wait_for_dns()
        return self

    def down(self, *, remove_images: bool = False) -> None:
        """Deletes the cluster, its network and its kubeconfig; stops the Docker daemon if this project started it.

        With `remove_images`, the images that this project built go too, so that the next `up` loads or builds them.
        """
        with exclusive("cluster"):
            if docker.installed():
                docker.ensure_daemon()
                if self.state():
                    self._delete()
                succeeds(["docker", "network", "rm", "kind"])  # refused while another kind cluster uses it
                if remove_images:
                    docker.remove_images()
                docker.stop_daemon()
            self.kubeconfig.unlink(missing_ok=True)
        note(f"Cluster {NAME} is gone")

    def offered_gpus(self) -> int | None:
        """How many GPUs the node offers, None while it is not Ready."""
        if not self.kubeconfig.exists() or binaries.missing("kubectl"):
            return None
        status = self._node().get("status", {})
        if not any(item["type"] == "Ready" and item["status"] == "True" for item in status.get("conditions", [])):
            return None
        return int(status["allocatable"].get(GPU_RESOURCE, 0))

    def state(self) -> str:
        """The state of the node's container, such as `running` or `exited`; empty when there is no cluster."""
        return _inspect("{{.State.Status}}")

    def load_images(self, *chosen: images.PythonImage) -> list[str]:
        """Builds and loads what changed among the named images (all when none is named); returns the new tags."""
        return images.ensure(*chosen, node=self.node)

    def kubectl(self, *args: str, stdin: str = "", timeout: float = 60) -> str:
        """Runs kubectl as the administrator and returns what it prints.

        Raises:
            StepFailedError: kubectl failed or did not end in `timeout` seconds; carries its message.
        """
        kubectl = binaries.folder() / "kubectl"
        return capture([kubectl, "--kubeconfig", self.kubeconfig, *args], stdin=stdin.encode(), timeout=timeout)

    def _create(self, image: str | None) -> None:
        if self.state():
            self._delete()
        self.kubeconfig.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=cache_dir(), suffix=".yaml") as config:
            config.write(_config(own_image=image is not None))
            config.flush()
            run_step(
                f"Create the kind cluster {NAME}",
                [
                    *(_kind(), "create", "cluster", "--name", NAME, "--config", config.name, "--wait", "120s"),
                    *("--kubeconfig", self.kubeconfig),
                    *(("--image", image) if image else ()),
                ],
                log_name="kind-create",
                about="30 s",
                hint=f"Look at the node with: docker logs {NODE}",
            )

    def _delete(self) -> None:
        run_step(
            f"Delete the kind cluster {NAME}",
            [_kind(), "delete", "cluster", "--name", NAME, "--kubeconfig", self.kubeconfig],
            log_name="kind-delete",
            hint=f"Try: docker rm -f {NODE}",
        )

    def _restarted(self) -> bool:
        """Brings back a cluster that is stopped or unknown to this checkout; False when it must be created."""
        if not self.state() or self._outdated():
            return False
        with step(f"Wake the kind cluster {NAME}", "20 s"):
            if self.state() != "running":
                capture(["docker", "start", NODE])
            self.kubeconfig.parent.mkdir(parents=True, exist_ok=True)
            deadline = time.monotonic() + _READY_SECONDS
            while time.monotonic() < deadline:
                if self._export_kubeconfig() and self._node_is_fresh():
                    return True
                time.sleep(0.5)
        return False

    def _export_kubeconfig(self) -> bool:
        return succeeds([_kind(), "export", "kubeconfig", "--name", NAME, "--kubeconfig", self.kubeconfig])

    def _node_is_fresh(self) -> bool:
        """Whether kubelet has reported Ready since the node's container started: before, what the API says is old."""
        started = _inspect("{{.State.StartedAt}}")
        return any(
            condition["type"] == "Ready"
            and condition["status"] == "True"
            and condition["lastHeartbeatTime"][:19] > started[:19]
            for condition in self._node().get("status", {}).get("conditions", [])
        )

    def _offer_gpus(self, count: int) -> None:
        """Advertises GPUs as extended resources in the node's status, which kubelet's own updates leave alone."""
        resources = {GPU_RESOURCE: str(count)}
        patch = json.dumps({"status": {"capacity": resources, "allocatable": resources}})
        self.kubectl("patch", "node", NODE, "--subresource=status", "--type=merge", f"--patch={patch}")
        self.kubectl("label", "node", NODE, "--overwrite", f"{GPU_RESOURCE}.product={GPU_PRODUCT}")
        note(f"Node {NODE} offers {count} x {GPU_RESOURCE} ({GPU_PRODUCT})")

    def _wait_for_dns(self) -> None:
        with step("Wait for cluster DNS", "10 s"):
            system = ("-n", "kube-system")
            self.kubectl(*system, "rollout", "status", "deployment/coredns", "--timeout=90s", timeout=100)
            pods = ("pod", "--selector=k8s-app=kube-dns")
            self.kubectl(*system, "wait", "--for=condition=Ready", *pods, "--timeout=90s", timeout=100)

    def _node(self) -> dict[str, Any]:
        try:
            node: dict[str, Any] = json.loads(self.kubectl("get", "node", NODE, "--output=json"))
        except CommandFailedError:
            return {}
        return node

    def _outdated(self) -> bool:
        image = _inspect("{{.Config.Image}}")
        return image.startswith("aifactory/node:") and image != node_image.tag()


def _inspect(template: str) -> str:
    try:
        return capture(["docker", "container", "inspect", "--format", template, NODE]).strip()
    except CommandFailedError:
        return ""


def _kind() -> Path:
    return binaries.ensure("kind") / "kind"


def _config(*, own_image: bool) -> str:
    """kind's configuration: files/kind.yaml and what our own image or a restricted host needs besides."""
    lines = [(FILES / "kind.yaml").read_text()]
    if own_image:
        lines.append(f"networking: {json.dumps(_OWN_NETWORK)}")
    if docker.lacks_sys_resource():
        lines.append(f"containerdConfigPatches: {json.dumps([_CONTAINERD_PATCH])}")
    return "\n".join(lines)
