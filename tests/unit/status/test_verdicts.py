"""Conditions beside Ready: the signals, the objectives, scaling, and what is in short supply."""

from dataclasses import replace

import pytest
from aifactory.api.conditions import Reason
from aifactory.api.status import Condition
from aifactory.autoscale.decision import DecisionReason, Recommendation
from aifactory.signals.objectives import Objective, Signal
from aifactory.signals.readings import Reading, State
from aifactory.status.pods import Trouble
from aifactory.status.transitions import Event, transitions

from tests.unit.status.scene import (
    NOON,
    SCALING,
    Life,
    condition,
    decision,
    objective,
    pod,
    readings,
    serving,
    stuck,
    without_node,
    workload,
)

ITL = Objective(Signal.ITL, 0.05, 95)
THROUGHPUT = Objective(Signal.THROUGHPUT, 5000)


def look(kind: str, *pods, deployment=None, spec=SCALING, **more) -> Condition | None:
    """One condition of a service that serves with one replica, if nothing else is said."""
    life = Life(**spec)
    return condition(life.look(deployment or workload(1), *(pods or serving()), **more), kind)


def told(found: Condition | None) -> tuple[str, str]:
    assert found is not None
    return found.status, found.reason


def test_a_readable_spec_is_accepted():
    assert told(look("Accepted")) == ("True", "Valid")


def test_progress_is_said_while_the_workload_exists():
    assert told(look("Progressing")) == ("True", "RolloutComplete")
    assert told(look("Progressing", pod(), deployment=workload(1, 0))) == ("True", "WaitingForReplicas")
    assert told(look("Progressing", deployment=workload(1, total=2))) == ("True", "RollingOut")
    late = workload(1, 0, progress_deadline_exceeded=True)
    assert told(look("Progressing", pod(), deployment=late)) == ("False", "StartupTimeout")
    assert condition(Life().look(), "Progressing") is None


def test_reconciling_and_stalled_are_there_only_while_true():
    assert look("Reconciling") is None
    assert look("Stalled") is None
    assert told(look("Reconciling", pod(), deployment=workload(1, 0))) == ("True", "WaitingForReplicas")
    bad = stuck("ErrImagePull", "no")
    assert told(look("Stalled", bad, deployment=workload(1, 0))) == ("True", "ImagePullFailed")
    assert look("Reconciling", bad, deployment=workload(1, 0)) is None


def test_a_service_that_cannot_be_created_is_stalled_and_not_under_way():
    refused = Life().look(refused=Trouble(Reason.NAME_TAKEN, "Service llama exists"))
    assert told(condition(refused, "Stalled")) == ("True", "NameTaken")
    assert condition(refused, "Reconciling") is None


def test_nobody_says_that_a_lost_deployment_is_scaled():
    life = Life(**SCALING)
    life.look(workload(1), *serving(), readings=readings(objective(0.3)), decision=decision(1, 1))
    assert told(condition(life.look(workload(1), *serving()), "ScalingActive")) == ("True", "FollowingObjectives")
    assert condition(life.look(), "ScalingActive") is None


def test_the_model_is_ready_as_soon_as_one_replica_serves():
    assert told(look("ModelReady", pod(), deployment=workload(2, 0))) == ("False", "ModelLoading")
    assert told(look("ModelReady", *serving("a"), pod("b"), deployment=workload(2, 1))) == ("True", "Available")
    life = Life(replicas=0)
    assert told(condition(life.look(workload(0)), "ModelReady")) == ("False", "ScaledToZero")


def test_a_fixed_service_without_gpus_is_short_of_them_at_once():
    found = look("GPUShortage", without_node(), deployment=workload(1, 0), spec={})
    assert told(found) == ("True", "InsufficientGPUs")
    assert "3 Insufficient nvidia.com/gpu" in found.message


def test_a_claim_that_cannot_be_allocated_is_a_shortage_of_gpus():
    message = "0/3 nodes are available: 3 cannot allocate all claims."
    waiting = replace(without_node(), unschedulable_message=message)
    spec = {"accelerator": {"resourceClaimTemplate": "gpus"}}
    assert told(look("GPUShortage", waiting, deployment=workload(1, 0), spec=spec)) == ("True", "InsufficientGPUs")
    assert look("GPUShortage", waiting, deployment=workload(1, 0), spec={}) is None


