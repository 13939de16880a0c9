"""What builds on something waits until that is there, and nothing else does."""

from typing import Any

import pytest
from aifactory.api.inferenceservice import InferenceService
from aifactory.api.role import RoleName
from aifactory.render import OPTIONAL, render
from aifactory.render.needs import waits

SPEC = {
    "model": {"name": "meta/llama"},
    "runtime": {"engine": "llmd"},
    "expose": {"host": "chat.example.com", "ingress": {}},
}
SERVICE = InferenceService.model_validate(
    {"metadata": {"name": "llama", "namespace": "chat", "uid": "uid-1"}, "spec": SPEC}
)
CHILDREN = {
    f"{child['kind']} {child['metadata']['name']}": child
    for child in render(SERVICE, {RoleName.MODEL_SERVER: 2}, served=OPTIONAL, canary=1)
}


def waiting(lacking: str) -> set[str]:
    return {name for name, child in CHILDREN.items() if waits(child, [CHILDREN[lacking]])}


@pytest.mark.parametrize(
    ("lacking", "expected"),
    [
        ("Service llama", {"Deployment llama", "Ingress llama"}),
        ("ServiceAccount llama-server", {"Deployment llama", "Ingress llama"}),
        ("NetworkPolicy llama", {"Deployment llama", "Ingress llama"}),
        ("NetworkPolicy llama-canary", {"Deployment llama-canary"}),
        ("Role llama-epp", {"RoleBinding llama-epp", "Deployment llama-epp"}),
        ("ServiceAccount llama-epp-server", {"RoleBinding llama-epp", "Deployment llama-epp"}),
        ("PodDisruptionBudget llama", set()),
        ("PodMonitor llama", set()),
        ("Deployment llama", set()),
    ],
)
def test_what_waits_is_of_the_same_component(lacking: str, expected: set[str]) -> None:
    assert waiting(lacking) == expected


def test_nothing_waits_where_nothing_is_lacking() -> None:
    everything: list[dict[str, Any]] = list(CHILDREN.values())
    assert not any(waits(child, []) for child in everything)
