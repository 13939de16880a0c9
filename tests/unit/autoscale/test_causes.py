"""By which rule the law answers, and that what is shown is what it went by."""

from dataclasses import replace
from functools import cache
from math import ceil

import pytest
from aifactory.api.scaling import ScalingBehavior
from aifactory.autoscale.decision import Cause, Decision, DecisionReason
from aifactory.autoscale.fleet import Fleet
from aifactory.signals.objectives import Signal
from aifactory.signals.readings import PodReading

from tests.unit.autoscale.service import Service, Watch, readings, run, spec, steady

BY_LOAD = (Cause.EXPECTED_LOAD, Cause.PRESENT_LOAD, Cause.UNPROVEN)
ROOMY = {"waiting": 0.0, "running": 20.0, "kv": 0.1, "completed": 10.0}


def cause(decision: Decision, signal: Signal = Signal.TTFT) -> Cause | None:
    return next(one.cause for one in decision.recommendations if one.signal is signal)


@cache
def up_and_down() -> tuple[Decision, ...]:
    return tuple(run(Service(learns=True, base=0.12), spec(max_replicas=20), (1800, 4.0), (1800, 30.0), (3600, 6.0)))


@pytest.mark.parametrize(
    ("seen", "signal", "expected"),
    [
        ({"ttft": 0.62}, Signal.TTFT, Cause.ABOVE_THRESHOLD),
        ({"ttft": 0.24}, Signal.TTFT, Cause.WITHIN_THRESHOLDS),
        ({"ttft": 0.05}, Signal.TTFT, Cause.CONSOLIDATION),
        ({"ttft": 0.62, "running": 0.2, "completed": 0.1}, Signal.TTFT, Cause.ONE_AT_A_TIME),
        ({"waiting": 90.0}, Signal.WAITING_REQUESTS, Cause.QUEUE),
        ({"kv": 0.99}, Signal.KV_CACHE_USAGE, Cause.ABOVE_THRESHOLD),
    ],
)
def test_each_signal_names_its_rule(seen: dict[str, float], signal: Signal, expected: Cause) -> None:
    decision = Watch(steady(2)).see(readings(pods=2, **(ROOMY | seen)))
    assert cause(decision, signal) is expected


@pytest.mark.parametrize(("offered", "idle", "more"), [(1.0, 2, False), (1.0, 0, True), (6.0, 2, True)])
def test_what_waits_in_one_replica_and_came_before_the_others_asks_for_no_more(
    offered: float, idle: int, more: bool
) -> None:
    watch = Watch(steady(3), spec(max_replicas=30))
    seen = readings(pods=3, **(ROOMY | {"waiting": 900.0, "completed": 5.0, "offered": offered}))
    waiting = {f"pod-{index}": PodReading(8.0, 0.0 if index < idle else 900.0 / (3 - idle), 0.1) for index in range(3)}
    decision = watch.see(replace(seen, pods=waiting))
    (queue,) = (one for one in decision.recommendations if one.signal is Signal.WAITING_REQUESTS)
    assert queue.cause is (Cause.QUEUE if more else Cause.LEFT_OVER)
    assert queue.replicas is not None
    assert (queue.replicas > 3) == more


def test_a_ratio_is_value_over_limit_and_is_told_with_the_ratios_that_change_replicas() -> None:
    seen = readings(pods=2, **(ROOMY | {"ttft": 0.24, "waiting": 4.0, "kv": 0.34}))
    decision = Watch(steady(2)).see(seen, 300)
    told = {one.signal: one for one in decision.recommendations}
    for one in told.values():
        assert one.value is not None
        assert one.target is not None
        assert one.ratio == pytest.approx(one.value / one.target)
    assert (told[Signal.TTFT].adds_above, told[Signal.TTFT].removes_below) == (0.55, 0.40)
    for signal in (Signal.WAITING_REQUESTS, Signal.KV_CACHE_USAGE):
        assert (told[signal].adds_above, told[signal].removes_below) == (1.0, pytest.approx(0.40 / 0.55))


def test_a_latency_that_goes_by_load_is_told_without_thresholds() -> None:
    by_load = [one for decision in up_and_down() for one in decision.recommendations if one.cause in BY_LOAD]
    assert by_load
    assert all(one.adds_above is None and one.removes_below is None for one in by_load)


