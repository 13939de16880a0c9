"""What is decided for each role of a service."""

from typing import Any

import pytest
from aifactory.api.inferenceservice import InferenceService
from aifactory.api.role import RoleName
from aifactory.api.status import InferenceServiceStatus, ReplicasStatus
from aifactory.autoscale.decision import Decision, DecisionReason
from aifactory.autoscale.memory import Memory
from aifactory.controller.known import Known
from aifactory.observed import Group, Observed, Pod, Workload
from aifactory.runtimes.dynamo import DISCOVERY
from aifactory.signals.objectives import Signal
from aifactory.signals.snapshot import Snapshot

OBJECTIVES = {
    "timeToFirstToken": {"target": "500ms"},
    "interTokenLatency": {"target": "50ms"},
    "endToEndLatency": {"target": "10s"},
    "throughput": {"tokensPerSecond": 1000},
}


def known(engine: str, **spec: Any) -> Known:
    manifest = {
        "metadata": {"name": "chat", "namespace": "prod"},
        "spec": {
            "model": {"name": "served"},
            "runtime": {"engine": engine},
            "slo": {"objectives": OBJECTIVES},
            **spec,
        },
    }
    return Known(InferenceService.model_validate(manifest))


def followed(service: Known) -> dict[RoleName, set[str]]:
    return {one.role.name: {objective.signal.value for objective in one.objectives} for one in service.roles}


def test_each_part_of_a_split_service_follows_its_own_objectives() -> None:
    assert followed(known("dynamo", topology={"disaggregated": {}})) == {
        RoleName.FRONTEND: set(OBJECTIVES),
        RoleName.PREFILL: {"timeToFirstToken"},
        RoleName.DECODE: {"interTokenLatency", "endToEndLatency", "throughput"},
    }


def test_a_whole_service_follows_all_of_them() -> None:
    assert followed(known("vllm"))[RoleName.MODEL_SERVER] == set(OBJECTIVES)
    assert followed(known("dynamo"))[RoleName.MODEL_SERVER] == set(OBJECTIVES)


def test_how_long_completed_requests_took_is_read_of_an_offline_service() -> None:
    offline = known("vllm", slo={"workload": "offline"})
    assert followed(offline)[RoleName.MODEL_SERVER] == set()
    assert {one.signal for one in offline.objectives} == {Signal.E2E}
    split = known("dynamo", topology={"disaggregated": {}}, slo={"workload": "offline"})
    assert {one.signal for one in split.objectives} == {Signal.E2E}


def test_only_pods_that_look_for_each_other_need_a_kind_for_it() -> None:
    assert known("vllm").lacking(()) is None
    assert known("dynamo").lacking((DISCOVERY.kind,)) is None
    lacking = known("dynamo").lacking(())
    assert lacking is not None
    assert DISCOVERY.kind in lacking.message
    assert "manifests/dynamo" in lacking.message


SERVING = Pod("chat-1", 0.0, ready=True)
SLEEPS = {"scaling": {"minReplicas": 0, "maxReplicas": 4}}


def woken(replicas: int, **spec: Any) -> int:
    """Replicas after a request came."""
    service = known("vllm", **(spec or SLEEPS))
    observed = Observed({}, {RoleName.MODEL_SERVER: Group(Workload(replicas=replicas))})
    service.activate(observed)
    return service.replicas(observed, 0.0)[RoleName.MODEL_SERVER]


def test_a_request_wakes_a_sleeping_service_whatever_signals_say() -> None:
    assert woken(0) == 1


@pytest.mark.parametrize(("available", "pods"), [(1, (SERVING,)), (0, (SERVING,)), (1, ())])
def test_a_request_waits_for_the_last_replica_of_before_to_be_gone(available: int, pods: tuple[Pod, ...]) -> None:
    service = known("vllm", **SLEEPS)
    observed = Observed({}, {RoleName.MODEL_SERVER: Group(Workload(replicas=0, available=available), pods)})
    assert not service.activate(observed)
    assert service.roles[0].decision is None


