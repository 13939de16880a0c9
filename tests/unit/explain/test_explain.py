"""`aifactory explain`: what a person reads of a service."""

from dataclasses import replace
from typing import Any

import pytest
from aifactory.api.conditions import Reason
from aifactory.api.status import ChangeStatus, FromTo, PlanStatus
from aifactory.autoscale.decision import Alternative, Capacity, Cause, Decision, DecisionReason, Recommendation
from aifactory.explain import explain
from aifactory.observed import Group
from aifactory.signals.objectives import Objective, Signal
from aifactory.signals.readings import Reading, State
from aifactory.status.pods import Trouble
from aifactory.status.report import dump, rejected

from tests.unit.factory.scene import CATALOGUE, GPU, H100
from tests.unit.status.scene import (
    SCALING,
    SLEEPS,
    Life,
    alternative,
    capacity,
    decision,
    forecast,
    objective,
    pod,
    readings,
    serving,
    without_node,
    workload,
)

BUSY = {
    "recommendations": (
        Recommendation(Signal.TTFT, State.OK, 0.605, 0.5, 1.11, 4, Cause.TARGET_MISSED),
        Recommendation(Signal.WAITING_REQUESTS, State.IDLE, None, 10.0, None, 1),
        Recommendation(Signal.THROUGHPUT, State.OK, 4800.0, 5000.0, 1.04, 3, Cause.ABOVE_THRESHOLD, 1.0, 0.667),
        Recommendation(Signal.KV_CACHE_USAGE, State.STALE, target=0.85),
    ),
    "signal": Signal.TTFT,
    "limited_by": DecisionReason.SCALE_UP_PERIOD,
    "message": "2 -> 3 replicas: timeToFirstToken 605ms against 500ms, ratio 1.11",
    "capacity": replace(capacity(), estimated=5104.0),
    "forecast": forecast(),
    "rejected": (alternative(),),
}
SEEN = readings(
    objective(0.605, attainment_5m=0.931, attainment_1h=0.985),
    objective(None, State.UNSUPPORTED, of=Objective(Signal.ITL, 0.05, 95)),
    pods=("a", "b"),
    offered=Reading(6.6, State.OK),
    completed=Reading(3.9, State.OK),
    running=Reading(12, State.OK),
    waiting=Reading(1, State.OK),
)


def told(life: Life, later: float = 190.0) -> str:
    """What `aifactory explain` prints `later` seconds after the last look."""
    return explain(life.stored, life.now + later)


def busy() -> Life:
    life = Life(**SCALING)
    up = decision(2, 3, DecisionReason.SCALE_UP, **BUSY)
    life.look(workload(2), *serving("a", "b"), readings=SEEN, decision=up, learned={"forecast.trend.weight": 60.0})
    return life


