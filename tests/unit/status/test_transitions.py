"""`kubectl describe` tells the story of a service: each turn once, and nothing in between."""

from dataclasses import replace

from aifactory.api.status import Condition
from aifactory.autoscale.decision import DecisionReason
from aifactory.signals.readings import State
from aifactory.status.report import rejected
from aifactory.status.transitions import Event, transitions

from tests.unit.status.scene import (
    SCALING,
    Life,
    condition,
    decision,
    objective,
    pod,
    readings,
    serving,
    stuck,
    workload,
)

PULL = stuck("ImagePullBackOff", "not found")
HEALTHY = {"readings": readings(objective(0.3)), "decision": decision(1, 1)}


def kinds(events: list[Event]) -> list[tuple[str, str]]:
    return [(event.type, event.reason) for event in events]


def test_a_service_that_starts_well_tells_only_that_it_is_ready():
    life = Life(**SCALING)
    life.look()
    life.look(workload(1, available=0), pod())
    life.look(workload(1), *serving(), **HEALTHY)
    assert life.told == [Event("Normal", "Ready", "all required replicas serve")]


def slo_met(life: Life, latencies: list[float], seconds: float = 15.0) -> list[str]:
    """SLOMet when so many seconds pass between one latency (target 500 ms, window 60 s) and the next."""
    found = []
    for latency in latencies:
        seen = replace(readings(objective(latency)), time=life.now)
        status = life.look(workload(1), *serving(), readings=seen, decision=decision(1, 1))
        life.now += seconds - 60
        found.append(condition(status, "SLOMet").status)
    return found


def test_a_latency_around_its_target_is_two_events_and_not_one_for_each_tick():
    life = Life(**SCALING)
    assert slo_met(life, [0.4, 0.6, 0.4, 0.6, 0.4, 0.6, *[0.4] * 5]) == ["True", *["False"] * 8, "True", "True"]
    assert kinds(life.told) == [
        ("Normal", "Ready"),
        ("Warning", "ObjectivesMissed"),
        ("Normal", "ObjectivesMet"),
    ]


def test_a_missed_objective_is_told_at_once_and_what_holds_it_is_said():
    life = Life(**SCALING)
    assert slo_met(life, [0.4, 0.6, 0.4]) == ["True", "False", "False"]
    assert condition(life.status, "SLOMet").message == (
        "missed 15s ago; met now, which is told once it has been so for a whole window of 1m"
    )


def test_an_objective_that_nobody_asks_for_any_more_is_not_missed():
    life = Life(**SCALING)
    slo_met(life, [0.6])
    idle = replace(readings(objective(None, State.IDLE)), time=life.now)
    status = life.look(workload(1), *serving(), readings=idle, decision=decision(1, 1))
    assert condition(status, "SLOMet").status == "Unknown"


def test_nothing_is_told_while_nothing_changes():
    life = Life()
    life.look(workload(1, available=0), PULL)
    life.look(workload(1, available=0), PULL)
    assert life.events == []


def test_one_cause_is_one_warning():
    life = Life()
    life.look(workload(1, available=0), PULL)
    assert kinds(life.events) == [("Warning", "ImagePullFailed")]
    assert "not found" in life.events[0].message


def test_an_invalid_spec_is_one_warning():
    life = Life()
    life.look(workload(1), *serving())
    after = rejected(life.status, 2, "replicas: set replicas or scaling, not both", life.now)
    assert kinds(transitions(life.status.conditions, after.conditions)) == [("Warning", "InvalidSpec")]


def test_a_cause_that_is_found_later_is_told_though_ready_was_false_already():
    life = Life()
    life.look(workload(1), *serving())
    life.look(workload(1, available=0), pod())
    life.look(workload(1, available=0), PULL)
    assert kinds(life.events) == [("Warning", "ImagePullFailed")]


def test_the_end_of_a_trouble_is_told():
    life = Life()
    life.look(workload(1, available=0), PULL)
    life.look(workload(1), *serving())
    assert kinds(life.events) == [("Normal", "Ready"), ("Normal", "StalledResolved")]


def test_a_missed_objective_and_its_recovery_are_told_once_each():
    life = Life(**SCALING)
    for value in (0.3, 0.3, 0.9, 0.8, 0.7, 0.4, 0.3):
        seen = replace(readings(objective(value)), time=life.now)
        life.look(workload(1), *serving(), readings=seen, decision=decision(1, 1))
    assert kinds(life.told) == [
        ("Normal", "Ready"),
        ("Warning", "ObjectivesMissed"),
        ("Normal", "ObjectivesMet"),
    ]


def test_missing_signals_and_their_return_are_told():
    life = Life(**SCALING)
    life.look(workload(1), *serving(), **HEALTHY)
    life.look(workload(1), *serving(), readings=readings(error="connection refused"), decision=decision(1, 1))
    assert kinds(life.events) == [("Warning", "PrometheusUnreachable")]
    life.look(workload(1), *serving(), **HEALTHY)
    assert kinds(life.events) == [("Normal", "MetricsRead")]


def test_a_shortage_and_its_end_are_told():
    life = Life(**SCALING)
    short = decision(2, 2, DecisionReason.GPU_SHORTAGE, gpu_shortage=True)
    life.look(workload(1), *serving(), **HEALTHY)
    life.look(workload(2, 1), *serving(), decision=short, readings=HEALTHY["readings"])
    assert kinds(life.events) == [("Warning", "InsufficientGPUs")]
    life.look(workload(1), *serving(), **HEALTHY)
    assert kinds(life.events) == [("Normal", "GPUShortageResolved")]


def test_an_idle_service_tells_nothing():
    life = Life(**SCALING)
    life.look(workload(1), *serving(), **HEALTHY)
    life.look(workload(1), *serving(), readings=readings(objective(None, State.IDLE)), decision=decision(1, 1))
    assert life.events == []


def test_a_rollout_tells_when_it_is_done():
    life = Life()
    life.look(workload(1), *serving())
    life.edit()
    life.look(workload(1, total=2, updated=1), *serving(), pod("b", template_hash="two"))
    assert life.events == []
    life.look(workload(1), *serving("b", template_hash="two"))
    assert kinds(life.events) == [("Normal", "Ready")]


def test_conditions_of_other_versions_of_the_operator_are_ignored():
    old = Condition(type="SomethingElse", status="True", reason="Old", last_transition_time="2026-01-01T00:00:00Z")
    assert transitions([old], []) == ()
