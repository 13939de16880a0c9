"""The writes that bring replicas of several pods to what a service asks for."""

import copy
from dataclasses import replace
from typing import Any

import pytest
from aifactory.api.inferenceservice import InferenceService
from aifactory.api.role import RoleName
from aifactory.cluster.workloads import workload
from aifactory.decide import Plan, plan
from aifactory.observed import Group, Observed, Pod
from aifactory.preview import preview
from aifactory.several import UNSEEN_SECONDS
from aifactory.together import DEADLOCK_SECONDS, folded

SERVERS = RoleName.MODEL_SERVER
GROUPS = ("LeaderWorkerSet",)
LACK = "0/9 nodes are available: 9 Insufficient nvidia.com/gpu."


def service(nodes: int = 2, **spec: Any) -> InferenceService:
    accelerator = {"count": 4, "nodes": nodes, **spec.pop("accelerator", {})}
    base = {"model": {"name": "meta/llama"}, "runtime": {"engine": "vllm"}, "accelerator": accelerator, **spec}
    metadata = {"name": "llama", "namespace": "chat", "uid": "uid-1"}
    return InferenceService.model_validate({"metadata": metadata, "spec": base})


def decide(owner: InferenceService, observed: Observed, replicas: int = 2, **options: Any) -> Plan:
    in_flight, served = options.pop("in_flight", {}), options.pop("served", ())
    return plan(owner, observed, {SERVERS: replicas}, in_flight, served=served, **options)


def applied(observed: Observed, todo: Plan, *members: Pod) -> Observed:
    """What the cluster holds once a plan was carried out and has these pods."""
    children = {(child["kind"], child["metadata"]["name"]): copy.deepcopy(child) for child in todo.apply}
    gone = {(child["kind"], child["metadata"]["name"]) for child in todo.delete}
    kept = {child_id: child for child_id, child in observed.children.items() if child_id not in gone} | children
    pods = folded(members)
    grouped = tuple(pod for pod in members if pod.grouped)
    return Observed(kept, {SERVERS: Group(workload("llama", SERVERS, kept, pods), pods, grouped)})


def member(replica: int, rank: int, **fields: Any) -> Pod:
    name = f"llama-{replica}-0" if rank == 0 else f"llama-{replica}-workers-{rank}"
    made = Pod(name, 100.0, ready=True, replica=str(replica), nodes=2, leader=rank == 0, uid=name, began_at=110.0)
    return replace(made, scheduled=True, **fields)


def pairs(*replicas: int, **fields: Any) -> tuple[Pod, ...]:
    return tuple(member(replica, rank, **fields) for replica in replicas for rank in (0, 1))


def serving(owner: InferenceService, *replicas: int) -> Observed:
    """A service whose replicas of these numbers serve."""
    return applied(Observed(), decide(owner, Observed(), len(replicas)), *pairs(*replicas))


def names(children: Any, kind: str = "StatefulSet") -> set[str]:
    return {child["metadata"]["name"] for child in children if child["kind"] == kind}


def test_each_replica_is_two_stateful_sets_and_all_share_a_service() -> None:
    todo = decide(service(), Observed())
    assert names(todo.apply) == {"llama-0", "llama-0-workers", "llama-1", "llama-1-workers"}
    assert names(todo.apply, "Service") == {"llama", "llama-nodes"}
    assert names(todo.apply, "Deployment") == set()


def test_where_groups_are_served_one_object_keeps_all_replicas() -> None:
    todo = decide(service(), Observed(), served=GROUPS)
    assert names(todo.apply, "LeaderWorkerSet") == {"llama-nodes"}
    assert names(todo.apply) == set()
    assert names(todo.apply, "Service") == {"llama"}, "LeaderWorkerSet makes the one of its own name"


@pytest.mark.parametrize("served", [(), GROUPS])
def test_what_is_in_place_is_not_written_again(served: tuple[str, ...]) -> None:
    there = applied(Observed(), decide(service(), Observed(), served=served), *pairs(0, 1))
    assert decide(service(), there, served=served) == Plan()