def test_a_busy_service_is_explained_from_load_to_remedy() -> None:
    assert (
        told(busy())
        == """\
InferenceService chat/llama

It serves meta/llama with vllm, nvidia.com/gpu: 1 a replica, at http://llama.chat.svc.
It is ready: all required replicas serve.
2 replicas wanted, 2 ready.

Objectives: 99% within target over an hour is asked for
  timeToFirstToken p95 <= 500ms: now 605ms; within target 93.1% of the last 5 minutes, 98.5% of the last hour; \
error budget overdrawn by 50.0%
  interTokenLatency p95 <= 50ms: this engine does not measure it

Load: 6.6 requests/s arrive, 3.9 requests/s are completed, 12.0 requests run, 1.0 requests wait.

Cost: what a GPU costs is not known: set accelerator.product, and its pricePerGPUHour in spec.accelerators of the \
AIFactory default, or set gpuCostPerHour and costPerHour in scaling.budget.

Scaling: 1 to 8 replicas, mode Apply
  ScaleUp, since 2026-01-01T12:01:00Z (3m10s ago): 2 -> 3 replicas: timeToFirstToken 605ms against 500ms, ratio 1.11.
  What limited it: ScaleUpPeriod, scaleUp.maxReplicas and maxPercent allow no more in this period.
  That is set in spec.scaling.behavior.scaleUp: maxReplicas 4, maxPercent 100, period 1m.
  Each signal alone would choose (ratio: value / limit, averaged; latencies: those of the promised 99% of requests, \
or of an objective's percentile where that is higher):
    timeToFirstToken: 605ms against 500ms, ratio 1.11: 4 replicas, grown by the ratio, as the target is missed \
(TargetMissed)
    waitingRequests: no requests: 1 replica
    throughput: 4800.0 tokens/s of at least 5000.0 while requests wait, ratio 1.04, here limit / value \
(more above 1.00, fewer below 0.67): 3 replicas, grown by the ratio, which is above the threshold (AboveThreshold)
    kvCacheUsage: cannot be read: the newest sample is too old
  One replica carries 4210 tokens/s of prompts and answers; then interTokenLatency comes to its limit.
  By estimate it carries 5100: replicas are added by that, and removed by what is trusted.
  Confidence in that is 84%.
  The load is 9140 tokens/s: as much as 2.2 replicas carry.
  3 replicas carry 12600 tokens/s (15300 by estimate), 2 would carry 8420.
  Within 1m45s up to 11000 tokens/s are expected. Forecasts of this kind (trend) were short by 8% of the load as a rule.
  Room is kept for 12500 tokens/s, as forecasts may be short; for more while the error budget runs short. \
By load, latencies ask for 4 replicas.
  Not chosen:
    2 replicas, 6250 tokens/s each (ConsolidationRefused): interTokenLatency would come to 113% of its limit
  Last changes, newest first:
    2026-01-01T12:01:00Z (3m10s ago) ScaleUp: 2 -> 3 replicas: timeToFirstToken 605ms against 500ms, ratio 1.11 \
(limited by ScaleUpPeriod)

In the way:
  MetricsAvailable is False (MetricsStale): kvCacheUsage cannot be read: STALE
    -> see that Prometheus scrapes the pods, and how often
  SLOMet is False (ObjectivesMissed): missed: timeToFirstToken 605ms (p95 <= 500ms)
    -> wait: more replicas have been asked for
  SLOResolution is False (ObjectiveUnsupported): the engine does not measure interTokenLatency
  ScalingActive is False (Holding): signals are missing: replicas are held, never lowered
    -> see MetricsAvailable and the states of the signals"""
    )


def test_a_service_that_has_all_it_needs_says_so() -> None:
    life = Life(replicas=1)
    life.look(workload(1), *serving(), readings=readings(objective(0.1)))
    assert told(life).endswith("Nothing stands in the way.")
    assert "Scaling" not in told(life)


def test_a_shortage_names_the_cause_once_and_the_remedy() -> None:
    life = Life(replicas=2)
    life.look(workload(2, 1), *serving("a"), without_node("b"))
    assert told(life).endswith(
        """\
It is not ready (InsufficientGPUs): 1 of 2 required replicas serve; \
0/3 nodes are available: 3 Insufficient nvidia.com/gpu.
2 replicas wanted, 1 ready, 1 without a node.

Cost: what a GPU costs is not known: set accelerator.product, and its pricePerGPUHour in spec.accelerators of the \
AIFactory default, or set gpuCostPerHour and costPerHour in scaling.budget.

In the way:
  Ready is False, GPUShortage is True (InsufficientGPUs): 1 of 2 required replicas serve; \
0/3 nodes are available: 3 Insufficient nvidia.com/gpu
    -> add nodes with GPUs, lower accelerator.count or replicas, or see accelerator.resourceName"""
    )


def test_cost_and_energy_are_told_with_what_they_go_by() -> None:
    life = Life(accelerator={"product": H100, "count": 2})
    pods = serving(devices=((GPU, 2),), product=H100)
    made = readings(prompt_tokens=Reading(2000.0, State.OK), generation_tokens=Reading(500.0, State.OK))
    life.look(workload(1), *pods, readings=made, factory=CATALOGUE)
    assert """
Cost: 5.00 an hour for 2 GPUs, by the AIFactory's prices, 0.556 for a million tokens, 2.78 for a million output \
tokens at the rate of the last 1m.
Energy: 1400 W (rated), 1.79 tokens/s for each watt (tokens per joule).
""" in told(life)
    life.look(workload(1), *pods, readings=readings(), factory=CATALOGUE)
    assert "\nCost: 5.00 an hour for 2 GPUs, by the AIFactory's prices.\nEnergy: 1400 W (rated).\n" in told(life)