def test_a_request_changes_nothing_of_a_service_that_is_awake_or_not_to_be_scaled() -> None:
    assert woken(3) == 3
    assert woken(0, **SLEEPS, mode="Paused") == 0
    assert woken(0, scaling={**SLEEPS["scaling"], "mode": "Recommend"}) == 0


def test_a_replica_that_was_asked_for_by_a_request_is_nobody_elses_change() -> None:
    service = known("vllm", **SLEEPS)
    observed = Observed({}, {RoleName.MODEL_SERVER: Group(Workload(replicas=0))})
    service.activate(observed)
    (one,) = service.roles
    assert one.decision is not None
    assert one.memory.asked == one.decision.to


def test_the_template_in_force_is_remembered_until_the_controller_has_seen_another_and_across_edits() -> None:
    service = known("vllm")

    def settled(generation: int, template: str) -> str:
        workload = Workload(1, generation=generation, observed_generation=generation - 1, template=template)
        service.settle(Observed({}, {RoleName.MODEL_SERVER: Group(workload)}))
        service.follow(known("vllm", replicas=2).service)
        return service.roles[0].facts(Group(workload)).template

    assert settled(1, "one") == "one", "a new workload has no earlier template"
    assert settled(2, "two") == "one"


LEARNED = Memory(base={Signal.TTFT: 0.123}).learned()


def test_a_restarted_operator_knows_what_the_one_before_it_learned() -> None:
    service = known("vllm", scaling={"maxReplicas": 4})
    stored = {name: str(value) for name, value in LEARNED.items()} | {"base.nothing": "1", "bad": "x"}
    service.status = InferenceServiceStatus.of({"status": {"scaling": {"learned": stored}}})
    service.recall(now=0.0)
    assert service.roles[0].memory.learned() == LEARNED


def test_each_role_recalls_its_own() -> None:
    split = {"prefill": {"scaling": {"maxReplicas": 6}}, "decode": {"scaling": {"maxReplicas": 8}}}
    service = known("dynamo", topology={"disaggregated": split})
    scaling = {"learned": {name: str(value) for name, value in LEARNED.items()}}
    role = {"name": "decode", "replicas": {}, "resolved": {"image": "i", "metricsPath": "/"}, "scaling": scaling}
    service.status = InferenceServiceStatus.of({"status": {"roles": [role]}})
    service.recall(now=0.0)
    assert {one.role.name: one.memory.learned() for one in service.roles} == {
        RoleName.FRONTEND: {},
        RoleName.PREFILL: {},
        RoleName.DECODE: LEARNED,
    }


@pytest.mark.parametrize("since", ["soon", "2026-02-30T00:00:00Z", "0001-01-01T00:00:00"])
def test_a_canary_since_a_time_that_cannot_be_read_is_none(since: str) -> None:
    """What the next tick reads is asked of all services at once."""
    service = known("vllm")
    rollout = {"phase": "Progressing", "template": "t", "step": 1, "since": since}
    service.status = InferenceServiceStatus.of({"status": {"rollout": rollout}})
    assert service.measured_since is None


def deployment(replicas: int) -> Observed:
    return Observed({}, {RoleName.MODEL_SERVER: Group(Workload(replicas=replicas))})


def asked_for(*seen: int) -> list[int]:
    """Replicas after each of these was seen in the Deployment, of a service for which 3 were decided."""
    service = known("vllm", scaling={"minReplicas": 2, "maxReplicas": 6})
    service.roles[0].decision = Decision(2, 3, DecisionReason.SCALE_UP, "")
    found = []
    for count in seen:
        observed = deployment(count)
        wanted = service.replicas(observed, 0.0)
        found.append(wanted[RoleName.MODEL_SERVER])
        service.left(observed, wanted)
    return found


def test_replicas_that_were_decided_are_asked_for_until_they_are_there() -> None:
    assert asked_for(2, 2, 3, 3) == [3, 3, 3, 3]