def test_a_decision_has_the_cause_of_the_answer_that_counted() -> None:
    queue = Watch(steady(2)).see(readings(pods=2, **(ROOMY | {"ttft": 0.24, "waiting": 900.0})))
    assert (queue.signal, queue.answer and queue.answer.cause) == (Signal.WAITING_REQUESTS, Cause.QUEUE)
    assert "to work off the queue" in queue.message


def test_a_missed_objective_is_not_said_to_be_where_it_should_be() -> None:
    """Requests run one at a time, and more replicas would not make them faster."""
    alone = readings(pods=2, **(ROOMY | {"ttft": 0.62, "running": 0.2, "completed": 0.1}))
    decision = Watch(steady(2)).see(alone)
    assert (decision.to, decision.reason) == (2, DecisionReason.OBJECTIVES_MISSED)
    assert "no signal asks for more" in decision.message


def test_without_signals_there_is_no_cause() -> None:
    assert Watch(steady(2)).see(None).answer is None


def test_replicas_for_load_are_those_that_it_takes_by_the_numbers_told() -> None:
    added = [one for one in up_and_down() if one.answer and one.answer.load and one.reason is DecisionReason.SCALE_UP]
    assert added
    for decision in added:
        assert decision.answer is not None
        assert decision.answer.load is not None
        load = decision.answer.load
        assert decision.answer.replicas == ceil(load.tokens / load.each - 1e-9)
        assert (decision.answer.cause is Cause.EXPECTED_LOAD) == (load.horizon_seconds is not None)


def test_the_forecast_shows_the_replicas_that_the_law_takes_for_it() -> None:
    shown = [one for one in up_and_down() if one.forecast is not None]
    by_load = [one for one in shown if cause(one) in BY_LOAD]
    assert len(by_load) > 100
    for decision in by_load:
        (answer,) = (one.replicas for one in decision.recommendations if one.signal is Signal.TTFT)
        assert decision.forecast is not None
        assert decision.forecast.replicas == answer


def test_replicas_that_are_kept_for_want_of_proof_say_so() -> None:
    causes = {cause(one) for one in up_and_down()}
    assert causes >= {Cause.EXPECTED_LOAD, Cause.UNPROVEN}


def test_replicas_leave_several_at_a_time_but_for_one() -> None:
    ebb = ((60.0, 30.0 - 1.6 * minute) for minute in range(16))
    scaling = spec(max_replicas=20, behavior=ScalingBehavior())
    decisions = run(Service(learns=True), scaling, (1800.0, 4.0), (600.0, 30.0), *ebb, (900.0, 6.0))
    steps = [one.from_ - one.to for one in decisions if one.to < one.from_]
    assert sorted(steps)[:2] == [1, 2]
    assert decisions[-1].to == 3


def test_a_small_step_does_not_wait_for_ever_where_panic_always_comes_with_the_peak() -> None:
    watch = Watch(steady(40), spec(max_replicas=100, behavior=ScalingBehavior()))
    for minute in range(60):
        for tick in range(4):
            burst = minute % 2 == 0 and tick == 0
            need = 44.0 if burst else 20.0
            seen = readings(
                pods=watch.fleet.replicas,
                ttft=0.05,
                running=2.0 * watch.fleet.replicas,
                kv=0.51 * need / watch.fleet.replicas,
                offered=12.0 if burst else 5.0,
            )
            watch.fleet = steady(watch.see(seen).to)
    assert 30 <= watch.fleet.replicas < 35


def test_near_its_target_load_is_expected_before_it_is_known_what_a_replica_carries() -> None:
    watch = Watch(steady(4, starts={"pod-0": 300.0}), spec(max_replicas=20))
    seen = readings(pods=4, ttft=0.38, completed=8.0, tokens=800.0, prompts=8000.0)
    watch.see(seen, 120.0)
    decision = watch.see(seen)
    assert (decision.to, cause(decision)) == (5, Cause.EXPECTED_LOAD)