def test_conditions_of_one_cause_are_told_once() -> None:
    life = Life(**SCALING)
    life.status = rejected(life.look(workload(1), *serving()), 1, "spec.model: is required", life.now)
    lines = told(life).splitlines()
    assert "  Ready is False, Accepted is False, Stalled is True (InvalidSpec): spec.model: is required" in lines


def test_a_service_without_decision_says_that_nothing_was_decided() -> None:
    life = Life(**SCALING)
    life.look(workload(1), pod())
    assert "Nothing has been decided yet" in told(life)


def test_replicas_that_never_changed_have_no_history() -> None:
    life = Life(**SCALING)
    life.look(workload(1), *serving(), decision=decision(1, 1))
    assert "The operator has changed no replicas yet." in told(life)


def test_little_confidence_is_said_to_be_assumption() -> None:
    life = Life(**SCALING)
    life.look(workload(1), *serving(), decision=decision(1, 1, capacity=Capacity(4000, 0, 0.2, Signal.TTFT)))
    assert "Confidence in that is 20%, as more is assumed than was seen." in told(life)


def test_an_offline_service_is_explained_by_the_time_that_its_requests_take() -> None:
    life = Life(**SCALING, slo={"workload": "offline", "completeWithin": "1h"})
    done = Objective(Signal.E2E, 3600.0, 99)
    late = Recommendation(Signal.BACKLOG, State.OK, 4210.4, 3600.0, 1.17, 3)
    life.look(
        workload(2),
        *serving("a", "b"),
        readings=readings(completions=(objective(1800.0, of=done, attainment_1h=0.985),), pods=("a", "b")),
        decision=decision(
            2, 3, DecisionReason.SCALE_UP, recommendations=(late,), signal=Signal.BACKLOG,
            capacity=Capacity(4212.0, 9144.0, 0.9, Signal.BACKLOG),
            rejected=(Alternative(2, DecisionReason.CONSOLIDATION_REFUSED, Signal.BACKLOG, 1.17),),
        ),
    )  # fmt: skip
    text = told(life)
    assert (
        "Objective: each request is completed within 1h, waiting included\n  endToEndLatency p99 <= 1h: now 30m; "
        in text
    )
    assert "within target 98.5% of the last hour" in text
    assert (
        "Each signal alone would choose (ratio of the backlog: replicas that are needed / ready ones, or time of the "
        "longest queue / time that is planned for, whichever is higher; 36m, 60% of slo.completeWithin, is planned "
        "for, as queues are unequal):\n" in text
    )
    assert "    backlog: 1h10m10s against 1h, ratio 1.17 with room for unequal queues: 3 replicas" in text
    assert "One replica carries 4210 tokens/s of prompts and answers; then it is full." in text
    assert "2 replicas (ConsolidationRefused): backlog would come to 117% of its limit" in text


def test_each_role_that_scales_has_a_section() -> None:
    split = {"prefill": {"scaling": {"maxReplicas": 6}}, "decode": {"scaling": {"maxReplicas": 8}}}
    life = Life(runtime={"engine": "dynamo"}, topology={"disaggregated": split})
    stored = life.service.model_dump(mode="json", by_alias=True, exclude_none=True)
    scaling = {
        "decision": {"time": "2026-01-01T12:00:00Z", "from": 1, "to": 2, "reason": "ScaleUp", "message": "1 -> 2"}
    }
    role = {
        "name": "decode",
        "replicas": {"desired": 2},
        "resolved": {"image": "i", "metricsPath": "/"},
        "scaling": scaling,
    }
    ready = {"type": "Ready", "status": "True", "reason": "Available", "lastTransitionTime": "x", "message": "all"}
    text = explain({**stored, "status": {"observedGeneration": 1, "conditions": [ready], "roles": [role]}}, life.now)
    assert "\ndecode: 2 replicas wanted, 0 ready." in text
    assert "Scaling of prefill: 1 to 6 replicas, mode Apply\n  Nothing has been decided yet" in text
    assert (
        "Scaling of decode: 1 to 8 replicas, mode Apply\n  ScaleUp, since 2026-01-01T12:00:00Z (0s ago): 1 -> 2."
        in text
    )


