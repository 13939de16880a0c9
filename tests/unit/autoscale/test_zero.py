"""When the last replica goes, and what brings one back."""

from dataclasses import replace
from datetime import timedelta

import pytest
from aifactory.api.scaling import ScaleToZero, ScalingFallback, ScalingMode, ScalingSpec
from aifactory.autoscale.decision import DecisionReason
from aifactory.autoscale.fleet import Fleet
from aifactory.autoscale.zero import UNATTENDED_SECONDS, activated
from aifactory.signals.readings import ObjectiveReading, Reading, ServiceReadings, State
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.autoscale.service import SCALING, TICK, TTFT, Watch, readings, steady

AFTER = 600.0
SLEEPS = ScalingSpec(min_replicas=0, max_replicas=10, scale_to_zero=ScaleToZero(after=timedelta(seconds=AFTER)))
LAST = Fleet(1, 1, activator=True)
NONE = Fleet(0, 0, activator=True)


def idle(**more: float) -> ServiceReadings:
    """Nobody asks, and every pod says so."""
    quiet = {"waiting": 0.0, "running": 0.0, "kv": 0.0, "completed": 0.0, "tokens": 0.0, **more}
    return replace(readings(**quiet), objectives=(ObjectiveReading(TTFT, Reading(None, State.IDLE)),))


def watch(fleet: Fleet = LAST, scaling: ScalingSpec = SLEEPS) -> Watch:
    return Watch(fleet, scaling)


def test_rule_10_the_last_replica_goes_when_nobody_has_asked_for_long_enough_and_not_before() -> None:
    seen = watch()
    decision = seen.see(idle(), AFTER)
    assert (decision.to, decision.reason) == (1, DecisionReason.LAST_REPLICA)
    decision = seen.see(idle())
    assert (decision.to, decision.reason) == (0, DecisionReason.SCALED_TO_ZERO)


@pytest.mark.parametrize(
    "busy",
    [{"running": 1.0}, {"waiting": 1.0}, {"completed": 0.02}, {"tokens": 0.5}],
    ids=["runs", "waits", "came and went between two readings", "of an engine that counts only tokens"],
)
def test_rule_10_one_request_begins_a_new_wait(busy: dict[str, float]) -> None:
    seen = watch()
    seen.see(idle(), AFTER)
    assert seen.see(idle(**busy)).to == 1
    assert seen.see(idle(), AFTER).to == 1
    assert seen.see(idle()).to == 0


@pytest.mark.parametrize(
    "unclear",
    [
        None,
        replace(idle(), error="down"),
        replace(idle(), pods={}),
        replace(idle(), running=Reading(None, State.STALE)),
        replace(idle(), waiting=Reading(None, State.MISSING)),
        replace(idle(), completed=Reading(None, State.ERROR)),
        replace(idle(), objectives=(ObjectiveReading(TTFT, Reading(None, State.MISSING)),)),
    ],
    ids=["no snapshot", "no Prometheus", "not scraped", "stale", "no gauge", "no counter", "no histogram"],
)
def test_rule_10_signals_that_are_not_clear_never_take_the_last_replica(unclear: ServiceReadings | None) -> None:
    seen = watch()
    assert seen.see(unclear, 10 * AFTER).to == 1
    seen.see(idle(), AFTER)
    assert seen.see(unclear).to == 1, "however long it was idle before"


def test_rule_10_nobody_knows_what_came_during_an_outage() -> None:
    seen = watch()
    seen.see(idle(), AFTER)
    seen.see(None, 120)
    assert seen.see(idle(), AFTER).to == 1
    assert seen.see(idle()).to == 0


def test_rule_10_counters_tell_what_came_while_one_reading_was_missed() -> None:
    seen = watch()
    seen.see(idle(), AFTER - TICK)
    seen.see(None)
    assert seen.see(idle(), 2 * TICK).to == 0


@pytest.mark.parametrize(
    ("fleet", "why"),
    [
        (Fleet(1, 1), DecisionReason.ACTIVATOR_NOT_READY),
        (Fleet(1, 1, rolling_out=True, activator=True), DecisionReason.ROLLOUT_IN_PROGRESS),
        (Fleet(1, 1, loading=1, activator=True), DecisionReason.SCALING_IN_PROGRESS),
        (Fleet(1, 1, unschedulable=1, activator=True), DecisionReason.SCALING_IN_PROGRESS),
    ],
)
def test_rule_10_the_last_replica_stays_when_it_could_not_go_well(fleet: Fleet, why: DecisionReason) -> None:
    decision = watch(fleet).see(idle(), 2 * AFTER)
    assert (decision.to, decision.reason, decision.limited_by) == (1, why, why)


