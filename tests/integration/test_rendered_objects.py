"""Rendered objects on a real API server: admitted by the restricted pod standard, stored as they were written."""

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


def apply(kube: Kube, child: Object) -> Object:
    metadata = child["metadata"]
    return kube.apply(path(metadata["namespace"], CHILDREN[child["kind"]].plural, metadata["name"]), child)


@pytest.mark.parametrize("golden", RENDERED, ids=lambda golden: golden.stem)
def test_objects_are_stored_as_rendered(kube: Kube, namespace: str, golden: Path):
    for child in children(golden, namespace):
        assert holds(apply(kube, child), child), f"{child['kind']} would be written again and again"


@pytest.mark.parametrize("golden", RENDERED, ids=lambda golden: golden.stem)
def test_pods_are_admitted_by_a_restricted_namespace(kube: Kube, namespace: str, golden: Path):
    restricted = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}
    kube.merge(f"/api/v1/namespaces/{namespace}", restricted)
    objects = {child["kind"]: child for child in children(golden, namespace)}
    apply(kube, objects["ServiceAccount"])
    template = objects["Deployment"]["spec"]["template"]
    spec = {name: value for name, value in template["spec"].items() if name not in ELSEWHERE}
    pod = {"metadata": template["metadata"] | {"name": "replica"}, "spec": spec}
    created = kube.send("POST", f"{path(namespace, 'pods')}?dryRun=All", pod)
    assert created["metadata"]["name"] == "replica"
