"""The operator and Prometheus as a user installs them, but with everything that takes time made faster."""

import json
from pathlib import Path

import yaml

from tests.kind import images
from tests.kind.cluster import Cluster
from tests.kind.host import exclusive
from tests.kind.paths import ROOT

SCRAPE_SECONDS = 2
SETTINGS = {
    "AIFACTORY_TICK": "2",
    "AIFACTORY_METRICS_WINDOW": "16",
    "AIFACTORY_STATUS_INTERVAL": "4",
    "AIFACTORY_PROMETHEUS_TIMEOUT": "10",
    "AIFACTORY_LEASE_DURATION": "30",
    "AIFACTORY_DISCOVERY": "2",
}
GPU = "nvidia.com/gpu.shared"
"""The resource of time-sliced GPUs, which no other user of the cluster asks for: the demo may still be there."""
GPUS = 24
LEFTOVERS = ("namespace/e2e-", "namespace/aifactory-demo")
_FOLDER = ROOT / ".build" / "e2e"
_SYSTEM = "aifactory-system"


def install(cluster: Cluster, run: str) -> None:
    """Bring the cluster up and install what this checkout holds; the first process of the test run `run` does it."""
    with exclusive("e2e-install"):
        marker = _FOLDER / "run"
        if marker.exists() and marker.read_text() == run:
            return
        cluster.up()
        _remove_leftovers(cluster)
        _offer_gpus(cluster)
        cluster.load_images()
        _write_overlay(_FOLDER)
        cluster.kubectl("apply", "--server-side", "--force-conflicts", "-k", str(_FOLDER), timeout=120)
        for deployment in ("prometheus", "aifactory-operator"):
            cluster.kubectl(
                "-n", _SYSTEM, "rollout", "status", f"deployment/{deployment}", "--timeout=300s", timeout=310
            )
        marker.write_text(run)


def _remove_leftovers(cluster: Cluster) -> None:
    """Namespaces of a demo or of an earlier test run; some may be going by themselves just now."""
    names = cluster.kubectl("get", "namespaces", "--output=name").split()
    leftovers = [name for name in names if name.startswith(LEFTOVERS)]
    for name in leftovers:
        pods = ("delete", "pods", "--all", "--grace-period=1", "--timeout=300s")
        cluster.kubectl("-n", name.removeprefix("namespace/"), *pods, timeout=310)
    if leftovers:
        cluster.kubectl("delete", "--ignore-not-found", "--timeout=300s", *leftovers, timeout=310)


def _offer_gpus(cluster: Cluster) -> None:
    offered = {GPU: str(GPUS)}
    patch = json.dumps({"status": {"capacity": offered, "allocatable": offered}})
    cluster.kubectl("patch", "node", cluster.node, "--subresource=status", "--type=merge", f"--patch={patch}")


def _write_overlay(folder: Path) -> None:
    """A kustomization over the repository's manifests; pods restart when their image's content has changed."""
    folder.mkdir(parents=True, exist_ok=True)
    scrape = yaml.safe_load((ROOT / "manifests" / "prometheus" / "prometheus.yml").read_text())
    scrape["global"] = {"scrape_interval": f"{SCRAPE_SECONDS}s", "scrape_timeout": f"{SCRAPE_SECONDS}s"}
    (folder / "prometheus.yml").write_text(yaml.safe_dump(scrape))
    name, tag = images.PROMETHEUS.split(":")
    overlay = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": ["../../manifests", "../../manifests/prometheus", "../../manifests/dynamo"],
        "images": [{"name": "prom/prometheus", "newName": name, "newTag": tag}],
        "configMapGenerator": [
            {
                **_config_map("aifactory-operator-settings"),
                "literals": [f"{key}={value}" for key, value in SETTINGS.items()],
            },
            {**_config_map("prometheus"), "files": ["prometheus.yml"]},
        ],
        "patches": [{"target": {"kind": "Deployment", "name": "aifactory-operator"}, "patch": _image_content()}],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(overlay))


def _config_map(name: str) -> dict[str, object]:
    return {"name": name, "namespace": _SYSTEM, "behavior": "merge"}


def _image_content() -> str:
    annotations = {"tests.aifactory.dev/image-content": images.OPERATOR.key()}
    patch = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "aifactory-operator"},
        "spec": {"template": {"metadata": {"annotations": annotations}}},
    }
    return yaml.safe_dump(patch)