def test_what_misses_its_target_under_a_load_that_fits_grows_by_its_ratio() -> None:
    service = Service(learns=True)
    run(service, spec(max_replicas=20), (3600, 4.0), (1800, 8.0))
    ready = service.fleet(service.now).ready
    watch = Watch(steady(ready), spec(max_replicas=20))
    watch.memory, watch.now = service.memory, service.now
    slow = readings(pods=ready, ttft=0.9, completed=8.0, tokens=800.0, prompts=8000.0)
    found = [watch.see(slow) for _ in range(8)]
    grown = [one for one in found if cause(one) is Cause.TARGET_MISSED]
    assert grown
    assert all("grown by the ratio, as the target is missed" in one.message for one in grown if one.changes)


@pytest.mark.parametrize(("offered", "grows"), [(12.0, False), (18.0, True)])
def test_it_does_not_while_new_replicas_work_off_what_waited_before_they_came(offered: float, grows: bool) -> None:
    watch = Watch(steady(2), spec(max_replicas=40))
    watch.see(readings(pods=2, ttft=0.4, running=20.0, completed=8.0, tokens=800.0, prompts=8000.0), 120.0)
    watch.see(readings(pods=2, ttft=3.0, running=20.0, completed=8.0, tokens=800.0, prompts=8000.0), 60.0)
    watch.fleet = steady(6)
    late = readings(pods=6, ttft=3.0, running=60.0, completed=12.0, offered=offered, tokens=1200.0, prompts=12000.0)
    decision = watch.see(late, 60.0)
    assert (cause(decision) is Cause.TARGET_MISSED) == grows


@pytest.mark.parametrize("more", [0, 1])
def test_a_replica_that_stands_in_for_one_that_does_not_start_says_so_from_when_it_is_asked_for(more: int) -> None:
    service = Service(learns=True)
    run(service, spec(max_replicas=20), (3600, 4.0))
    ready = service.fleet(service.now).ready
    watch = Watch(Fleet(ready + more, ready, overdue=1), spec(max_replicas=20))
    watch.memory, watch.now = service.memory, service.now
    decision = watch.see(service.serve(4.0, service.now, 15.0))
    assert (decision.to, cause(decision)) == (ready + 1, Cause.STAND_IN)


def test_a_ratio_is_cut_off_at_twice_the_limit_for_every_signal() -> None:
    decision = Watch(steady(2)).see(readings(pods=2, **(ROOMY | {"ttft": 5.0, "waiting": 900.0})), 600)
    ratios = {one.signal: one.ratio for one in decision.recommendations}
    assert ratios[Signal.TTFT] == pytest.approx(2.0, abs=0.01)
    assert ratios[Signal.WAITING_REQUESTS] == 2.0


def test_a_target_that_no_replicas_keep_is_no_reason_against_fewer() -> None:
    service = Service(learns=True, base=0.6)
    decisions = run(service, spec(max_replicas=20), (3600, 4.0), (3600, 8.0))
    hopeless = [one for one in decisions if Signal.TTFT in one.infeasible and one.forecast]
    assert hopeless
    assert not [other for one in hopeless for other in one.rejected if other.signal is Signal.TTFT]


def test_a_scale_down_that_was_taken_back_is_the_cause_of_what_is_kept() -> None:
    decisions = run(Service(cliff=True), spec(max_replicas=10), (7200, 14.0))
    kept = [one for one in decisions if one.answer and one.answer.cause is Cause.TAKEN_BACK]
    assert kept
    assert all("had to be taken back" in one.message for one in kept if one.reason is DecisionReason.WITHIN_TARGET)


def test_one_replica_fewer_that_would_keep_the_target_says_what_asks_for_more() -> None:
    decisions = run(Service(cliff=True, learns=True), spec(max_replicas=10), (7200, 14.0))
    kept = [one for one in decisions if one.answer and one.answer.cause is Cause.TAKEN_BACK and not one.changes]
    fewer = [other for one in kept for other in one.rejected if other.ratio is not None and other.ratio < 1]
    assert fewer
    assert {one.cause for one in fewer} == {Cause.TAKEN_BACK}


def test_a_load_that_fits_by_estimate_alone_shows_both_numbers_of_a_replica() -> None:
    unproven = [one for one in up_and_down() if cause(one) is Cause.UNPROVEN]
    assert unproven
    for one in unproven:
        assert one.capacity is not None
        assert one.forecast is not None
        assert one.forecast.upper > one.capacity.per_replica * one.forecast.replicas
        assert one.capacity.estimated is None or one.capacity.estimated > one.capacity.per_replica