def test_bounds_that_are_in_force_are_named() -> None:
    always = {"name": "always", "start": "00:00", "end": "00:00", "minReplicas": 2}
    life = Life(scaling={"maxReplicas": 8, "schedules": [always], "budget": {"gpus": 4}})
    life.look(workload(2), *serving("a", "b"), decision=decision(2, 2))
    assert "Scaling: 2 to 4 replicas by schedule always, as far as the budget goes, mode Apply" in told(life)


def test_a_status_of_an_earlier_spec_says_so() -> None:
    life = busy()
    life.edit(**SCALING)
    assert "This is about generation 1 of the spec; generation 2 has not been looked at yet." in told(life)


def test_a_service_that_nobody_looked_at_says_what_to_check() -> None:
    assert told(Life(**SCALING)) == (
        "InferenceService chat/llama\n\n"
        "The operator has not looked at it yet: see that it runs, leads and serves this namespace."
    )


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0, "0s ago"), (75, "1m15s ago"), (7325, "2h2m ago"), (90_061, "25h ago"), (-5, "0s ago")]
)
def test_times_are_as_exact_as_a_person_needs(seconds: float, shown: str) -> None:
    assert f"(12:01:00Z {shown})".replace("12:01:00Z ", "") in told(busy(), seconds)


def test_what_a_container_wrote_cannot_steer_the_terminal() -> None:
    life = busy()
    first = life.status.conditions[0].model_copy(update={"message": "\x1b]0;owned\x07"})
    life.status = life.status.model_copy(update={"conditions": [first]})
    assert "\x1b" not in told(life)


def test_a_spec_of_another_version_is_explained_as_far_as_its_status_goes() -> None:
    life = busy()
    stored: dict[str, Any] = life.service.model_dump(mode="json", by_alias=True, exclude_none=True)
    stored["spec"]["runtime"] = {"engine": "next"}
    text = explain({**stored, "status": dump(life.status)}, life.now)
    assert "It is ready" in text
    assert "In the way:" in text
    assert "Scaling" not in text.replace("ScalingActive", "")


def test_a_pod_that_hangs_is_named_with_what_to_do() -> None:
    life = Life(**SCALING)
    life.look(workload(2), *serving("a", "b"), readings=SEEN, decision=decision(2, 3, stuck_pods=("a",)))
    assert "EngineStalled is True (PodsStuck): a: requests run there but no token comes out" in told(life)
    assert "-> read the log of that pod, then delete it" in told(life)


def test_a_backlog_of_unknown_pace_says_when_it_will_be_known() -> None:
    life = Life(**SCALING, slo={"workload": "offline"})
    unknown = Recommendation(Signal.BACKLOG, State.OK, None, 600.0, 0.0, 1, Cause.BACKLOG)
    life.look(workload(1), *serving(), readings=readings(), decision=decision(1, 1, recommendations=(unknown,)))
    assert "backlog: not known before requests have waited in every replica for a while: 1 replica\n" in told(life)


def test_a_service_that_sleeps_has_nothing_in_its_way() -> None:
    life = Life(**SLEEPS)
    life.look(workload(0), activator=Group(workload(1), serving("activator")))
    assert "It serves meta/llama" in told(life)
    assert told(life).endswith("Nothing stands in the way.")


@pytest.mark.parametrize(
    ("reason", "field"),
    [
        (DecisionReason.STABILIZATION_WINDOW, "behavior.scaleDown: stabilizationWindow 2m30s, or 1.25 start-ups where"),
        (DecisionReason.SCALE_DOWN_PERIOD, "behavior.scaleDown: maxReplicas 1, maxPercent 50, period 1m."),
        (DecisionReason.PANIC, "behavior.scaleUp: panicFactor 2, panicHold 1m."),
        (DecisionReason.METRICS_ERROR, "fallback: replicas 5, after 10m."),
        (DecisionReason.BUDGET, "budget: gpus 4."),
    ],
)
def test_a_decision_says_which_fields_would_change_it(reason: DecisionReason, field: str) -> None:
    life = Life(scaling={"maxReplicas": 8, "fallback": {"replicas": 5}, "budget": {"gpus": 4}})
    life.look(workload(2), *serving("a", "b"), decision=decision(2, 2, reason))
    assert f"  That is set in spec.scaling.{field}" in told(life)