def test_rule_10_a_stuck_engine_keeps_its_replica() -> None:
    assert watch().see(idle(waiting=3.0), 10 * AFTER).to == 1


def test_several_replicas_go_as_ever_and_the_last_one_after_them() -> None:
    seen = watch(Fleet(2, 2, activator=True))
    decision = seen.see(idle(pods=2), 2 * AFTER)
    assert (decision.to, decision.reason) == (1, DecisionReason.IDLE)
    seen.fleet = LAST
    assert seen.see(idle()).to == 0, "nobody has asked in all that time"


def test_a_replica_that_must_stay_stays() -> None:
    assert watch(scaling=SCALING).see(idle(), 10 * AFTER).to == 1


def test_without_replicas_signals_have_nothing_to_say() -> None:
    seen = watch(NONE)
    for said in (idle(pods=0), readings(pods=0, waiting=50.0), None):
        decision = seen.see(said, 3600)
        assert (decision.to, decision.reason) == (0, DecisionReason.SCALED_TO_ZERO)


def test_a_decision_for_no_replica_promises_none_as_only_mode_apply_brings_one_back() -> None:
    for mode in ScalingMode:
        decision = watch(NONE, SLEEPS.model_copy(update={"mode": mode})).see(None)
        assert decision.message == "0 replicas: nobody asks, and none is needed until somebody does"


def test_a_woken_service_stays_until_it_has_served_and_nobody_asks_again() -> None:
    seen = watch(NONE)
    seen.see(None)
    assert (activated().from_, activated().to) == (0, 1)
    seen.memory, seen.fleet = replace(seen.memory, asked=1), Fleet(1, 0, loading=1, activator=True)
    assert seen.see(None, 10 * AFTER).to == 1, "it loads, however long that takes"
    seen.fleet = LAST
    assert seen.see(idle(), AFTER).to == 1
    assert seen.see(idle()).to == 0


def test_the_fallback_does_not_count_the_time_for_which_a_service_slept() -> None:
    scaling = SLEEPS.model_copy(update={"fallback": ScalingFallback(replicas=6, after=timedelta(minutes=10))})
    seen = watch(NONE, scaling)
    seen.see(None, 8 * 3600)
    seen.memory, seen.fleet = replace(seen.memory, asked=1), LAST
    assert seen.see(None).to == 1, "it serves before it was scraped"
    assert seen.see(None, 600).to > 1


def test_a_service_that_nobody_can_wake_does_not_sleep() -> None:
    seen = watch(Fleet(0, 0))
    assert seen.see(None, UNATTENDED_SECONDS).to == 0, "an activator may be replaced"
    decision = seen.see(None)
    assert (decision.to, decision.reason) == (1, DecisionReason.ACTIVATOR_NOT_READY)


def test_an_activator_that_comes_back_in_time_lets_it_sleep_on() -> None:
    seen = watch(Fleet(0, 0))
    seen.see(None, UNATTENDED_SECONDS)
    seen.fleet = NONE
    seen.see(None)
    seen.fleet = Fleet(0, 0)
    assert seen.see(None, UNATTENDED_SECONDS).to == 0


def test_raised_bounds_wake_a_service() -> None:
    seen = watch(NONE)
    seen.see(None)
    seen.scaling = ScalingSpec(min_replicas=2, max_replicas=10)
    decision = seen.see(None)
    assert (decision.to, decision.reason) == (2, DecisionReason.BOUNDS_CHANGED)


@given(
    st.lists(st.sampled_from(["idle", "busy", "blind"]), max_size=60),
    st.booleans(),
)
def test_the_last_replica_only_ever_goes_at_the_end_of_an_idle_time(steps: list[str], activator: bool) -> None:
    scaling = ScalingSpec(min_replicas=0, max_replicas=3, scale_to_zero=ScaleToZero(after=timedelta(seconds=5 * TICK)))
    seen, quiet = Watch(replace(steady(1), activator=activator), scaling), 0
    for step in steps:
        shown = {"idle": idle(), "busy": readings(), "blind": None}[step]
        quiet = 0 if step == "busy" else quiet + 1
        decision = seen.see(shown)
        assert decision.to >= 1 or (activator and step == "idle" and quiet > 5)
