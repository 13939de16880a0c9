"""The writes that bring a cluster to what a service asks for: as few as possible, none when all is in place."""

import copy
from typing import Any

import pytest
from aifactory.api.engine import Engine
from aifactory.api.inferenceservice import InferenceService
from aifactory.api.role import RoleName
from aifactory.api.rollout import RolloutPhase
from aifactory.canary import Rollout, Split, Staged
from aifactory.decide import Plan, missing, plan
from aifactory.observed import Group, Observed, Pod, Workload
from aifactory.render import OPTIONAL

KINDS = ["Service", "ServiceAccount", "NetworkPolicy", "PodDisruptionBudget", "Deployment"]
SERVERS = RoleName.MODEL_SERVER


def service(**spec: Any) -> InferenceService:
    return InferenceService.model_validate(
        {
            "metadata": {"name": "llama", "namespace": "chat", "uid": "uid-1"},
            "spec": {"model": {"name": "meta/llama"}, "runtime": {"engine": "vllm"}, **spec},
        }
    )


def decide(
    observed: Observed, replicas: int = 2, served: tuple[str, ...] = (), in_flight: Any = None, **spec: Any
) -> Plan:
    return plan(service(**spec), observed, {SERVERS: replicas}, in_flight or {}, served=served)


def cluster(replicas: int = 2, pods: tuple[Pod, ...] = (), served: tuple[str, ...] = (), **spec: Any) -> Observed:
    """What the cluster holds after everything was applied."""
    applied = decide(Observed(), replicas, served, **spec).apply
    children = {(child["kind"], child["metadata"]["name"]): copy.deepcopy(child) for child in applied}
    return Observed(children, {SERVERS: Group(Workload(replicas=replicas), pods)})


def pods(*names: str, ready: bool = True) -> tuple[Pod, ...]:
    """Pods, each a minute younger than the one before."""
    return tuple(Pod(name, created_at=60.0 * age, ready=ready) for age, name in enumerate(names))


def test_a_new_service_gets_all_its_children():
    todo = decide(Observed())
    assert [child["kind"] for child in todo.apply] == KINDS
    assert todo.apply[-1]["spec"]["replicas"] == 2
    assert (todo.delete, todo.replicas, todo.deletion_costs) == ((), {}, {})


def test_what_is_missing_are_children_that_do_not_come_with_replicas():
    there = cluster()
    assert missing(service(), there, decide(there)) == ()
    for kind in ("Service", "PodDisruptionBudget"):
        del there.children[kind, "llama"]
    changed = decide(there, runtime={"engine": "vllm", "image": "other:1"})
    assert missing(service(), there, changed) == ("Service/llama", "PodDisruptionBudget/llama")
    asked = service(rollout={"canary": {}}, runtime={"engine": "vllm", "image": "other:1"})
    tried = Staged(Split(stable=2, canary=1), Rollout(RolloutPhase.PROGRESSING, "0123"))
    todo = plan(asked, there, {SERVERS: 3}, {}, served=(), staged=tried)
    assert "NetworkPolicy/llama-canary" in {f"{child['kind']}/{child['metadata']['name']}" for child in todo.apply}
    assert missing(asked, there, todo) == ("Service/llama", "PodDisruptionBudget/llama")


def test_a_cluster_with_prometheus_operator_gets_a_pod_monitor_too():
    assert decide(Observed(), served=OPTIONAL).apply[-1]["kind"] == "PodMonitor"


def test_pod_monitors_are_labelled_as_the_prometheus_selects_them():
    def monitor(**labels: str) -> Any:
        return plan(service(), Observed(), {}, {}, served=OPTIONAL, monitor_labels=labels).apply[-1]["metadata"]

    labelled, plain = monitor(release="prometheus", **{"aifactory.dev/role": "mine"}), monitor()
    assert labelled["labels"] == {"release": "prometheus", **plain["labels"]}
    assert labelled["annotations"] == plain["annotations"]


def test_who_does_not_know_of_labels_of_pod_monitors_finds_no_difference():
    applied = plan(service(), Observed(), {SERVERS: 2}, {}, served=OPTIONAL, monitor_labels={"release": "a"}).apply
    children = {(child["kind"], child["metadata"]["name"]): copy.deepcopy(child) for child in applied}
    there = Observed(children, {SERVERS: Group(Workload(replicas=2))})
    assert decide(there, served=OPTIONAL) == Plan()


def test_an_endpoint_picker_that_somebody_scales_is_scaled_back():
    llmd = {"runtime": {"engine": "llmd"}}
    there = cluster(served=("InferencePool",), **llmd)
    assert decide(there, served=("InferencePool",), **llmd) == Plan()
    there.children["Deployment", "llama-epp"]["spec"]["replicas"] = 0
    (repair,) = decide(there, served=("InferencePool",), **llmd).apply
    assert (repair["metadata"]["name"], repair["spec"]["replicas"]) == ("llama-epp", 1)