def test_a_scaled_service_is_short_of_gpus_when_its_decision_says_so():
    pods = (*serving("a"), without_node("b"))
    assert look("GPUShortage", *pods, deployment=workload(2, 1), decision=decision(2, 2)) is None
    short = decision(2, 2, DecisionReason.GPU_SHORTAGE, gpu_shortage=True)
    assert told(look("GPUShortage", *pods, deployment=workload(2, 1), decision=short)) == ("True", "InsufficientGPUs")


def test_another_cause_than_gpus_is_no_shortage_of_them():
    zone = without_node(message="0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector.")
    assert look("GPUShortage", zone, deployment=workload(1, 0), spec={}) is None
    late = decision(1, 1, DecisionReason.GPU_SHORTAGE, gpu_shortage=True)
    assert look("GPUShortage", zone, deployment=workload(1, 0), decision=late) is None
    cpu = without_node(message="0/3 nodes are available: 3 Insufficient cpu.")
    assert look("GPUShortage", cpu, deployment=workload(1, 0), decision=late) is None
    gone = look("GPUShortage", deployment=workload(1, 0), decision=late)
    assert told(gone) == ("True", "InsufficientGPUs")


METRICS = {
    "read": (readings(objective(0.3)), "True", "MetricsRead"),
    "idle": (readings(objective(None, State.IDLE)), "True", "MetricsRead"),
    "Prometheus is gone": (readings(error="connection refused"), "False", "PrometheusUnreachable"),
    "a pod is not scraped": (readings(objective(0.3), pods=()), "False", "PodsNotScraped"),
    "stale": (readings(objective(None, State.STALE)), "False", "MetricsStale"),
    "missing": (readings(objective(None, State.MISSING)), "False", "MetricsMissing"),
    "wrong": (readings(objective(None, State.ERROR)), "False", "MetricsMissing"),
    "not measured by this engine": (readings(objective(None, State.UNSUPPORTED)), "True", "MetricsRead"),
}


@pytest.mark.parametrize(("seen", "status", "reason"), METRICS.values(), ids=METRICS.keys())
def test_whether_the_signals_can_be_read(seen, status, reason):
    assert told(look("MetricsAvailable", readings=seen)) == (status, reason)


def test_the_pods_that_are_not_scraped_are_named():
    found = look("MetricsAvailable", *serving("a", "b"), deployment=workload(2), readings=readings(pods=("a",)))
    assert found.message.endswith("no fresh sample of b")


def test_a_pod_that_has_just_become_ready_is_not_missed_yet():
    pods = (*serving("a"), *serving("b", ready_at=NOON + 50))
    found = look("MetricsAvailable", *pods, deployment=workload(2), readings=readings(objective(0.3), pods=("a",)))
    assert told(found) == ("True", "MetricsRead")


def test_a_service_whose_first_pod_has_just_become_ready_waits_for_its_first_samples():
    seen = readings(objective(None, State.MISSING), pods=())
    found = look("MetricsAvailable", *serving("a", ready_at=NOON + 50), readings=seen)
    assert told(found) == ("Unknown", "MetricsMissing")


OBJECTIVES = {
    "met": ([objective(0.3)], "True", "ObjectivesMet"),
    "met exactly": ([objective(0.5)], "True", "ObjectivesMet"),
    "missed": ([objective(0.6)], "False", "ObjectivesMissed"),
    "one of two missed": (
        [objective(0.3), objective(0.2, of=Objective(Signal.ITL, 0.05, 95))],
        "False",
        "ObjectivesMissed",
    ),
    "idle": ([objective(None, State.IDLE)], "Unknown", "Idle"),
    "unknown": ([objective(None, State.MISSING)], "Unknown", "MetricsMissing"),
}


@pytest.mark.parametrize(("items", "status", "reason"), OBJECTIVES.values(), ids=OBJECTIVES.keys())
def test_whether_the_objectives_are_met(items, status, reason):
    assert told(look("SLOMet", readings=readings(*items))) == (status, reason)


def test_missed_objectives_are_named():
    items = objective(0.3), objective(0.2, of=Objective(Signal.ITL, 0.05, 95))
    assert look("SLOMet", readings=readings(*items)).message == "missed: interTokenLatency 200ms (p95 <= 50ms)"


def overdrawn(*items):
    return look("SLOMet", readings=readings(*items)).message


def test_a_spent_error_budget_is_told_while_its_objectives_are_met():
    spent, kept = objective(0.3, attainment_1h=0.985), objective(0.04, of=ITL, attainment_1h=0.995)
    assert overdrawn(spent, kept) == (
        "every objective that is measured is met; but the error budget of the last hour is overdrawn: "
        "timeToFirstToken by 50.0%"
    )
    for share in (0.99, 0.9899999):
        assert overdrawn(objective(0.3, attainment_1h=share)) == "every objective that is measured is met"