def test_replicas_stay_what_they_are_when_groups_are_served_later() -> None:
    assert decide(service(), serving(service(), 0, 1), served=GROUPS) == Plan()


def test_groups_are_resized_by_their_number_alone() -> None:
    there = applied(Observed(), decide(service(), Observed(), served=GROUPS), *pairs(0, 1))
    assert decide(service(), there, 3, served=GROUPS) == Plan(replicas={("LeaderWorkerSet", "llama-nodes"): 3})


def test_the_idlest_replica_leaves_as_a_whole() -> None:
    todo = decide(service(), serving(service(), 0, 1), 1, in_flight={"llama-0-0": 1.0, "llama-1-0": 5.0})
    assert names(todo.delete) == {"llama-0", "llama-0-workers"}
    assert names(todo.apply) == set()


def test_a_new_replica_does_not_wait_for_the_names_of_pods_that_still_leave() -> None:
    leaving = pairs(0, terminating=True, left_at=300.0)
    there = applied(Observed(), decide(service(), Observed(), 0), *leaving)
    assert names(decide(service(), there, 1).apply) == {"llama-1", "llama-1-workers"}


def test_the_number_of_replicas_outlives_a_rollout() -> None:
    """It is that of the shared Service: during a rollout there are more replicas than are wanted."""
    newer = service(runtime={"engine": "vllm", "maxSequences": 8})
    rolling = applied(there := serving(service(), 0, 1), decide(newer, there), *pairs(0, 1))
    workload = rolling.group(SERVERS).workload
    assert workload is not None
    assert (workload.replicas, workload.total, workload.updated, workload.available) == (2, 3, 1, 2)
    assert workload.rolling_out


def test_a_new_spec_makes_new_replicas_and_leaves_those_that_serve_alone() -> None:
    newer = service(runtime={"engine": "vllm", "maxSequences": 8})
    todo = decide(newer, serving(service(), 0, 1))
    assert names(todo.apply) == {"llama-2", "llama-2-workers"}
    assert names(todo.delete) == set()


def test_a_lost_half_of_a_replica_is_made_again() -> None:
    there = serving(service(), 0)
    del there.children["StatefulSet", "llama-0-workers"]
    assert names(decide(service(), there, 1).apply) == {"llama-0-workers"}


@pytest.mark.parametrize("changed", [{}, {"aifactory.dev/replica": "last"}])
def test_a_replica_whose_label_somebody_changed_is_put_right_and_not_replaced(changed: dict[str, str]) -> None:
    there = serving(service(), 0, 1)
    own = there.children["StatefulSet", "llama-0"]["metadata"]["labels"]
    del own["aifactory.dev/replica"]
    own |= changed
    todo = decide(service(), there)
    assert (names(todo.apply), todo.delete) == ({"llama-0"}, ())


def test_a_number_of_replicas_that_somebody_made_unreadable_is_that_of_those_there() -> None:
    there = serving(service(), 0, 1)
    there.children["Service", "llama-nodes"]["metadata"]["annotations"]["aifactory.dev/replicas"] = "many"
    seen = applied(there, Plan(), *pairs(0, 1)).group(SERVERS).workload
    assert seen is not None
    assert seen.replicas == 2


def test_a_single_pod_serves_until_the_pair_does() -> None:
    single = applied(Observed(), decide(service(1), Observed(), 1), Pod("llama-x", 50.0, ready=True))
    todo = decide(service(), single, 1)
    assert names(todo.apply) == {"llama-0", "llama-0-workers"}
    assert todo.delete == ()
    both = applied(single, todo, Pod("llama-x", 50.0, ready=True), *pairs(0))
    assert names(decide(service(), both, 1).delete, "Deployment") == {"llama"}


def test_a_pair_serves_until_the_single_pod_does() -> None:
    pair = serving(service(), 0)
    todo = decide(service(1), pair, 1)
    assert names(todo.apply, "Deployment") == {"llama"}
    assert todo.delete == ()
    both = applied(pair, todo, Pod("llama-x", 150.0, ready=True), *pairs(0))
    gone = decide(service(1), both, 1).delete
    assert names(gone) == {"llama-0", "llama-0-workers"}
    assert (names(gone, "Service"), names(gone, "NetworkPolicy")) == ({"llama-nodes"}, {"llama-nodes"})


