"""Until when replicas of several pods should have loaded, which no controller of theirs says."""

from typing import Any

import pytest
from aifactory.api.inferenceservice import InferenceService
from aifactory.api.role import RoleName
from aifactory.cluster.workloads import workload
from aifactory.observed import Pod
from aifactory.render.nodes import leader_worker_set, shared_service, stateful_sets
from aifactory.runtimes import roles

MIDNIGHT = 1767225600.0  # 2026-01-01T00:00:00Z
ALLOWED = 1200 + 600
GONE_AGAIN = Pod("llama-0-0", MIDNIGHT + 1300, replica="0")
SERVES = Pod("llama-1-0", 0.0, ready=True, ready_at=MIDNIGHT + 900, replica="1")
SERVES_LONG = Pod("llama-1-0", 0.0, ready=True, ready_at=MIDNIGHT - 900, replica="1")
LOADS = Pod("llama-0-0", MIDNIGHT - 60, replica="0", scheduled_at=MIDNIGHT)
(ROLE,) = roles(
    InferenceService.model_validate(
        {
            "metadata": {"name": "llama", "namespace": "chat", "uid": "uid-1"},
            "spec": {
                "model": {"name": "meta/llama"},
                "runtime": {"engine": "vllm", "startupTimeout": "20m"},
                "accelerator": {"nodes": 2},
            },
        }
    )
)


def due(*pods: Pod, **children: dict[str, Any]) -> float | None:
    every = {(child["kind"], child["metadata"]["name"]): child for child in children.values()}
    seen = workload("llama", RoleName.MODEL_SERVER, every, pods)
    assert seen is not None
    return seen.due_at


def groups(progressing: str) -> dict[str, Any]:
    """A LeaderWorkerSet that has been progressing since midnight, or was until then."""
    said = {"type": "Progressing", "status": progressing, "lastTransitionTime": "2026-01-01T00:00:00Z"}
    return leader_worker_set(ROLE, 2) | {"status": {"conditions": [said]}}


def sets() -> dict[str, dict[str, Any]]:
    """StatefulSets of two replicas."""
    every = (shared_service(ROLE, 2), *stateful_sets(ROLE, 0), *stateful_sets(ROLE, 1))
    return {child["kind"] + child["metadata"]["name"]: child for child in every}


@pytest.mark.parametrize(
    ("pods", "since"), [((GONE_AGAIN, SERVES_LONG), 0), ((GONE_AGAIN,), 0), ((GONE_AGAIN, SERVES), 900)]
)
def test_groups_are_given_as_long_as_a_deployment_from_when_the_last_one_served(
    pods: tuple[Pod, ...], since: float
) -> None:
    """Pods that are made anew each time that the model does not load do not begin again."""
    assert due(*pods, groups=groups("True")) == MIDNIGHT + since + ALLOWED


def test_groups_that_all_serve_are_not_waited_for() -> None:
    assert due(SERVES, groups=groups("False")) is None


@pytest.mark.parametrize(("pods", "since"), [((LOADS, SERVES_LONG), 0), ((LOADS,), 0), ((LOADS, SERVES), 900)])
def test_stateful_sets_are_given_as_long_as_a_deployment_from_when_the_last_one_got_its_node_or_served(
    pods: tuple[Pod, ...], since: float
) -> None:
    assert due(*pods, **sets()) == MIDNIGHT + since + ALLOWED


def test_stateful_sets_that_all_serve_are_not_waited_for() -> None:
    assert due(SERVES, **sets()) is None