def test_a_decision_that_begins_with_replicas_of_somebody_else_is_carried_out() -> None:
    service = known("vllm", scaling={"minReplicas": 7, "maxReplicas": 9})
    (one,) = service.roles
    one.left = 3
    observed = deployment(5)
    service.decide(Snapshot(10.0, 60.0), observed, 10.0)
    assert service.replicas(observed, 10.0)[RoleName.MODEL_SERVER] == 7
    assert one.decision is not None


def test_replicas_of_somebody_else_are_left_alone_within_the_bounds() -> None:
    assert asked_for(3, 5, 5) == [3, 5, 5]
    assert asked_for(3, 9, 9) == [3, 6, 6]
    assert asked_for(3, 1, 1) == [3, 2, 2]


def beside_canary(mode: str, *added: int) -> list[int]:
    """Replicas after somebody added these to the Deployment while a canary of one replica serves beside three."""
    service = known("vllm", scaling={"minReplicas": 2, "maxReplicas": 6, "mode": mode})
    service.status = InferenceServiceStatus(replicas=ReplicasStatus(desired=4))
    stable, found = 3, []
    for more in (0, *added):
        stable += more
        service.follow(service.service)
        observed = Observed({}, {RoleName.MODEL_SERVER: Group(Workload(stable))}, Group(Workload(1)))
        wanted = service.replicas(observed, 0.0)
        found.append(wanted[RoleName.MODEL_SERVER])
        stable = found[-1] - 1
        service.left(Observed({}, {RoleName.MODEL_SERVER: Group(Workload(stable))}, observed.canary), wanted)
    return found


def test_replicas_that_somebody_adds_during_a_canary_are_shared_by_both_tracks_where_they_are_theirs() -> None:
    assert beside_canary("Recommend", 2, 0, -4, -1) == [4, 6, 6, 2, 1]


def test_who_insists_on_more_than_a_step_leaves_gets_no_more_than_the_most_replicas() -> None:
    assert beside_canary("Recommend", 2, 2, 2) == [4, 6, 6, 6]


def test_replicas_that_somebody_adds_during_a_canary_are_put_back_where_the_operator_scales() -> None:
    assert beside_canary("Apply", 2, 0) == [4, 4, 4]


def test_a_reconcile_that_did_not_end_has_nobody_elses_replicas() -> None:
    service = known("vllm", scaling={"minReplicas": 2, "maxReplicas": 6, "mode": "Recommend"})
    service.status = InferenceServiceStatus(replicas=ReplicasStatus(desired=4))
    before = Observed({}, {RoleName.MODEL_SERVER: Group(Workload(4))}, Group(Workload(1)))
    service.left(before, service.replicas(before, 0.0))
    service.replicas(before, 0.0)
    after = Observed({}, {RoleName.MODEL_SERVER: Group(Workload(3))}, Group(Workload(1)))
    assert service.replicas(after, 0.0)[RoleName.MODEL_SERVER] == 4


@pytest.mark.parametrize(
    ("claimed", "said"),
    [
        (9, "3 -> 6 replicas: someone else changed the replicas of the Deployment, which count from now on; they were "
            "set to 9, and brought within minReplicas and maxReplicas"),
        (5, "3 -> 5 replicas: someone else changed the replicas of the Deployment, which count from now on"),
    ],
)  # fmt: skip
def test_replicas_of_somebody_else_are_told_with_the_number_that_was_beyond_the_bounds(claimed: int, said: str) -> None:
    service = known("vllm", scaling={"minReplicas": 2, "maxReplicas": 6})
    (one,), there = service.roles, 3
    for seconds, asked in ((10.0, 3), (25.0, claimed), (40.0, None)):
        service.decide(Snapshot(seconds, 60.0), deployment(there), seconds)
        wanted = service.replicas(deployment(there if asked is None else asked), seconds)
        there = wanted[RoleName.MODEL_SERVER]
        service.left(deployment(there), wanted)
    assert one.decision is not None
    assert (one.decision.reason, one.decision.message) == (DecisionReason.ADOPTED_REPLICAS, said)
