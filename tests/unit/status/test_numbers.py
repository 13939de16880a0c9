"""The numbers of a status, as a person reads them."""

import re

import pytest
from aifactory.api.conditions import Reason
from aifactory.api.scalingstatus import DecisionStatus
from aifactory.autoscale.decision import Answer, Cause, DecisionReason, Recommendation
from aifactory.signals.objectives import Objective, Signal
from aifactory.signals.readings import Reading, State
from aifactory.status.numbers import HISTORY, timestamp
from aifactory.status.pods import Trouble

from tests.unit.status.scene import (
    NOON,
    SCALING,
    SLEEPS,
    TTFT,
    Life,
    decision,
    objective,
    pod,
    readings,
    serving,
    without_node,
    workload,
)

UP, DOWN = DecisionReason.SCALE_UP, DecisionReason.SCALE_DOWN


def test_times_are_rfc_3339_in_utc():
    assert timestamp(NOON) == "2026-01-01T12:00:00Z"
    assert timestamp(NOON + 0.9) == "2026-01-01T12:00:00Z"


def test_replicas_are_counted_by_what_they_do():
    gone = pod("gone", ready=True, terminating=True)
    counts = Life(**SCALING).look(workload(4, 2), *serving("a", "b"), pod("c"), without_node("d"), gone).replicas
    assert (counts.desired, counts.current, counts.ready) == (4, 4, 2)
    assert (counts.pending, counts.unschedulable) == (1, 1)


def test_a_lost_deployment_is_wanted_at_the_size_at_which_it_comes_back():
    life = Life(**SCALING)
    assert life.look().replicas.desired == 0, "there was none yet"
    life.look(workload(3), *serving("a", "b", "c"))
    life.look()
    counts = life.look().replicas
    assert (counts.desired, counts.current, counts.ready) == (3, 0, 0)
    assert life.look(workload(2)).replicas.desired == 2


def first_objective(item, **spec):
    return Life(**spec).look(workload(1), *serving(), readings=readings(item)).slo[0]


def test_a_latency_is_shown_in_its_target_unit():
    shown = first_objective(objective(0.3124))
    assert (shown.objective, shown.target, shown.observed, shown.state) == (
        "timeToFirstToken",
        "p95 <= 500ms",
        "312ms",
        "OK",
    )
    assert first_objective(objective(1.5)).observed == "1.5s"


def test_throughput_is_shown_in_tokens_per_second():
    shown = first_objective(objective(4321.04, of=Objective(Signal.THROUGHPUT, 5000)))
    assert (shown.target, shown.observed) == (">= 5000 tokens/s", "4321.0")


def test_what_was_not_observed_is_not_shown():
    shown = first_objective(objective(None, State.IDLE))
    assert (shown.state, shown.observed, shown.attainment5m, shown.error_budget) == ("IDLE", None, None, None)


def test_attainment_is_shown_in_percent():
    shown = first_objective(objective(0.3, attainment_5m=0.9876, attainment_1h=1.0))
    assert (shown.attainment5m, shown.attainment1h) == ("98.8%", "100.0%")


@pytest.mark.parametrize(
    ("goal", "shown"),
    [("50%", "99.9%"), ("99%", "99.9%"), ("99.5%", "99.85%"), ("99.9%", "99.85%"), ("99.999%", "99.8516%")],
)
def test_attainment_is_shown_to_a_tenth_of_what_may_be_missed(goal, shown):
    seen = readings(objective(0.3, attainment_5m=0.998516, attainment_1h=0.998516))
    status = Life(slo={"attainment": goal}).look(workload(1), *serving(), readings=seen)
    assert {status.slo[0].attainment5m, status.slo[0].attainment1h, status.slo_attainment} == {shown}


@pytest.mark.parametrize(
    ("attainment", "goal", "left"),
    [
        (1.0, "99%", "100.0%"),
        (0.995, "99%", "50.0%"),
        (0.99, "99%", "0.0%"),
        (0.97, "99%", "-200.0%"),
        (0.7, "50%", "40.0%"),
        (0.989999, "99%", "0.0%"),
    ],
)
def test_the_error_budget_is_what_is_left_of_the_hours_allowance(attainment, goal, left):
    shown = first_objective(objective(0.3, attainment_1h=attainment), slo={"attainment": goal})
    assert shown.error_budget == left