def test_without_room_for_both_and_with_leave_to_be_missing_the_single_pod_goes_first() -> None:
    rollout = {"maxSurge": 0, "maxUnavailable": 1}
    single = applied(Observed(), decide(service(1, rollout=rollout), Observed(), 1), Pod("llama-x", 50.0, ready=True))
    assert names(decide(service(rollout=rollout), single, 1).delete, "Deployment") == {"llama"}


def test_when_one_pod_fails_the_others_of_its_replica_start_anew() -> None:
    pods = (member(0, 0), member(0, 1, ended_at=200.0, began_at=201.0), *pairs(1))
    there = applied(Observed(), decide(service(), Observed()), *pods)
    assert decide(service(), there).restart == {"llama-0-0": "llama-0-0"}


def test_leader_worker_set_restarts_a_replica_unless_it_did_not_see_it_fail() -> None:
    pods = (member(0, 0), member(0, 1, ended_at=200.0, began_at=201.0), *pairs(1))
    there = applied(Observed(), decide(service(), Observed(), served=GROUPS), *pods)
    unseen = 200.0 + UNSEEN_SECONDS
    assert decide(service(), there, served=GROUPS, now=unseen - 1).restart == {}
    assert decide(service(), there, served=GROUPS, now=unseen).restart == {"llama-0-0": "llama-0-0"}


def test_workers_of_a_leader_that_drains_for_long_stay_as_long_as_it_does() -> None:
    draining = (member(0, 0, terminating=True, left_at=200.0), member(0, 1), *pairs(1))
    there = applied(Observed(), decide(service(), Observed(), served=GROUPS), *draining)
    assert decide(service(), there, served=GROUPS, now=200.0 + 10 * UNSEEN_SECONDS).restart == {}


def halfway(replica: int) -> tuple[Pod, ...]:
    waits = {"ready": False, "unschedulable_since": 100.0, "unschedulable_message": LACK}
    return member(replica, 0, ready=False), replace(member(replica, 1, **waits), scheduled=False, began_at=None)


def test_of_two_replicas_that_hold_each_others_gpus_one_lets_go() -> None:
    there = applied(Observed(), decide(service(), Observed()), *halfway(0), *halfway(1))
    patience = 100.0 + DEADLOCK_SECONDS
    assert decide(service(), there, now=patience).restart == {}
    assert decide(service(), there, now=patience + 1).restart == {"llama-1-0": "llama-1-0"}
    alone = applied(Observed(), decide(service(), Observed(), 1), *halfway(0))
    assert decide(service(), alone, 1, now=patience + 1).restart == {}


def test_a_replica_that_began_in_a_domain_without_room_tries_another() -> None:
    racked = service(accelerator={"topology": {"key": "rack"}})
    alone = applied(Observed(), decide(racked, Observed(), 1), *halfway(0))
    assert decide(racked, alone, 1, now=101.0 + DEADLOCK_SECONDS).restart == {"llama-0-0": "llama-0-0"}


@pytest.mark.parametrize("served", [(), GROUPS])
def test_a_preview_counts_the_gpus_of_all_pods(served: tuple[str, ...]) -> None:
    there = applied(Observed(), decide(service(), Observed(), served=served), *pairs(0, 1))
    seen = preview(service(), there, decide(service(), there, 3, served=served), {SERVERS: 3})
    assert ((seen.gpus.from_, seen.gpus.to), (seen.replicas.from_, seen.replicas.to)) == ((16, 24), (2, 3))


def test_a_preview_of_many_replicas_fits_into_a_status() -> None:
    seen = preview(service(), Observed(), decide(service(), Observed(), 40), {SERVERS: 40})
    assert len(seen.changes) == 16
    assert seen.changes[-1].object.endswith(" more")
    assert len(seen.changes[-1].fields) == 20
