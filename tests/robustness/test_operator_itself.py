"""The operator restarts, or its clock is wrong."""

from collections.abc import Callable

import pytest
from aifactory.api.status import InferenceServiceStatus
from aifactory.autoscale.memory import Memory
from aifactory.simulate.world import World
from aifactory.status import learned
from aifactory.status.report import dump

from tests.robustness.loads import MINUTE, steady, steps
from tests.robustness.loop import CASES, IDLE, RAMP, Run, Watched, run, usual


class Restarted:
    """An operator that forgets at some times all it knew, but for what its status `keeps`."""

    def __init__(self, keeps: bool = False) -> None:
        self.operator: Watched | None = None
        self.keeps = keeps

    def prepare(self, operator: Watched) -> None:
        self.operator = operator

    def __call__(self, world: World, now: float) -> None:
        assert self.operator is not None
        self.operator.memory = Memory()
        if self.keeps:
            last = self.operator.ticks[-1]
            stored = InferenceServiceStatus.of({"status": dump(last.status)})
            values = learned.recalled(stored.scaling_of(self.operator.role.name))
            self.operator.memory = Memory().restored(values, last.clock)


def restarted(case: str, *at: float, keeps: bool = False) -> Run:
    one, restart = CASES[case], Restarted(keeps)
    return run(one.load, replicas=one.replicas, operator=restart.prepare, events=[(time, restart) for time in at])


@pytest.mark.parametrize("case", CASES)
def test_rule_05_a_restart_costs_nothing_but_a_window(case: str) -> None:
    one = CASES[case]
    found = restarted(case, one.begins + 1)
    assert found.removed(one.begins, one.begins + 5 * MINUTE) == 0
    assert found.attainment() >= one.usual.attainment() - 0.01
    assert found.most() <= one.usual.most() + 1
    assert found.returns() <= one.usual.returns()


@pytest.mark.parametrize("case", ["peak", "mid-ramp"])
def test_what_a_replica_carries_and_how_long_it_starts_outlive_a_restart(case: str) -> None:
    """Through the status as the API server keeps it; without it the law would begin with what it assumes."""
    begins = CASES[case].begins + 90
    found = restarted(case, begins + 1, keeps=True)
    before, after = (tick.decision for tick in (found.within(end=begins + 1)[-1], found.within(begins + 1)[0]))
    assert before.capacity is not None
    assert before.forecast is not None
    assert after.capacity is not None
    assert after.forecast is not None
    assert after.capacity.per_replica == pytest.approx(before.capacity.per_replica, rel=0.1)
    assert after.capacity.confidence == pytest.approx(before.capacity.confidence, abs=0.05)
    assert after.forecast.horizon_seconds == pytest.approx(before.forecast.horizon_seconds, rel=0.05)
    assert after.to >= before.to
    assert found.removed(begins, begins + 5 * MINUTE) == 0
    assert found.attainment() >= CASES[case].usual.attainment() - 0.01


def test_an_operator_that_restarts_every_two_minutes_still_scales_up_and_never_down() -> None:
    found = restarted("mid-ramp", *(at * 2 * MINUTE + 1 for at in range(1, 11)))
    assert found.attainment() >= RAMP.usual.attainment() - 0.02
    assert found.removed() == 0


def test_an_operator_that_was_away_for_ten_minutes_of_the_ramp_catches_up() -> None:
    """Pods serve on meanwhile; then it starts without memory."""
    away, back = 4 * MINUTE, 10 * MINUTE
    restart = Restarted()

    def prepare(operator: Watched) -> None:
        restart.prepare(operator)
        operator.away = lambda now: away <= now < back

    found = run(RAMP.load, replicas=RAMP.replicas, operator=prepare, events=[(back, restart)])
    assert found.actions(away, back) == []
    assert found.removed(back, back + 5 * MINUTE) == 0
    assert found.attainment(back + 4 * MINUTE) >= 0.97


def jumping(at: float, by: float) -> Callable[[Watched], None]:
    def prepare(operator: Watched) -> None:
        operator.clock = lambda now: now + by if now >= at else now

    return prepare


JUMPS = {
    "an hour forwards": 60 * MINUTE,
    "five minutes forwards": 5 * MINUTE,
    "ten minutes backwards": -10 * MINUTE,
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", JUMPS)
def test_a_clock_that_jumps_removes_nothing_and_costs_no_objective(name: str, case: str) -> None:
    one = CASES[case]
    begins = one.begins
    found = run(one.load, replicas=one.replicas, operator=jumping(begins, JUMPS[name]))
    plain = one.usual
    assert plain.removed(begins, begins + MINUTE) == 0
    assert found.removed(begins, begins + 5 * MINUTE) == 0
    assert found.returns() <= plain.returns()
    assert found.attainment() >= plain.attainment() - 0.01
    assert found.most() <= 2 * plain.most()


@pytest.mark.parametrize("name", JUMPS)
@pytest.mark.parametrize("at", [3.5, 6.5], ids=["before", "between"])
def test_a_jump_of_the_clock_around_steps_of_load_delays_no_scale_up(at: float, name: str) -> None:
    load = steps((4, 0.5), (3, 2.5), (8, 6.5))
    plain, found = usual(load, 1), run(load, replicas=1, operator=jumping(at * MINUTE, JUMPS[name]))
    assert found.replicas(9 * MINUTE) >= plain.replicas(9 * MINUTE) - 1
    assert found.attainment(11 * MINUTE) >= 0.95


@pytest.mark.parametrize("name", JUMPS)
def test_after_a_jump_of_the_clock_replicas_that_nobody_needs_go(name: str) -> None:
    found = run(IDLE.load, replicas=4, operator=jumping(4 * MINUTE, JUMPS[name]))
    assert found.replicas(28 * MINUTE) <= 2


@pytest.mark.parametrize("by", [MINUTE, 2 * MINUTE, 5 * MINUTE, 60 * MINUTE, -60 * MINUTE])
def test_a_jump_of_the_clock_makes_no_replica_leave_that_would_stay(by: float) -> None:
    """It neither ends a window before its time nor makes forgotten what had to be taken back."""
    load = steady(2.3, 40)
    plain = run(load, replicas=5, behavior={})
    found = run(load, replicas=5, behavior={}, operator=jumping(20 * MINUTE + 1, by))
    assert found.removed(20 * MINUTE) <= plain.removed(20 * MINUTE)
    assert found.returns() <= plain.returns()
