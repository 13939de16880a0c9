"""What is made of every sample, preset and golden case, on a real API server with every optional kind.

All is tried and nothing kept, so that no controller acts on it. Restricted pod security only warns of a Deployment: its
pods are tried by themselves.
"""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from aifactory.api import API_VERSION
from aifactory.api.inferenceservice import KIND, InferenceService
from aifactory.cluster.kinds import CHILDREN
from aifactory.manifest import read_documents
from aifactory.render import OPTIONAL, render
from aifactory.render.drift import holds

from tests.e2e.kube import KubeError, Object, path
from tests.kind.controlplane import ControlPlane

from .kube import Kube

ROOT = Path(__file__).parents[2]
FOLDERS = (ROOT / "tests" / "golden" / "cases", ROOT / "manifests" / "samples", ROOT / "manifests" / "presets")
FILES = [path for folder in FOLDERS for path in sorted(folder.glob("*.yaml"))]
# Objects of these kinds exist on clusters, not on a bare API server; pods that name one would be refused for that.
ELSEWHERE = ("priorityClassName", "runtimeClassName")

of_every_file = pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}-{file.stem}")


@pytest.fixture(scope="module")
def kube(complete_api: ControlPlane) -> Iterator[Kube]:
    """An administrator's connection."""
    kube = Kube(complete_api)
    yield kube
    kube.close()


def services(file: Path) -> list[Object]:
    """Golden cases leave out what they all have in common."""
    found = [document.data for document in read_documents(file.name, file.read_text())]
    common = {"apiVersion": API_VERSION, "kind": KIND}
    return [common | manifest for manifest in found if manifest.get("kind", KIND) == KIND]


@cache
def rendered(file: Path) -> list[Object]:
    """What becomes of all services of a file; offline, so that nothing has an owner that is not there."""
    read = [InferenceService.model_validate(manifest) for manifest in services(file)]
    native = [kind for kind in OPTIONAL if kind != "LeaderWorkerSet"]
    several = [one for one in read if one.spec.accelerator.nodes > 1]
    sets = [child for one in several for child in render(one, {}, served=native) if child["kind"] == "StatefulSet"]
    return [*(child for one in read for child in render(one, {}, served=OPTIONAL)), *sets]


def templates(file: Path) -> list[Object]:
    """Of all pods."""
    specs = [child["spec"] for child in rendered(file) if "spec" in child]
    groups = [spec["leaderWorkerTemplate"] for spec in specs if "leaderWorkerTemplate" in spec]
    found = [spec["template"] for spec in specs if "template" in spec]
    return [*found, *(group[name] for group in groups for name in ("leaderTemplate", "workerTemplate"))]


def placed(obj: Object, namespace: str) -> Object:
    return obj | {"metadata": obj["metadata"] | {"namespace": namespace}}


def tried(kube: Kube, plural: str, obj: Object) -> Object:
    """What the API server would store; it goes all the way but the last step."""
    where = path(obj["metadata"]["namespace"], plural, obj["metadata"]["name"])
    return kube.send("PATCH", f"{where}?fieldManager=test&dryRun=All", obj, "application/apply-patch+yaml")


@of_every_file
def test_services_are_accepted(kube: Kube, restricted: str, file: Path):
    for manifest in services(file):
        tried(kube, "inferenceservices", placed(manifest, restricted))


@of_every_file
def test_objects_are_stored_as_rendered(kube: Kube, restricted: str, file: Path):
    for child in rendered(file):
        wanted = placed(child, restricted)
        stored = tried(kube, CHILDREN[child["kind"]].plural, wanted)
        assert holds(stored, wanted), f"{child['kind']} would be written again and again"


def start_pods(kube: Kube, namespace: str, file: Path, **changed: Any) -> None:
    """Try a pod of every workload, with some fields of its spec changed."""
    objects = rendered(file)
    for account in (child for child in objects if child["kind"] == "ServiceAccount"):
        # Admission asks for it; unlike the pods it has to be there.
        kube.apply(path(namespace, "serviceaccounts", account["metadata"]["name"]), placed(account, namespace))
    for template in templates(file):
        spec = {name: value for name, value in template["spec"].items() if name not in ELSEWHERE} | changed
        pod: dict[str, Any] = {"metadata": template["metadata"] | {"name": "replica"}, "spec": spec}
        created = kube.send("POST", f"{path(namespace, 'pods')}?dryRun=All", pod)
        assert created["metadata"]["name"] == "replica"


@of_every_file
def test_pods_are_admitted_by_a_restricted_namespace(kube: Kube, restricted: str, file: Path):
    start_pods(kube, restricted, file)


def test_a_pod_that_is_not_restricted_would_be_noticed(kube: Kube, restricted: str):
    with pytest.raises(KubeError, match="violates PodSecurity"):
        start_pods(kube, restricted, FILES[0], hostNetwork=True)
