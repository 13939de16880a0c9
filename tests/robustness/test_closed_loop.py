"""The law in a loop with a service that answers to it, on virtual time."""

from itertools import pairwise

import pytest
from aifactory.api.scaling import ScalingSpec
from aifactory.autoscale.decision import Decision, DecisionReason

from tests.unit.autoscale.service import TICK, Service, run, spec

SCALING = spec(max_replicas=20)
MINUTE = 60.0
HOUR = 3600.0


def reversals(decisions: list[Decision]) -> int:
    """Changes of direction."""
    steps = [decision.to - decision.from_ for decision in decisions if decision.changes]
    return sum(one * other < 0 for one, other in pairwise(steps))


def test_a_step_of_load_is_met_and_settles_without_breach() -> None:
    service = Service()
    run(service, SCALING, (10 * MINUTE, 1.0), (10 * MINUTE, 20.0))
    assert 5 <= service.replicas <= SCALING.max_replicas
    before = service.breached
    assert before <= 3 * MINUTE  # the time that new replicas take to load, and the queue to go
    run(service, SCALING, (HOUR, 20.0))
    assert service.breached == before


def test_when_load_falls_replicas_leave_one_by_one() -> None:
    service = Service()
    run(service, SCALING, (30 * MINUTE, 20.0))
    busy, breached = service.replicas, service.breached
    decisions = run(service, SCALING, (HOUR, 0.5))
    steps = [decision.to - decision.from_ for decision in decisions if decision.changes]
    assert steps == [-1] * (busy - 1)
    assert service.replicas == 1
    assert service.breached == breached


def test_replicas_leave_not_faster_than_the_period_allows() -> None:
    service = Service()
    run(service, SCALING, (30 * MINUTE, 20.0))
    decisions = run(service, SCALING, (HOUR, 0.5))
    times = [index * TICK for index, decision in enumerate(decisions) if decision.changes]
    assert all(later - earlier >= 2 * MINUTE for earlier, later in pairwise(times))


def test_prometheus_going_away_at_the_peak_changes_nothing() -> None:
    service = Service()
    run(service, SCALING, (30 * MINUTE, 20.0))
    peak = service.replicas
    decisions = run(service, SCALING, (30 * MINUTE, 20.0), blind=True)
    assert service.replicas == peak
    assert {decision.reason for decision in decisions} == {DecisionReason.METRICS_ERROR}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("load", [3.0, 8.0, 15.0, 22.0, 30.0, 45.0])
def test_noise_around_a_steady_load_does_not_make_it_flap(load: float, seed: int) -> None:
    service = Service(noise=0.4, seed=seed)
    run(service, SCALING, (HOUR, load))
    assert reversals(run(service, SCALING, (3 * HOUR, load))) <= 1


def test_a_scale_down_that_was_taken_back_is_tried_ever_less_often() -> None:
    service = Service(cliff=True)
    run(service, SCALING, (HOUR, 14.0))
    first = reversals(run(service, SCALING, (6 * HOUR, 14.0)))
    later = reversals(run(service, SCALING, (6 * HOUR, 14.0)))
    assert 0 <= later < first <= 8


def test_slow_starts_do_not_make_it_race_to_the_maximum() -> None:
    service = Service(startup=7 * MINUTE)
    run(service, SCALING, (10 * MINUTE, 1.0), (7 * MINUTE, 6.0))
    assert service.replicas < 10


def test_missing_gpus_do_not_churn() -> None:
    service = Service(gpus=3)
    decisions = run(service, SCALING, (HOUR, 30.0))
    changes = [decision for decision in decisions if decision.changes]
    assert decisions[-1].gpu_shortage
    assert all(decision.to > decision.from_ for decision in changes)
    assert len(changes) <= 3


LEARNS = ScalingSpec(max_replicas=20)


@pytest.mark.parametrize("load", [8.0, 15.0, 22.0, 30.0, 45.0])
def test_what_a_replica_carries_is_learned(load: float) -> None:
    service = Service(learns=True)
    run(service, LEARNS, (HOUR, load))
    before = service.breached
    run(service, LEARNS, (4 * HOUR, load))
    # 0.075 s alone and a limit of 0.45 s: a replica carries 5 x (1 - 0.075 / 0.45) = 4.2 requests per second
    assert service.replicas <= load / 4.2 + 2
    assert service.breached - before <= 0.03 * 4 * HOUR  # what trying fewer replicas costs


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("load", [3.0, 8.0, 15.0, 22.0, 30.0, 45.0])
def test_noise_does_not_make_it_flap_either_when_it_learns(load: float, seed: int) -> None:
    service = Service(noise=0.4, seed=seed, learns=True)
    run(service, LEARNS, (HOUR, load))
    assert reversals(run(service, LEARNS, (3 * HOUR, load))) <= 8


def test_a_cliff_is_tried_ever_less_often_when_it_learns() -> None:
    service = Service(cliff=True, learns=True)
    run(service, LEARNS, (HOUR, 14.0))
    first = reversals(run(service, LEARNS, (6 * HOUR, 14.0)))
    later = reversals(run(service, LEARNS, (6 * HOUR, 14.0)))
    assert later <= max(2, first // 2)


def test_load_that_falls_takes_replicas_along_in_few_steps_when_it_learns() -> None:
    service = Service(learns=True)
    run(service, LEARNS, (30 * MINUTE, 20.0))
    breached = service.breached
    decisions = run(service, LEARNS, (HOUR, 0.5))
    assert service.replicas == 1
    assert len([decision for decision in decisions if decision.changes]) <= 4
    assert service.breached == breached