def test_a_service_in_place_is_not_written_again():
    assert decide(cluster()) == Plan()


def test_a_change_of_replicas_alone_writes_only_the_number():
    assert decide(cluster(replicas=2), replicas=5) == Plan(replicas={("Deployment", "llama"): 5})


def test_an_edited_child_is_applied_and_no_other():
    observed = cluster()
    observed.children["Service", "llama"]["spec"]["ports"][0]["port"] = 8080
    todo = decide(observed)
    assert [child["kind"] for child in todo.apply] == ["Service"]
    assert todo.replicas == {}


@pytest.mark.parametrize("kind", KINDS)
def test_a_deleted_child_comes_back(kind):
    observed = cluster()
    (gone,) = [child_id for child_id in observed.children if child_id[0] == kind]
    del observed.children[gone]
    assert [child["kind"] for child in decide(observed).apply] == [kind]


def test_a_changed_spec_applies_the_deployment_with_the_replicas_there_are():
    todo = decide(cluster(replicas=7), replicas=7, runtime={"engine": "vllm", "args": ["--max-model-len", "8192"]})
    assert [child["kind"] for child in todo.apply] == ["Deployment"]
    assert todo.apply[0]["spec"]["replicas"] == 7
    assert todo.replicas == {}


def test_every_engine_has_a_plan_with_all_kinds_that_a_cluster_can_have():
    for engine in Engine:
        image = {"image": "example.com/server"} if engine is Engine.CUSTOM else {}
        metrics = {"metrics": {"running": "r", "waiting": "w"}} if engine is Engine.CUSTOM else {}
        source = {"source": {"image": {}}} if engine is Engine.TRITON else {}
        spec = {"model": {"name": "llama", **source}, "runtime": {"engine": engine, **image, **metrics}}
        assert decide(cluster(served=OPTIONAL, **spec), served=OPTIONAL, **spec) == Plan()


def test_a_child_that_is_no_longer_wanted_is_deleted():
    todo = decide(cluster(served=OPTIONAL), served=())
    assert [child["kind"] for child in todo.delete] == ["PodMonitor"]
    assert todo.apply == ()


def leaving(todo: Plan) -> list[str]:
    """The pods that leave, the first one first."""
    return sorted(todo.deletion_costs, key=todo.deletion_costs.__getitem__)


def test_the_idlest_pods_leave_first():
    observed = cluster(4, pods("a", "b", "c", "d"))
    busy = {"a": 9.0, "b": 1.0, "c": 4.0, "d": 0.0}
    assert leaving(decide(observed, replicas=2, in_flight=busy)) == ["d", "b"]


def test_of_equally_busy_pods_the_youngest_leaves_first():
    observed = cluster(3, pods("old", "middle", "young"))
    assert leaving(decide(observed, replicas=1, in_flight=dict.fromkeys(("old", "middle", "young"), 2.0))) == [
        "young",
        "middle",
    ]


def test_a_pod_without_readings_counts_as_busy():
    observed = cluster(3, pods("silent", "a", "b"))
    assert leaving(decide(observed, replicas=1, in_flight={"a": 5.0, "b": 7.0})) == ["a", "b"]


def test_pods_that_leave_are_cheaper_than_any_pod_that_stays():
    observed = cluster(2, pods("a", "b"))
    assert all(cost < 0 for cost in decide(observed, replicas=1).deletion_costs.values())


def test_pods_that_do_not_serve_leave_before_any_other_and_need_no_mark():
    observed = cluster(4, pods("a", "b") + pods("c", "d", ready=False))
    assert decide(observed, replicas=2).deletion_costs == {}
    assert leaving(decide(observed, replicas=1, in_flight={"a": 0.0, "b": 3.0})) == ["a"]


def test_pods_that_already_leave_are_not_chosen():
    gone = Pod("gone", created_at=0.0, ready=True, terminating=True)
    observed = cluster(2, (gone, *pods("a", "b")))
    assert leaving(decide(observed, replicas=1, in_flight={"gone": 0.0, "a": 1.0, "b": 2.0})) == ["a"]


@pytest.mark.parametrize("replicas", [2, 3])
def test_nothing_is_marked_when_nothing_leaves(replicas):
    assert decide(cluster(2, pods("a", "b")), replicas).deletion_costs == {}


def test_scaling_to_zero_marks_every_pod():
    assert set(decide(cluster(2, pods("a", "b")), 0).deletion_costs) == {"a", "b"}
