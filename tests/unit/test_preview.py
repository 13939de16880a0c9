"""A plan in words: what would be added, changed and removed, and the GPUs that it takes."""

import copy
from typing import Any

from aifactory.api.inferenceservice import InferenceService
from aifactory.api.role import RoleName
from aifactory.api.status import ChangeStatus, PlanStatus
from aifactory.decide import plan
from aifactory.observed import Group, Observed, Workload
from aifactory.preview import preview
from aifactory.render import OPTIONAL

SERVERS = RoleName.MODEL_SERVER


def service(**spec: Any) -> InferenceService:
    runtime = {"engine": "vllm", **spec.pop("runtime", {})}
    manifest = {"metadata": {"name": "llama", "namespace": "chat", "uid": "uid-1"}}
    return InferenceService.model_validate({**manifest, "spec": {"model": {"name": "m"}, "runtime": runtime, **spec}})


def planned(observed: Observed, replicas: int = 2, served: tuple[str, ...] = (), **spec: Any) -> PlanStatus:
    wanted = service(**spec)
    return preview(
        wanted, observed, plan(wanted, observed, {SERVERS: replicas}, {}, served=served), {SERVERS: replicas}
    )


def cluster(replicas: int = 2, served: tuple[str, ...] = (), **spec: Any) -> Observed:
    """What the cluster holds after everything was applied."""
    applied = plan(service(**spec), Observed(), {SERVERS: replicas}, {}, served=served).apply
    children = {(child["kind"], child["metadata"]["name"]): copy.deepcopy(child) for child in applied}
    return Observed(children, {SERVERS: Group(Workload(replicas=replicas))})


def numbers(found: PlanStatus) -> tuple[tuple[int, int], tuple[int, int]]:
    return (found.replicas.from_, found.replicas.to), (found.gpus.from_, found.gpus.to)


def test_a_new_service_adds_all_its_children_and_takes_its_gpus() -> None:
    found = planned(Observed(), replicas=3, accelerator={"count": 2})
    assert {change.action for change in found.changes} == {"Add"}
    assert "Deployment/llama" in [change.object for change in found.changes]
    assert numbers(found) == ((0, 3), (0, 6))


def test_a_service_in_place_changes_nothing() -> None:
    found = planned(cluster())
    assert found.changes == []
    assert numbers(found) == ((2, 2), (2, 2))


def test_a_changed_field_is_shown_with_both_values_and_nothing_else_is() -> None:
    (change,) = planned(cluster(runtime={"image": "vllm:1"}), runtime={"image": "vllm:2"}).changes
    assert (change.action, change.object) == ("Change", "Deployment/llama")
    assert change.fields == ["spec.template.spec.containers[model-server].image: vllm:1 -> vllm:2"]


def test_a_changed_port_is_named_by_its_number_of_a_service_as_of_a_container() -> None:
    changes = {change.object: change.fields for change in planned(cluster(), runtime={"port": 9000}).changes}
    assert "spec.template.spec.containers[model-server].ports[9000]: none -> " in "".join(changes["Deployment/llama"])
    there = cluster()
    there.children["Service", "llama"]["spec"]["ports"][0]["targetPort"] = 1
    (change,) = planned(there).changes
    assert change.fields == ["spec.ports[80].targetPort: 1 -> http"]


def test_more_replicas_are_one_change_and_more_gpus() -> None:
    found = planned(cluster(replicas=2), replicas=5)
    assert found.changes == [ChangeStatus(action="Change", object="Deployment/llama", fields=["spec.replicas: 2 -> 5"])]
    assert numbers(found) == ((2, 5), (2, 5))


def test_gpus_are_counted_from_what_runs_now() -> None:
    assert numbers(planned(cluster(accelerator={"count": 4}), accelerator={"count": 8})) == ((2, 2), (8, 16))


def test_a_child_that_is_no_longer_wanted_is_removed() -> None:
    (change,) = planned(cluster(served=OPTIONAL)).changes
    assert (change.action, change.object, change.fields) == ("Remove", "PodMonitor/llama", [])


def test_a_field_that_was_taken_back_is_said_to_go() -> None:
    (change,) = planned(cluster(podTemplate={"schedulerName": "kai"})).changes
    assert change.fields == ["fields that are no longer asked for are removed"]


def test_a_value_that_would_break_the_line_or_steer_a_terminal_is_quoted() -> None:
    there = cluster(runtime={"image": "vllm:1"})
    there.children["Deployment", "llama"]["spec"]["template"]["spec"]["containers"][0]["image"] = "a\n\x1b[2Jb"
    (change,) = planned(there, runtime={"image": "vllm:1"}).changes
    assert change.fields == [r'spec.template.spec.containers[model-server].image: "a\n\u001b[2Jb" -> vllm:1']


def test_long_values_and_many_fields_are_cut() -> None:
    before = cluster(runtime={"env": [{"name": f"V{n}", "value": "a" * 500} for n in range(30)]})
    (change,) = planned(before, runtime={"env": [{"name": f"V{n}", "value": "b" * 500} for n in range(30)]}).changes
    assert len(change.fields) == 20
    assert all(len(field) <= 512 for field in change.fields)
