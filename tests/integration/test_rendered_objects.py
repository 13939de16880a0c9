"""Rendered objects on a real API server: admitted by the restricted pod standard, stored as they were written."""

import json
from pathlib import Path

import pytest
import yaml
from aifactory.render.drift import holds

from tests.kind.controlplane import ControlPlane

RENDERED = sorted((Path(__file__).parents[1] / "golden" / "rendered").glob("*.yaml"))
# Objects of these kinds exist on clusters, not on a bare API server; pods that name one would be refused for that.
ELSEWHERE = ("priorityClassName", "runtimeClassName")


def children(path: Path, namespace: str) -> list[dict]:
    """Without their owner: there is none here, and Kubernetes would soon collect them."""
    found = [child for child in yaml.safe_load_all(path.read_text()) if child["kind"] != "PodMonitor"]
    for child in found:
        child["metadata"].pop("ownerReferences", None)
    return [child | {"metadata": child["metadata"] | {"namespace": namespace}} for child in found]


@pytest.mark.parametrize("path", RENDERED, ids=lambda path: path.stem)
def test_objects_are_stored_as_rendered(api: ControlPlane, namespace: str, path: Path):
    for child in children(path, namespace):
        apply = ("apply", "--server-side", "--field-manager=aifactory", "--output=json", "--filename=-")
        live = json.loads(api.kubectl(*apply, stdin=json.dumps(child)))
        assert holds(live, child), f"{child['kind']} would be written again and again"


@pytest.mark.parametrize("path", RENDERED, ids=lambda path: path.stem)
def test_pods_are_admitted_by_a_restricted_namespace(api: ControlPlane, namespace: str, path: Path):
    api.kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
    objects = {child["kind"]: child for child in children(path, namespace)}
    api.kubectl("apply", "--server-side", "--filename=-", stdin=json.dumps(objects["ServiceAccount"]))
    template = objects["Deployment"]["spec"]["template"]
    spec = {name: value for name, value in template["spec"].items() if name not in ELSEWHERE}
    metadata = template["metadata"] | {"name": "replica", "namespace": namespace}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
    assert "created" in api.kubectl("create", "--dry-run=server", "--filename=-", stdin=json.dumps(pod))