def test_the_attainment_of_a_service_is_that_of_its_worst_objective():
    items = (
        objective(0.3, attainment_5m=0.99),
        objective(0.02, of=Objective(Signal.ITL, 0.05, 95), attainment_5m=0.91),
        objective(None, State.IDLE, of=Objective(Signal.E2E, 5, 95)),
    )
    status = Life().look(workload(1), *serving(), readings=readings(*items))
    assert status.slo_attainment == "91.0%"
    assert Life().look(workload(1), *serving(), readings=readings()).slo_attainment is None


def test_throughput_shows_rates_that_are_known():
    seen = readings(completed=Reading(2.04, State.OK), running=Reading(7, State.OK))
    shown = Life().look(workload(1), *serving(), readings=seen).throughput
    assert (shown.requests_per_second, shown.running) == ("2.0", "7.0")
    assert shown.output_tokens_per_second is None


def test_where_nothing_serves_there_is_no_throughput():
    life, seen = Life(), readings(generation_tokens=Reading(12.2, State.OK))
    assert life.look(workload(1), *serving(), readings=seen).throughput.output_tokens_per_second == "12.2"
    assert life.look(workload(1), *serving()).throughput.output_tokens_per_second == "12.2", "not read yet"
    assert life.look(workload(1, 0), pod(), readings=seen).throughput is None


def test_where_nothing_serves_attainment_goes_with_the_requests_it_is_about():
    life, spec = Life(**SLEEPS), {"decision": decision(1, 0)}
    slow = readings(objective(0.9, attainment_5m=0.6, attainment_1h=0.6))
    assert life.look(workload(1), *serving(), readings=slow).slo_attainment == "60.0%"
    (lately,) = life.look(workload(0), readings=readings(objective(None, State.MISSING, attainment_1h=0.6)), **spec).slo
    assert (lately.state, lately.observed, lately.attainment5m, lately.attainment1h) == ("IDLE", None, None, "60.0%")
    status = life.look(workload(0), readings=readings(objective(None, State.MISSING)), **spec)
    assert (status.slo[0].attainment1h, status.slo[0].error_budget, status.slo_attainment) == (None, None, None)


def test_recommendations_show_value_target_and_ratio():
    items = (
        Recommendation(Signal.TTFT, State.OK, 0.31, 0.5, 0.62, 2),
        Recommendation(Signal.KV_CACHE_USAGE, State.OK, 0.42, 0.85, 0.494, 1),
        Recommendation(Signal.WAITING_REQUESTS, State.MISSING),
    )
    shown = Life(**SCALING).look(workload(1), *serving(), decision=decision(1, 1, recommendations=items)).scaling
    ttft, cache, waiting = shown.recommendations
    assert (ttft.value, ttft.target, ttft.ratio, ttft.replicas) == ("310ms", "500ms", "0.62", 2)
    assert (cache.value, cache.target, cache.ratio) == ("42.0%", "85.0%", "0.49")
    assert (waiting.state, waiting.value, waiting.ratio, waiting.replicas) == ("MISSING", None, None, None)


@pytest.mark.parametrize(("there", "told"), [(2, False), (3, True)])
def test_a_decision_that_was_carried_out_is_told_although_another_write_was_refused(there, told):
    refused = Trouble(Reason.NAME_TAKEN, "NetworkPolicy llama exists")
    found = Life(**SCALING).look(workload(there), *serving(), decision=decision(2, 3, UP), refused=refused).scaling
    assert bool(found.history) is told


def scale(life: Life, from_: int, to: int, reason: DecisionReason = UP):
    return life.look(workload(from_), *serving(), decision=decision(from_, to, reason)).scaling


def test_a_decision_is_shown_with_its_time_and_sentence():
    life = Life(**SCALING)
    shown = scale(life, 1, 3).decision
    assert (shown.from_, shown.to, shown.reason, shown.message) == (1, 3, "ScaleUp", "1 -> 3")
    assert shown.time == timestamp(life.now)


def kept_by(reason, answer):
    """The signal of a decision that changes nothing; ITL asks for what there is, TTFT for less."""
    answers = (
        Recommendation(Signal.TTFT, State.OK, 0.1, 0.5, 0.2, 1, Cause.EXPECTED_LOAD),
        Recommendation(Signal.ITL, State.OK, 0.04, 0.05, 0.8, 2, Cause.EXPECTED_LOAD),
    )
    found = decision(2, 2, reason, recommendations=answers, answer=answer)
    return Life(**SCALING).look(workload(2), *serving("a", "b"), decision=found).scaling.decision.signal