def test_a_spent_error_budget_is_told_of_a_service_that_nobody_asks_now():
    idle = objective(None, State.IDLE, attainment_1h=0.97)
    assert overdrawn(idle).startswith("no requests in the window; but the error budget of the last hour is overdrawn")


def backlog(value: float | None, state: State = State.OK) -> Condition | None:
    """SLOMet of an offline service whose slowest request in flight will have taken so many seconds."""
    answer = Recommendation(Signal.BACKLOG, state, value, 3600.0, 0.5, 1)
    busy = readings(running=Reading(14.0, State.OK), waiting=Reading(30.0, State.OK))
    slo = {"workload": "offline", "completeWithin": "1h"}
    return look(
        "SLOMet", spec={**SCALING, "slo": slo}, readings=busy, decision=decision(1, 1, recommendations=(answer,))
    )


@pytest.mark.parametrize(
    ("value", "state", "expected"),
    [
        (1800.0, State.OK, ("True", "BacklogInTime")),
        (3600.0, State.OK, ("True", "BacklogInTime")),
        (3700.0, State.OK, ("False", "BacklogLate")),
        (None, State.OK, ("Unknown", "PaceUnknown")),
        (None, State.MISSING, ("Unknown", "MetricsMissing")),
    ],
)
def test_an_offline_service_says_whether_requests_will_be_completed_in_time(value, state, expected):
    assert told(backlog(value, state)) == expected


def test_a_promise_that_will_be_broken_is_told_in_numbers_and_by_an_event():
    found = backlog(3700.0)
    assert found.message == "requests in flight will have taken up to 1h1m40s; slo.completeWithin is 1h"
    assert transitions((), (found,)) == (Event("Warning", "BacklogLate", found.message),)


PROMISED = Objective(Signal.E2E, 3600.0, 99)


def test_what_waits_counts_before_what_was_completed():
    answer = Recommendation(Signal.BACKLOG, State.OK, 1800.0, 3600.0, 0.5, 1)
    seen = readings(completions=(objective(4000.0, of=PROMISED),), running=Reading(14.0, State.OK))
    one = decision(1, 1, recommendations=(answer,))
    assert told(look("SLOMet", readings=seen, decision=one)) == ("True", "BacklogInTime")
    assert told(look("SLOMet", readings=seen, spec={})) == ("False", "ObjectivesMissed")


def test_the_edge_at_which_completions_count_is_told_once_some_are_late():
    edges = {"of": PROMISED, "edge": 1920.0, "edges": (1920.0, 7680.0)}
    some, none = (readings(completions=(objective(60.0, attainment_1h=share, **edges),)) for share in (0.98, 1.0))
    assert told(look("SLOResolution", readings=some)) == ("False", "BetweenBuckets")
    assert look("SLOResolution", readings=none) is None


def test_what_was_completed_does_not_hold_the_replicas_of_an_offline_service():
    answer = Recommendation(Signal.BACKLOG, State.OK, 1800.0, 3600.0, 0.5, 1)
    seen = readings(completions=(objective(None, State.MISSING, of=PROMISED),))
    found = look("ScalingActive", readings=seen, decision=decision(1, 1, recommendations=(answer,)))
    assert told(found) == ("True", "FollowingObjectives")


def test_an_offline_service_that_nobody_asks_keeps_its_promise_neither_well_nor_badly():
    idle = readings(**{name: Reading(0.0, State.OK) for name in ("running", "waiting", "completed")})
    answer = Recommendation(Signal.BACKLOG, State.OK, 0.0, 600.0, 0.0, 1)
    spec = {**SCALING, "slo": {"workload": "offline"}}
    found = look("SLOMet", spec=spec, readings=idle, decision=decision(1, 1, recommendations=(answer,)))
    assert told(found) == ("Unknown", "Idle")


@pytest.mark.parametrize(("value", "waiting", "status"), [(4000, 7, "False"), (4000, 0, "True"), (6000, 7, "True")])
def test_throughput_is_missed_only_while_requests_wait(value, waiting, status):
    seen = readings(objective(value, of=THROUGHPUT), waiting=Reading(waiting, State.OK))
    assert look("SLOMet", readings=seen).status == status


def test_a_service_without_objectives_has_none_to_meet():
    assert look("SLOMet", readings=readings()) is None


