"""How many replicas may come and go within a period, and when that they went is regretted."""

from dataclasses import replace
from datetime import timedelta

import pytest
from aifactory.api.scaling import ScaleDown, ScaleUp, ScalingBehavior, ScalingSpec
from aifactory.autoscale import limits
from aifactory.autoscale.curve import Curve
from aifactory.autoscale.decision import DecisionReason
from aifactory.autoscale.knowledge import Knowledge
from aifactory.autoscale.memory import Change, Memory
from aifactory.signals.objectives import Signal

from tests.unit.autoscale.service import Watch, readings, steady

MINUTE = timedelta(minutes=1)
SPEC = ScalingSpec(
    max_replicas=100,
    behavior=ScalingBehavior(
        scale_up=ScaleUp(max_percent=100, max_replicas=4, period=MINUTE),
        scale_down=ScaleDown(max_percent=50, max_replicas=1, period=MINUTE),
    ),
)


def after(*changes: tuple[float, int]) -> Memory:
    """At 100 s, when replicas were changed so many seconds before."""
    return Memory(changes=tuple(Change(100.0 - ago, by) for ago, by in changes))


@pytest.mark.parametrize(
    ("replicas", "removed", "fewest"),
    [(8, 0, 4), (5, 3, 4), (4, 4, 4), (3, 0, 2), (2, 0, 1), (1, 1, 1)],
)
def test_half_of_the_replicas_at_the_beginning_of_a_period_may_leave_in_it(
    replicas: int, removed: int, fewest: int
) -> None:
    memory = after((30.0, -removed)) if removed else Memory()
    assert limits.floor(SPEC, steady(replicas), memory, 100.0) == fewest


@pytest.mark.parametrize(("replicas", "added", "most"), [(1, 0, 5), (5, 4, 5), (10, 0, 20), (12, 2, 20), (20, 10, 20)])
def test_as_many_as_there_were_at_the_beginning_of_a_period_may_come_in_it(
    replicas: int, added: int, most: int
) -> None:
    memory = after((30.0, added)) if added else Memory()
    assert limits.ceiling(SPEC, steady(replicas), memory, 100.0) == (most, DecisionReason.SCALE_UP_PERIOD)


def test_a_period_ends() -> None:
    assert limits.floor(SPEC, steady(4), after((61.0, -4)), 100.0) == 2
    assert limits.ceiling(SPEC, steady(20), after((61.0, 10)), 100.0)[0] == 40


def test_what_came_does_not_count_against_what_goes() -> None:
    assert limits.floor(SPEC, steady(8), after((30.0, 4)), 100.0) == 4


@pytest.mark.parametrize(("work", "regretted"), [(1000.0, True), (1040.0, True), (1100.0, False)])
def test_a_scale_down_is_regretted_only_if_load_has_not_grown_since(work: float, regretted: bool) -> None:
    """More that are wanted because of more load say nothing about what a replica carries."""
    before = Memory(left_work=1000.0, changes=(Change(40.0, -1),))
    after_all = before.regretting(steady(2), 3, work, 100.0, SPEC.behavior)
    assert (after_all.regret is not None) == regretted


def test_what_was_regretted_no_longer_counts_as_proven() -> None:
    """Two replicas had 500 tokens/s each, and that was too much, though 600 had gone well before."""
    knowledge = Knowledge(curves={Signal.TTFT: Curve(0.0, 500.0, 5.0, proven=600.0)})
    before = Memory(left_work=1000.0, changes=(Change(40.0, -1),), knowledge=knowledge)
    after_all = before.regretting(steady(2), 3, 1000.0, 100.0, SPEC.behavior)
    assert after_all.knowledge.curves[Signal.TTFT].proven < 500.0


@pytest.mark.parametrize(("offered", "regretted"), [(5.0, True), (15.0, False)])
def test_a_burst_that_waits_is_more_load_though_no_more_comes_out(offered: float, regretted: bool) -> None:
    watch = Watch(steady(2), ScalingSpec(max_replicas=10))
    watch.see(readings(pods=2, tokens=500.0, prompts=500.0), 600.0)
    watch.memory = replace(watch.memory, left_work=1000.0, changes=(Change(watch.now, -1),))
    watch.see(readings(pods=2, tokens=500.0, prompts=500.0, ttft=2.0, waiting=100.0, offered=offered), 60.0)
    assert (watch.memory.regret is not None) == regretted