def test_a_decision_that_keeps_replicas_names_the_signal_that_limits_it():
    by_load = Answer(2, Cause.EXPECTED_LOAD)
    assert kept_by(DecisionReason.WITHIN_TARGET, by_load) == "interTokenLatency"
    assert kept_by(DecisionReason.CONSOLIDATION_REFUSED, by_load) == "interTokenLatency"
    assert kept_by(DecisionReason.AT_MINIMUM, by_load) is None
    assert kept_by(DecisionReason.WITHIN_TARGET, Answer(2, Cause.TAKEN_BACK)) is None
    assert kept_by(DecisionReason.METRICS_ERROR, None) is None


def test_a_decision_that_leaves_an_objective_missed_says_why():
    found = decision(
        1, 1, DecisionReason.AT_MINIMUM, infeasible=(Signal.TTFT,), message="1 replica: minReplicas is enough"
    )
    shown = Life(**SCALING).look(workload(1), *serving(), decision=found).scaling.decision.message
    assert shown == (
        "1 replica: minReplicas is enough; too many requests miss timeToFirstToken even alone on a replica"
    )


def test_replicas_that_leave_a_service_that_misses_its_objective_anyhow_say_so():
    found = decision(3, 2, DecisionReason.SCALE_DOWN, infeasible=(Signal.TTFT,), message="3 -> 2 replicas")
    shown = Life(**SCALING).look(workload(3), *serving(), decision=found).scaling.decision.message
    assert shown == "3 -> 2 replicas; too many requests miss timeToFirstToken even alone on a replica"


def test_the_schema_names_every_reason_of_a_decision():
    told = DecisionStatus.model_fields["reason"].description
    assert set(re.findall(r"\w+", told.partition("One of ")[2])) == set(DecisionReason)


def test_a_decision_that_stays_in_force_keeps_its_time_and_origin():
    life = Life(**SCALING)
    first = scale(life, 1, 3).decision
    again = scale(life, 3, 3).decision
    assert (again.time, again.from_, again.to) == (first.time, 1, 3)


def test_the_history_has_the_changes_with_the_newest_first():
    life = Life(**SCALING)
    scale(life, 1, 3)
    scale(life, 3, 3, DecisionReason.WITHIN_TARGET)
    shown = scale(life, 3, 2, DOWN)
    assert [(entry.from_, entry.to, entry.reason) for entry in shown.history] == [
        (3, 2, "ScaleDown"),
        (1, 3, "ScaleUp"),
    ]
    assert shown.last_scale_time == timestamp(life.now)


def test_a_change_that_is_reported_again_is_one_change():
    life = Life(**SCALING)
    once = scale(life, 1, 3)
    again = scale(life, 1, 3)
    assert (again.history, again.last_scale_time) == (once.history, once.last_scale_time)


def test_the_same_change_after_another_is_a_change_of_its_own():
    life = Life(**SCALING)
    scale(life, 2, 3)
    scale(life, 2, 2, DecisionReason.ADOPTED_REPLICAS)
    assert len(scale(life, 2, 3).history) == 2


def test_the_history_is_bounded():
    life = Life(**SCALING)
    for replicas in range(1, 30):
        shown = scale(life, replicas, replicas + 1)
    assert len(shown.history) == HISTORY
    assert [entry.to for entry in shown.history] == list(range(30, 20, -1))


def test_no_change_is_no_history():
    shown = scale(Life(**SCALING), 2, 2, DecisionReason.WITHIN_TARGET)
    assert (shown.history, shown.last_scale_time) == ([], None)


@pytest.mark.parametrize("spec", [{"mode": "Paused"}, {"scaling": {**SCALING["scaling"], "mode": "Recommend"}}])
def test_what_is_only_recommended_did_not_happen(spec):
    life = Life(**(SCALING | spec))
    shown = scale(life, 1, 3)
    assert shown.decision.to == 3
    assert (shown.history, shown.last_scale_time) == ([], None)


def test_targets_are_shown_before_anything_is_measured():
    assert Life().look().resolved.objectives["timeToFirstToken"] == TTFT.text