def test_what_one_request_alone_misses_is_no_matter_of_replicas() -> None:
    life = Life(**SCALING)
    alone = Recommendation(Signal.TTFT, State.OK, 1.54, 0.5, 2.0)
    found = decision(1, 1, DecisionReason.AT_MINIMUM, recommendations=(alone,), infeasible=(Signal.TTFT,))
    life.look(workload(1), *serving(), readings=readings(objective(2.42)), decision=found)
    text = told(life)
    assert "timeToFirstToken: 1.54s against 500ms, ratio 2.00: no number of replicas changes it" in text
    assert "(ObjectivesMissed): missed: timeToFirstToken 2.42s (p95 <= 500ms)\n    -> see SLOInfeasible" in text


def test_where_no_field_decides_none_is_named() -> None:
    life = Life(**SCALING)
    for reason in (DecisionReason.WITHIN_TARGET, DecisionReason.METRICS_ERROR):
        life.look(workload(2), *serving("a", "b"), decision=decision(2, 2, reason))
        assert "That is set in" not in told(life)


def test_a_limit_is_told_with_its_numbers_once() -> None:
    life, most = Life(**SCALING), DecisionReason.AT_MAXIMUM
    numbers = "2 replicas: interTokenLatency 72ms against 50ms, ratio 1.44; maxReplicas is reached"
    life.look(workload(2), *serving("a", "b"), decision=decision(2, 2, most, limited_by=most, message=numbers))
    assert told(life).count("72ms") == 1
    assert "ScalingLimited is True (AtMaximum): maxReplicas is reached\n    -> raise spec.scaling.max" in told(life)


def test_what_limits_a_decision_is_not_told_twice() -> None:
    life = Life(**SCALING)
    window = DecisionReason.STABILIZATION_WINDOW
    life.look(workload(2), *serving("a", "b"), decision=decision(2, 2, window, limited_by=window))
    assert "What limited it" not in told(life)


SPENT = readings(objective(0.1, attainment_5m=1.0, attainment_1h=0.985))


def test_a_spent_error_budget_stands_in_the_way_while_objectives_are_met() -> None:
    life = Life(**SCALING)
    life.look(workload(1), *serving(), readings=SPENT, decision=decision(1, 1))
    assert told(life).endswith(
        """\
In the way:
  SLOMet is True (ObjectivesMet): every objective that is measured is met; but the error budget of the last hour is \
overdrawn: timeToFirstToken by 50.0%
    -> requests that were too late count for an hour: if this comes again and again, raise minReplicas"""
    )


@pytest.mark.parametrize(
    ("spec", "remedy"),
    [
        ({"replicas": 1}, "raise replicas"),
        (SCALING, "raise minReplicas"),
        (
            {"scaling": {"maxReplicas": 8, "mode": "Recommend"}},
            "keep more replicas than there were: mode Recommend leaves their number to you",
        ),
    ],
    ids=["fixed", "Apply", "Recommend"],
)
def test_a_spent_error_budget_is_cured_by_whoever_sets_replicas(spec: dict[str, Any], remedy: str) -> None:
    life = Life(**spec)
    life.look(workload(1), *serving(), readings=SPENT, decision=decision(1, 1) if "scaling" in spec else None)
    assert f"if this comes again and again, {remedy}\n" in f"{told(life)}\n"


def test_an_error_budget_that_is_just_used_up_is_not_overdrawn() -> None:
    life = Life(**SCALING)
    seen = readings(objective(0.1, attainment_1h=0.9899999))
    life.look(workload(1), *serving(), readings=seen, decision=decision(1, 1))
    assert "; error budget left 0.0%" in told(life)
    assert told(life).endswith("Nothing stands in the way.")


MISSED = readings(objective(0.6))
UP = decision(1, 2, DecisionReason.SCALE_UP)