def test_nothing_is_said_of_signals_before_a_replica_serves():
    found = Life(**SCALING).look(workload(1, 0), pod(), readings=readings(objective(None, State.MISSING), pods=()))
    assert condition(found, "MetricsAvailable") is None
    assert condition(found, "SLOMet") is None


def test_an_objective_that_the_engine_does_not_measure_is_named():
    found = look("SLOResolution", readings=readings(objective(None, State.UNSUPPORTED)))
    assert told(found) == ("False", "ObjectiveUnsupported")
    assert "timeToFirstToken" in found.message


def test_a_target_between_two_buckets_is_said_with_the_edge_that_counts():
    found = look("SLOResolution", readings=readings(objective(0.3, edge=0.25, edges=(0.25, 1.0))))
    assert told(found) == ("False", "BetweenBuckets")
    assert "attainment is counted at 250ms; spec.runtime.latencyBuckets: Objectives makes it exact" in found.message


def test_finer_edges_are_not_advised_where_they_cannot_be_had():
    between = readings(objective(0.3, edge=0.25, edges=(0.25, 1.0)))
    for runtime in ({"engine": "trtllm"}, {"engine": "vllm", "latencyBuckets": "Objectives"}):
        found = look("SLOResolution", readings=between, spec={**SCALING, "runtime": runtime})
        assert found.message.endswith("attainment is counted at 250ms")


def test_times_of_milliseconds_are_told_as_in_the_spec():
    fine = objective(0.02, of=Objective(Signal.ITL, 0.03, 95), edge=0.0075, edges=(0.0075, 0.1))
    found = look("SLOResolution", readings=readings(fine))
    assert found.message.startswith("interTokenLatency target 30ms lies between the engine's histogram edges; ")
    assert "attainment is counted at 7.5ms" in found.message


def test_a_target_on_an_edge_needs_no_explanation():
    assert look("SLOResolution", readings=readings(objective(0.3, edge=0.5, edges=(0.25, 0.5)))) is None


HEALTHY = readings(objective(0.3))


def test_scaling_follows_the_objectives():
    found = look("ScalingActive", readings=HEALTHY, decision=decision(1, 1))
    assert told(found) == ("True", "FollowingObjectives")


def test_a_signal_that_only_the_law_looks_at_is_missed_as_well():
    gone = decision(1, 1, recommendations=(Recommendation(Signal.WAITING_REQUESTS, State.MISSING),))
    found = look("MetricsAvailable", readings=HEALTHY, decision=gone)
    assert found is not None
    assert (*told(found), found.message) == ("False", "MetricsMissing", "waitingRequests cannot be read: MISSING")
    assert told(look("ScalingActive", readings=HEALTHY, decision=gone)) == ("False", "Holding")


def test_scaling_holds_while_signals_are_missing():
    for seen in (None, readings(error="timeout"), readings(objective(None, State.STALE))):
        assert told(look("ScalingActive", readings=seen, decision=decision(1, 1))) == ("False", "Holding")


def test_scaling_waits_for_the_first_samples_as_long_as_nobody_misses_them():
    gone = decision(1, 1, recommendations=(Recommendation(Signal.WAITING_REQUESTS, State.MISSING),))
    seen = readings(objective(None, State.MISSING), pods=())
    for ready_at, status, reason in ((NOON + 50, "Unknown", "MetricsMissing"), (NOON - 50, "False", "Holding")):
        found = look("ScalingActive", *serving("a", ready_at=ready_at), readings=seen, decision=gone)
        assert told(found) == (status, reason)


def test_scaling_waits_for_the_first_replica():
    found = look("ScalingActive", pod(), deployment=workload(1, 0), readings=HEALTHY, decision=decision(1, 1))
    assert told(found) == ("Unknown", "ModelLoading")


def test_a_recommendation_is_not_followed():
    spec = {"scaling": {"minReplicas": 1, "maxReplicas": 8, "mode": "Recommend"}}
    found = look("ScalingActive", spec=spec, readings=HEALTHY, decision=decision(1, 3))
    assert told(found) == ("False", "RecommendOnly")


@pytest.mark.parametrize(("mode", "reason"), [("Paused", "Paused"), ("Plan", "PlanOnly")])
def test_nothing_scales_a_frozen_service(mode, reason):
    found = look("ScalingActive", spec={**SCALING, "mode": mode}, readings=HEALTHY, decision=decision(1, 3))
    assert told(found) == ("False", reason)


