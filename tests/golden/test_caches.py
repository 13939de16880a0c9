"""What is rendered of every file of caches/cases/ is what was reviewed, and is safe to run."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from aifactory.api.download import Order
from aifactory.api.factory import NO_MIRRORS, AIFactory
from aifactory.api.modelcache import ModelCache
from aifactory.cache.children import OPTIONAL, render

HERE = Path(__file__).parent / "caches"
CASES = sorted((HERE / "cases").glob("*.yaml"))
UID = "3f2a9c1e-0b7d-4e6f-8a5b-9c0d1e2f3a4b"
SECRET_VARIABLES = {
    "HF_TOKEN",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "DOCKER_CONFIG_JSON",
    "NGC_API_KEY",
}


@pytest.fixture(params=CASES, ids=lambda path: path.stem)
def path(request: pytest.FixtureRequest) -> Path:
    found: Path = request.param
    return found


@pytest.fixture
def children(path: Path) -> list[dict[str, Any]]:
    manifest, *factories = yaml.safe_load_all(path.read_text())
    manifest["metadata"]["uid"] = UID
    mirrors = AIFactory.model_validate(factories[0]).spec.mirrors if factories else NO_MIRRORS
    return render(ModelCache.model_validate(manifest), "aifactory/operator:dev", served=OPTIONAL, mirrors=mirrors)


@pytest.fixture
def pod(children: list[dict[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = children[-1]["spec"]["template"]["spec"]
    return found


def containers(pod: dict[str, Any]) -> list[dict[str, Any]]:
    return [*pod["initContainers"], *pod["containers"]]


def test_children_are_as_reviewed(path: Path, children: list[dict[str, Any]], update_golden: bool) -> None:
    golden = HERE / "rendered" / path.name
    text = yaml.safe_dump_all(children, sort_keys=False, width=120)
    if update_golden:
        golden.write_text(text)
    assert golden.is_file(), "no golden file yet: run pytest tests/golden --update-golden and review it"
    assert text == golden.read_text(), "rendered objects changed: review with pytest tests/golden --update-golden"


def test_no_golden_file_is_left_over() -> None:
    assert {path.name for path in (HERE / "rendered").glob("*.yaml")} == {path.name for path in CASES}


def test_everything_goes_with_the_cache(children: list[dict[str, Any]]) -> None:
    for child in children:
        (owner,) = child["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["uid"], owner["controller"]) == ("ModelCache", UID, True)


def test_the_pod_is_restricted_and_can_ask_the_api_server_nothing(pod: dict[str, Any]) -> None:
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in containers(pod):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        }


def test_secrets_are_read_by_reference_only(pod: dict[str, Any]) -> None:
    for container in containers(pod):
        for variable in container.get("env", []):
            assert (variable["name"] in SECRET_VARIABLES) == ("secretKeyRef" in variable.get("valueFrom", {}))


def test_the_order_is_one_word_without_secrets_or_references(pod: dict[str, Any]) -> None:
    for container in containers(pod):
        assert "command" not in container, "no shell, and no other program than the image's own"
        _, step, _, order, _, _ = container["args"]
        assert step == container["name"]
        assert "$(" not in order, "the kubelet would fill it in"
        assert Order.model_validate_json(order).folder.startswith("copy-")
        assert "ecret" not in order


def test_names_are_dns_labels(children: list[dict[str, Any]]) -> None:
    for child in children:
        assert re.fullmatch(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?", child["metadata"]["name"])
