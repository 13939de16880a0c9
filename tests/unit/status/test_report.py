"""The status as a whole: complete, written only when it says something new."""

import copy
from typing import Any

import pytest
from aifactory.api.status import Condition, InferenceServiceStatus
from aifactory.autoscale.decision import DecisionReason
from aifactory.status.report import dump, rejected, same, steady

from tests.unit.status.scene import SCALING, Life, condition, decision, objective, readings, serving, workload


def full(life: Life | None = None, value: float = 0.3) -> InferenceServiceStatus:
    """The status of a healthy service."""
    seen = readings(objective(value, attainment_5m=0.99, attainment_1h=0.99))
    life = life or Life(**SCALING)
    return life.look(workload(1), *serving(), readings=seen, decision=decision(1, 1))


def test_a_user_finds_address_engine_model_and_what_was_chosen():
    status = full()
    assert (status.url, status.engine, status.model) == ("http://llama.chat.svc", "vllm", "meta/llama")
    assert status.resolved.accelerator == "nvidia.com/gpu: 1"
    assert status.resolved.command[:2] == ["vllm", "serve"]
    assert status.observed_generation == 1


def test_numbers_stay_while_prometheus_has_not_been_asked_yet():
    life = Life(**SCALING)
    before = full(life)
    after = life.look(workload(1), *serving())
    assert (after.slo, after.slo_attainment, after.throughput) == (before.slo, before.slo_attainment, before.throughput)
    assert after.scaling == before.scaling


def test_what_is_stored_has_no_empty_fields_and_kubernetes_names():
    stored = dump(full())
    assert stored["observedGeneration"] == 1
    assert stored["conditions"][0]["lastTransitionTime"] == "2026-01-01T12:01:00Z"
    assert stored["slo"][0]["attainment5m"] == "99.0%"
    assert stored["scaling"]["decision"]["from"] == 1
    assert "history" not in stored["scaling"]
    assert "throughput" not in stored
    assert None not in stored.values()


def test_a_stored_status_reads_back_as_it_was_written():
    status = full()
    assert dump(InferenceServiceStatus.model_validate(dump(status))) == dump(status)


def test_the_order_of_conditions_makes_no_difference():
    one, other = dump(full()), dump(full())
    other["conditions"].reverse()
    assert same(one, other)
    assert steady(one) == steady(other)


def test_a_status_that_says_nothing_new_is_the_same():
    life = Life(**SCALING)
    assert same(dump(full(life)), dump(full(life)))


def test_live_numbers_and_messages_can_wait():
    life = Life(**SCALING)
    one, other = dump(full(life, 0.30)), dump(full(life, 0.31))
    other["conditions"][0]["message"] = "other words"
    assert not same(one, other)
    assert steady(one) == steady(other)


CHANGES: dict[str, Any] = {
    "a condition's status": lambda status: status["conditions"][0].update(status="False"),
    "a condition's reason": lambda status: status["conditions"][0].update(reason="Other"),
    "a condition that ended": lambda status: status["conditions"].pop(),
    "replicas": lambda status: status["replicas"].update(ready=0),
    "the generation": lambda status: status.update(observedGeneration=2),
    "a change of replicas": lambda status: status["scaling"].update(history=[{"time": "x", "from": 1, "to": 2}]),
    "what was chosen": lambda status: status["resolved"].update(image="other"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_what_happens_is_written_at_once(change):
    before = dump(full())
    after = copy.deepcopy(before)
    change(after)
    assert steady(before) != steady(after)


def test_a_change_of_replicas_is_written_at_once():
    life = Life(**SCALING)
    before = dump(full(life))
    after = dump(life.look(workload(1), *serving(), decision=decision(1, 2, DecisionReason.SCALE_UP)))
    assert steady(before) != steady(after)


RECOMMENDS = {"scaling": {"maxReplicas": 8, "mode": "Recommend"}}


@pytest.mark.parametrize("spec", [RECOMMENDS, {**SCALING, "mode": "Plan"}], ids=["Recommend", "Plan"])
@pytest.mark.parametrize(("from_", "to"), [(1, 2), (2, 2), (2, 1)])
def test_a_decision_that_is_only_reported_is_written_as_soon_as_it_is_another(spec, from_, to):
    life = Life(**spec)
    before = dump(life.look(workload(2), *serving("a", "b"), decision=decision(1, 1)))
    after = dump(life.look(workload(2), *serving("a", "b"), decision=decision(from_, to, DecisionReason.SCALE_UP)))
    assert steady(before) != steady(after)


def test_a_change_of_replicas_is_written_at_once_and_its_end_is_no_news():
    life = Life(**SCALING)
    up = dump(life.look(workload(2), *serving("a", "b"), decision=decision(1, 2, DecisionReason.SCALE_UP)))
    done = dump(life.look(workload(2), *serving("a", "b"), decision=decision(2, 2)))
    assert done["scaling"]["decision"]["from"] == 2
    assert steady(up) == steady(done)


def test_a_status_that_was_never_written_differs_from_every_status():
    assert steady({}) != steady(dump(full()))


PROBLEM = "replicas: set replicas or scaling, not both"


def test_an_invalid_spec_is_said_where_every_tool_looks():
    status = rejected(full(), 2, PROBLEM, 0.0)
    assert status.observed_generation == 2
    for kind, value in {"Ready": "False", "Accepted": "False", "Stalled": "True"}.items():
        found = condition(status, kind)
        assert (found.status, found.reason, found.message) == (value, "InvalidSpec", PROBLEM)


def test_an_invalid_spec_leaves_the_rest_of_the_status_as_it_was():
    before = full()
    status = rejected(before, 2, PROBLEM, 0.0)
    assert (status.url, status.replicas, status.slo) == (before.url, before.replicas, before.slo)
    assert condition(status, "SLOMet") == condition(before, "SLOMet")
    assert condition(status, "ModelReady").observed_generation == 1


def test_an_invalid_spec_does_not_keep_a_tool_waiting():
    moving = Condition(type="Reconciling", status="True", reason="RollingOut", last_transition_time="x")
    status = rejected(InferenceServiceStatus(conditions=[moving]), 2, PROBLEM, 0.0)
    assert condition(status, "Reconciling") is None


def test_rejecting_again_changes_nothing():
    once = rejected(full(), 2, PROBLEM, 0.0)
    assert same(dump(once), dump(rejected(once, 2, PROBLEM, 60.0)))


def test_a_restarted_operator_keeps_what_was_said_about_signals_until_it_has_read_them():
    life = Life(**SCALING)
    before = full(life)
    after = life.look(workload(1), *serving())
    for kind in ("MetricsAvailable", "SLOMet", "ScalingActive"):
        assert condition(after, kind) == condition(before, kind)
    assert life.events == []


def test_a_service_that_is_no_longer_scaled_says_nothing_about_scaling():
    life = Life(**SCALING)
    full(life)
    life.edit(replicas=1)
    after = life.look(workload(1), *serving())
    assert condition(after, "ScalingActive") is None
    assert after.scaling is None