def test_a_fixed_number_of_replicas_has_no_scaling_conditions():
    assert look("ScalingActive", spec={}, readings=HEALTHY, decision=decision(1, 1)) is None


@pytest.mark.parametrize(
    ("limit", "reason"),
    [
        (DecisionReason.AT_MAXIMUM, "AtMaximum"),
        (DecisionReason.SCHEDULED_MAXIMUM, "ScheduledMaximum"),
        (DecisionReason.BUDGET, "Budget"),
        (DecisionReason.GPU_SHORTAGE, "InsufficientGPUs"),
    ],
)
def test_a_bound_that_keeps_replicas_away_is_said(limit, reason):
    found = look("ScalingLimited", decision=decision(8, 8, limited_by=limit, message="8 of 8"))
    assert told(found) == ("True", reason)
    assert found.message == "8 of 8"


def test_a_minimum_that_the_budget_is_too_small_for_is_said():
    spec = {"accelerator": {"count": 4}, "scaling": {"minReplicas": 3, "maxReplicas": 8, "budget": {"gpus": 8}}}
    found = look("ScalingLimited", spec=spec, decision=decision(2, 2))
    assert told(found) == ("True", "BudgetBelowMinimum")
    assert "too small for 3 replicas" in found.message
    assert found.message.endswith("2 may run: raise the budget or lower spec.scaling.minReplicas")


def test_a_minimum_of_a_schedule_that_the_budget_is_too_small_for_names_the_schedule():
    always = {"name": "always", "start": "00:00", "end": "00:00", "minReplicas": 3}
    spec = {"accelerator": {"count": 4}, "scaling": {"maxReplicas": 8, "budget": {"gpus": 8}, "schedules": [always]}}
    found = look("ScalingLimited", spec=spec, decision=decision(2, 2))
    assert found.message == (
        "spec.scaling.budget is too small for 3 replicas, the fewest by minReplicas of schedule always; "
        "2 may run: raise the budget or lower minReplicas of schedule always"
    )


def test_a_budget_that_one_replica_is_too_much_for_is_said():
    spec = {"scaling": {"maxReplicas": 8, "budget": {"costPerHour": "1", "gpuCostPerHour": "2"}}}
    found = look("ScalingLimited", spec=spec, decision=decision(1, 1))
    assert told(found) == ("True", "BudgetBelowMinimum")
    assert found.message.endswith("too small for one replica, which runs all the same: raise the budget")


def test_pods_that_a_quota_refuses_are_said_to_keep_replicas_away():
    refused = workload(3, 2, replica_failure="exceeded quota: gpus")
    limited = decision(3, 3, limited_by=DecisionReason.PODS_NOT_STARTING)
    found = look("ScalingLimited", deployment=refused, decision=limited)
    assert told(found) == ("True", "PodRejected")
    assert "exceeded quota: gpus" in found.message


def test_a_limit_that_only_paces_a_change_is_not_said():
    assert look("ScalingLimited", decision=decision(2, 3, limited_by=DecisionReason.SCALE_UP_PERIOD)) is None


def test_a_latency_that_no_number_of_replicas_can_meet_is_said():
    found = look("SLOInfeasible", decision=decision(1, 1, infeasible=(Signal.TTFT,)))
    assert told(found) == ("True", "BaseLatencyAboveObjective")
    assert "timeToFirstToken" in found.message
    assert look("SLOInfeasible", decision=decision(1, 1)) is None


def test_an_engine_without_output_is_said():
    assert told(look("EngineStalled", decision=decision(1, 1, engine_stalled=True))) == ("True", "NoTokens")
    assert look("EngineStalled", decision=decision(1, 1)) is None


def test_a_pod_that_hangs_beside_others_is_named():
    found = look("EngineStalled", decision=decision(2, 3, stuck_pods=("llama-1", "llama-7")))
    assert told(found) == ("True", "PodsStuck")
    assert found.message.startswith("llama-1, llama-7: ")


def test_every_type_appears_once():
    everything = decision(
        8,
        8,
        DecisionReason.GPU_SHORTAGE,
        gpu_shortage=True,
        engine_stalled=True,
        infeasible=(Signal.TTFT,),
        limited_by=DecisionReason.AT_MAXIMUM,
    )
    seen = readings(objective(0.9, edge=0.25, edges=(0.25,)))
    status = Life(**SCALING).look(workload(8, 1), *serving(), readings=seen, decision=everything)
    types = [found.type for found in status.conditions]
    assert len(types) == len(set(types)) > 8