@pytest.mark.parametrize(
    ("spec", "made", "advice"),
    [
        ({"replicas": 1}, None, "raise replicas, or set spec.scaling so that they follow the objectives"),
        (
            {"scaling": {"maxReplicas": 8, "mode": "Recommend"}},
            UP,
            "see how many replicas the decision in force asks for: mode Recommend does not add them",
        ),
        (
            {**SCALING, "mode": "Paused"},
            UP,
            "see how many replicas the decision in force asks for: mode Paused does not add them",
        ),
        (
            {"scaling": {"maxReplicas": 8, "mode": "Recommend"}, "mode": "Plan"},
            UP,
            "see how many replicas the decision in force asks for: mode Plan does not add them",
        ),
        (SCALING, UP, "wait: more replicas have been asked for"),
        (
            SCALING,
            decision(1, 1, DecisionReason.GPU_SHORTAGE),
            "see above why each signal asks for no more replicas",
        ),
    ],
    ids=["fixed", "Recommend", "Paused", "Plan", "on their way", "held"],
)
def test_what_is_missed_says_how_there_come_to_be_more_replicas(
    spec: dict[str, Any], made: Decision | None, advice: str
) -> None:
    life = Life(**spec)
    life.look(workload(1), *serving(), readings=MISSED, decision=made)
    assert f"(ObjectivesMissed): missed: timeToFirstToken 600ms (p95 <= 500ms)\n    -> {advice}" in told(life)


def test_a_late_backlog_may_also_be_given_more_time() -> None:
    life = Life(**SCALING, slo={"workload": "offline"})
    late = Recommendation(Signal.BACKLOG, State.OK, 700.0, 600.0, 1.17, 2)
    busy = readings(running=Reading(14.0, State.OK), waiting=Reading(30.0, State.OK))
    up = decision(1, 2, DecisionReason.SCALE_UP, recommendations=(late,))
    life.look(workload(1), *serving(), readings=busy, decision=up)
    advice = "wait: more replicas have been asked for; or raise slo.completeWithin, or send less at once"
    assert f"    -> {advice}" in told(life)


def test_a_plan_of_which_nothing_was_made_says_so() -> None:
    life = Life(mode="Plan", replicas=2)
    change = ChangeStatus(action="Change", object="Deployment/llama", fields=["spec.replicas: 0 -> 2"])
    life.look(plan=PlanStatus(changes=[change], replicas=FromTo(from_=0, to=2), gpus=FromTo(from_=0, to=2)))
    text = told(life)
    assert "It is to serve meta/llama with vllm" in text
    assert (
        """
It is a plan. Mode Active would make these changes:
  ~ Deployment/llama
      spec.replicas: 0 -> 2
  replicas 0 -> 2, GPUs 0 -> 2
"""
        in text
    )
    assert text.endswith(
        "In the way:\n  Ready is Unknown (PlanOnly): spec.mode is Plan: nothing is created\n    "
        "-> set spec.mode to Active"
    )


def test_a_plan_that_is_in_place_serves() -> None:
    life = Life(mode="Plan", replicas=1)
    life.look(workload(1), *serving(), plan=PlanStatus(replicas=FromTo(from_=1, to=1), gpus=FromTo(from_=1, to=1)))
    assert "It serves meta/llama with vllm" in told(life)
    assert "It is a plan: mode Active would change nothing." in told(life)


@pytest.mark.parametrize(("mode", "reason"), [("Plan", "PlanOnly"), ("Paused", "Paused")])
def test_a_service_that_is_left_alone_says_so_and_not_that_ready_is_in_the_way(mode: str, reason: str) -> None:
    life = Life(**SCALING, mode=mode)
    life.look(workload(1), *serving(), readings=readings(), decision=decision(1, 1))
    text = told(life)
    assert f"\nScaling: 1 to 8 replicas, spec.mode {mode}\n" in text
    assert f"  ScalingActive is False ({reason}): spec.mode is {mode}: decisions are only reported\n" in text
    assert "Ready is True" not in text
    life = Life(replicas=1, mode=mode)
    life.look(workload(1), *serving())
    assert f"\nIn the way:\n  {reason}: spec.mode is {mode}: nothing is changed; serving: 1\n" in told(life)


def test_a_service_of_which_no_replica_answers_does_not_serve_yet() -> None:
    life = Life(replicas=1)
    life.look(workload(1, 0), without_node())
    assert "It is to serve meta/llama with vllm, nvidia.com/gpu: 1 a replica, at http://llama.chat.svc." in told(life)
    life.look(workload(1), *serving())
    assert "It serves meta/llama" in told(life)


def test_a_service_that_is_to_have_no_replica_does_not_serve() -> None:
    life = Life(replicas=0)
    life.look(workload(0))
    assert "It is to serve meta/llama" in told(life)


