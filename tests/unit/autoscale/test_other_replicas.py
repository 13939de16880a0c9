"""What was learned of replicas holds for replicas like them: others begin anew, when all those before are gone."""

from dataclasses import replace
from datetime import timedelta

import pytest
from aifactory.autoscale import carrying
from aifactory.autoscale.fleet import Fleet
from aifactory.autoscale.knowledge import Knowledge
from aifactory.autoscale.law import decide_replicas
from aifactory.autoscale.memory import Memory
from aifactory.autoscale.ratios import Measure
from aifactory.observed import Group, Pod, Workload, together
from aifactory.signals.objectives import Signal
from aifactory.signals.readings import State

from tests.unit.autoscale.service import SCALING, TTFT, Service, readings, run, spec

HOUR, MINUTE = 3600.0, 60.0
OLD, NEW = "old", "new"
TIMEOUT = timedelta(minutes=30)


@pytest.fixture(scope="module")
def learned() -> Service:
    """A service that has learned what its replicas carry."""
    found = Service(learns=True)
    run(found, spec(max_replicas=20), (HOUR, 8.0), (HOUR, 16.0))
    found.memory = replace(found.memory, knowledge=replace(found.memory.knowledge, capability=OLD))
    return found


def after(service: Service, fleet: Fleet, seconds: float = MINUTE) -> Memory:
    """What is remembered after some time in which this fleet serves as before."""
    memory, now, end = service.memory, service.now, service.now + seconds
    while now < end:
        now += 15
        seen = service.serve(10.0, now, 15)
        _, memory = decide_replicas(SCALING, (TTFT,), fleet, seen, memory, now)
    return memory


def fleet(capability: str, **more: bool) -> Fleet:
    return Fleet(4, 4, capability=capability, **more)


def slope(memory: Memory) -> float | None:
    curve = memory.knowledge.curves.get(Signal.TTFT)
    return None if curve is None else curve.weight


def test_other_replicas_begin_anew(learned: Service) -> None:
    memory = after(learned, fleet(NEW), 15.0)
    assert memory.knowledge.curves == {}
    assert memory.base == {}
    assert memory.knowledge.startup_seconds == Knowledge().startup_seconds
    assert memory.knowledge.capability == NEW


def test_the_load_that_comes_and_the_promise_so_far_are_those_of_the_service(learned: Service) -> None:
    before, now = learned.memory.knowledge, after(learned, fleet(NEW), 15.0).knowledge
    assert set(before.demand.bins[1:-1]) <= set(now.demand.bins)
    assert now.budget.requests >= before.budget.requests * 0.9


def test_what_they_carry_is_learned_anew(learned: Service) -> None:
    assert slope(after(learned, fleet(NEW), 2 * MINUTE)) is not None


def test_replicas_that_are_the_same_keep_everything(learned: Service) -> None:
    before = slope(learned.memory)
    assert before is not None
    for one in (fleet(OLD), fleet(OLD, rolling_out=True), fleet("")):
        found = slope(after(learned, one))
        assert found is not None
        assert found > before * 0.9


def test_while_both_serve_nothing_is_forgotten_and_nothing_learned(learned: Service) -> None:
    memory = after(learned, fleet(NEW, rolling_out=True), HOUR)
    assert memory.knowledge.curves == learned.memory.knowledge.curves
    assert memory.knowledge.capability == OLD


def test_a_missed_objective_waits_only_for_replicas_of_which_it_is_known_what_they_carry(learned: Service) -> None:
    """Of the former ones it is known whether those that start are enough, of others it is not."""
    known, missed = learned.memory.knowledge, Measure(Signal.TTFT, State.OK, 0.8, 0.5, 1.6, missed=True)
    starting, seen = replace(fleet(OLD), replicas=5, loading=1), readings(now=learned.now, pods=4)
    assert carrying.awaited(missed, seen, starting, known)
    assert carrying.awaited(missed, seen, replace(starting, rolling_out=True), known)
    assert not carrying.awaited(missed, seen, replace(starting, rolling_out=True, capability=NEW), known)
    assert not carrying.awaited(missed, seen, replace(starting, mixed=True), known)


def test_for_a_window_a_missed_objective_is_that_of_the_replicas_before(learned: Service) -> None:
    missed, seen = Measure(Signal.TTFT, State.OK, 0.8, 0.5, 1.6, missed=True), readings(now=learned.now, pods=4)
    known = replace(learned.memory.knowledge, serving=4, serving_since=learned.now - 30.0)
    assert carrying.awaited(missed, seen, fleet(OLD), known)
    assert not carrying.awaited(missed, seen, fleet(OLD), replace(known, serving_since=learned.now - MINUTE))


def test_a_change_that_is_taken_back_has_cost_nothing(learned: Service) -> None:
    tried = after(learned, fleet(NEW, rolling_out=True), HOUR)
    back = after(replace(learned, memory=tried), fleet(OLD, rolling_out=True), 15.0)
    assert back.knowledge.curves.keys() == learned.memory.knowledge.curves.keys()


def test_a_canary_teaches_nothing_about_the_others(learned: Service) -> None:
    memory = after(learned, fleet(OLD, mixed=True), HOUR)
    assert memory.knowledge.curves == learned.memory.knowledge.curves


def test_a_canary_like_the_others_teaches_as_they_do() -> None:
    def both(capability: str) -> Fleet:
        stable, canary = Workload(3, capability=OLD), Workload(1, capability=capability)
        pods = tuple(Pod(f"pod-{index}", 0.0, ready=True) for index in range(4))
        group = together(Group(stable, pods[:3]), Group(canary, pods[3:]), None)
        return Fleet.of(group, TIMEOUT, 100.0)

    assert (both(NEW).capability, both(NEW).mixed) == (OLD, True)
    assert not both(OLD).mixed


def test_replicas_are_removed_only_when_others_were_watched_for_a_whole_window(learned: Service) -> None:
    now = learned.now + 15
    memory = after(learned, fleet(NEW), 15.0)
    assert memory.watched_since == now


@pytest.mark.parametrize(("capability", "kept"), [(OLD, True), ("", True), (NEW, False)])
def test_over_a_restart_too(learned: Service, capability: str, kept: bool) -> None:
    memory = Memory().restored(learned.memory.learned(), learned.now, OLD)
    found = after(replace(learned, memory=memory), fleet(capability), 15.0)
    assert bool(found.knowledge.curves) is kept


def test_what_was_learned_of_nobody_knows_whom_is_believed(learned: Service) -> None:
    memory = Memory().restored(learned.memory.learned(), learned.now)
    found = after(replace(learned, memory=memory), fleet(NEW), 15.0)
    assert found.knowledge.curves
    assert found.knowledge.capability == NEW
