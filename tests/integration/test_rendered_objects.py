"""Rendered objects on a real API server: admitted by the restricted pod standard, stored as they were written."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from aifactory.cluster.kinds import CHILDREN
from aifactory.render import OPTIONAL
from aifactory.render.drift import holds

from tests.e2e.kube import Object, path

from .kube import Kube

RENDERED = sorted((Path(__file__).parents[1] / "golden" / "rendered").glob("*.yaml"))
# Objects of these kinds exist on clusters, not on a bare API server; pods that name one would be refused for that.
ELSEWHERE = ("priorityClassName", "runtimeClassName")


def children(golden: Path, namespace: str) -> list[Object]:
    """Without their owner: there is none here, and Kubernetes would soon collect them."""
    found = [child for child in yaml.safe_load_all(golden.read_text()) if child["kind"] not in OPTIONAL]
    for child in found:
        child["metadata"].pop("ownerReferences", None)
    return [child | {"metadata": child["metadata"] | {"namespace": namespace}} for child in found]


@pytest.fixture(scope="module")
def restricted(kube: Kube) -> Iterator[str]:
    """A namespace that enforces the restricted pod standard."""
    name = f"restricted-{uuid.uuid4().hex[:8]}"
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    kube.send("POST", "/api/v1/namespaces", {"metadata": {"name": name, "labels": labels}})
    yield name
    kube.delete(f"/api/v1/namespaces/{name}")


def stored(kube: Kube, child: Object) -> Object:
    """What the API server would store; it goes all the way but the last step, so that no controller acts on it."""
    metadata = child["metadata"]
    where = path(metadata["namespace"], CHILDREN[child["kind"]].plural, metadata["name"])
    return kube.send("PATCH", f"{where}?fieldManager=test&dryRun=All", child, "application/apply-patch+yaml")


@pytest.mark.parametrize("golden", RENDERED, ids=lambda golden: golden.stem)
def test_objects_are_stored_as_rendered(kube: Kube, restricted: str, golden: Path):
    for child in children(golden, restricted):
        assert holds(stored(kube, child), child), f"{child['kind']} would be written again and again"


@pytest.mark.parametrize("golden", RENDERED, ids=lambda golden: golden.stem)
def test_pods_are_admitted_by_a_restricted_namespace(kube: Kube, restricted: str, golden: Path):
    objects = {child["kind"]: child for child in children(golden, restricted)}
    account = objects["ServiceAccount"]
    kube.apply(path(restricted, "serviceaccounts", account["metadata"]["name"]), account)
    template = objects["Deployment"]["spec"]["template"]
    spec = {name: value for name, value in template["spec"].items() if name not in ELSEWHERE}
    pod = {"metadata": template["metadata"] | {"name": "replica"}, "spec": spec}
    created = kube.send("POST", f"{path(restricted, 'pods')}?dryRun=All", pod)
    assert created["metadata"]["name"] == "replica"