def test_a_service_of_several_roles_serves_with_one_replica_of_each() -> None:
    split = {"prefill": {}, "decode": {}}
    life = Life(runtime={"engine": "dynamo"}, topology={"disaggregated": split})
    stored = life.service.model_dump(mode="json", by_alias=True, exclude_none=True)
    resolved = {"image": "i", "metricsPath": "/"}
    ready = {"type": "Ready", "status": "Unknown", "reason": "ModelLoading", "lastTransitionTime": "x", "message": "m"}

    def of(decode: int) -> str:
        counts = {"frontend": 2, "prefill": 1, "decode": decode}
        roles = [{"name": name, "resolved": resolved, "replicas": {"ready": n}} for name, n in counts.items()]
        return explain(
            {
                **stored,
                "status": {"conditions": [ready], "resolved": resolved, "replicas": {"ready": 1}, "roles": roles},
            },
            life.now,
        )

    assert "It is to serve" in of(0)
    assert "It serves" in of(1)


def test_a_name_that_is_taken_is_no_address() -> None:
    life = Life(replicas=1)
    life.look(refused=Trouble(Reason.NAME_TAKEN, "Service/llama is somebody else's"))
    text = told(life)
    assert "It is to serve meta/llama with vllm, nvidia.com/gpu: 1 a replica.\n" in text
    assert "http://llama.chat.svc" not in text


@pytest.mark.parametrize("learned", [{}, {"forecast.trend.weight": 5.0}])
def test_an_error_of_forecasts_that_is_mostly_assumed_is_no_experience(learned: dict[str, float]) -> None:
    life = Life(**SCALING)
    life.look(workload(1), *serving(), decision=decision(1, 1, forecast=forecast(error=0.1)), learned=learned)
    assert (
        "Forecasts of this kind (trend) are taken to be short by 10% of the load, as more of that is assumed than was "
        "seen." in told(life)
    )


def test_a_replica_of_which_the_target_is_out_of_reach_is_not_said_to_come_to_its_limit() -> None:
    life = Life(**SCALING)
    learned = {"unloaded.interTokenLatency": 0.08}
    life.look(workload(1), *serving(), decision=decision(1, 1, capacity=capacity()), learned=learned)
    assert "then interTokenLatency takes twice as long as without any load: its target is out of reach." in told(life)


def test_a_load_of_nearly_nothing_is_not_carried_by_no_replicas() -> None:
    life = Life(**SCALING)
    life.look(workload(1), *serving(), decision=decision(1, 1, capacity=capacity(load=3.0)))
    assert "The load is 3 tokens/s: hardly any of what one replica carries." in told(life)


def test_no_load_is_neither_compared_nor_given_room() -> None:
    life = Life(**SCALING)
    idle = decision(1, 1, capacity=capacity(load=0.0), forecast=forecast(0.0, 0.0))
    life.look(workload(1), *serving(), decision=idle)
    assert "up to 0 tokens/s are expected" in told(life)
    assert "The load is" not in told(life)
    assert "Room is kept" not in told(life)


def test_what_nobody_asks_for_names_the_minimum() -> None:
    life = Life(scaling={"minReplicas": 3, "maxReplicas": 8})
    idle = Recommendation(Signal.TTFT, State.IDLE, None, 0.5, None, 3, Cause.NO_REQUESTS)
    life.look(workload(3), *serving("a", "b", "c"), decision=decision(3, 3, recommendations=(idle,)))
    assert "timeToFirstToken: no requests: 3 replicas, the fewest that are allowed, as nobody asks" in told(life)


def test_throughput_is_told_with_its_unit_and_when_it_counts() -> None:
    life = Life(**SCALING)
    seen = readings(objective(4800.0, of=Objective(Signal.THROUGHPUT, 5000)))
    life.look(workload(1), *serving(), readings=seen, decision=decision(1, 1))
    assert "throughput >= 5000 tokens/s while requests wait: now 4800.0 tokens/s" in told(life)


def test_messages_of_one_cause_are_joined_without_their_full_stops() -> None:
    life = Life(**SCALING)
    life.look(workload(1), *serving())
    first, second = (
        condition.model_copy(update={"status": "False", "reason": "Same", "message": message})
        for condition, message in zip(life.status.conditions[:2], ("one.", "two."), strict=True)
    )
    life.status = life.status.model_copy(update={"conditions": [first, second]})
    assert "(Same): one; two" in told(life)
