"""Loads that a control law gets wrong easily."""

from collections.abc import Callable
from dataclasses import replace
from math import pi, sin
from random import Random

import pytest
from aifactory.autoscale.decision import DecisionReason
from aifactory.runtimes import roles
from aifactory.simulate.trace import Request

from tests.robustness.loads import MINUTE, Load, steady, steps
from tests.robustness.loop import Run, Watched, run, service


def swinging(low: float, high: float, period: float, minutes: float) -> Load:
    """A sine between two rates; the period is in seconds."""
    return Load(lambda at: (low + high) / 2 + (high - low) / 2 * sin(2 * pi * at / period), minutes * MINUTE)


@pytest.mark.parametrize("period", [60.0, 120.0, 300.0], ids=["start and window", "two of them", "stabilization"])
def test_a_load_that_swings_as_fast_as_replicas_start_does_not_make_it_flap(period: float) -> None:
    found = run(swinging(0.75, 2.75, period, 30), replicas=4)
    assert found.returns() <= 2
    assert found.attainment(5 * MINUTE) >= 0.97
    assert len(found.actions()) <= 12


@pytest.mark.parametrize("startup", [30.0, 120.0, 420.0])
def test_a_step_to_three_times_the_load_is_met_once_replicas_can_be_there(startup: float) -> None:
    found = run(steps((6, 0.75), (12 + startup / MINUTE, 2.25)), replicas=2, startup=startup)
    recovered = 6 * MINUTE + 2 * startup + 3 * MINUTE
    assert found.attainment(recovered) >= 0.97
    assert found.removed(6 * MINUTE, 6 * MINUTE + startup) == 0
    assert found.returns() <= 1


def test_slow_starts_do_not_make_it_order_more_and_more() -> None:
    """What was ordered for a step counts while it loads, for seven minutes."""
    fast, slow = (run(steps((6, 0.75), (18, 2.25)), replicas=2, startup=startup) for startup in (30.0, 420.0))
    assert slow.most() <= 2 * fast.most()


def test_a_step_up_and_back_ends_where_it_began() -> None:
    found = run(steps((6, 0.75), (8, 2.25), (26, 0.75)), replicas=2)
    assert found.attainment(9 * MINUTE, 14 * MINUTE) >= 0.97
    assert found.attainment(14 * MINUTE) >= 0.99
    assert found.replicas(39 * MINUTE) <= 3
    assert found.returns() <= 1


def test_a_service_without_any_request_goes_to_its_minimum_and_stays_there() -> None:
    found = run([Request(20 * MINUTE, 128, 64)], replicas=4, minReplicas=2)
    assert found.replicas(19 * MINUTE) == 2
    assert found.added() == 0
    assert found.removed(end=5 * MINUTE) == 0  # rule 5
    assert DecisionReason.IDLE in found.reasons()
    conditions = found.conditions(19 * MINUTE)
    assert (conditions["SLOMet"], conditions["MetricsAvailable"][0]) == (("Unknown", "Idle"), "True")


def test_a_service_that_begins_under_full_load_gets_there() -> None:
    found = run(steady(2.5, 15), replicas=1)
    assert found.attainment(5 * MINUTE) >= 0.99
    assert found.removed(end=7.5 * MINUTE) == 0
    assert found.returns() == 0


def test_at_the_maximum_it_says_so_and_stays_calm() -> None:
    found = run(steps((3, 0.5), (5, 3.0), (12, 0.25)), replicas=1, maxReplicas=2)
    assert len(found.actions(end=8 * MINUTE)) == 1
    assert DecisionReason.AT_MAXIMUM in found.reasons(5 * MINUTE, 8 * MINUTE)
    assert found.conditions(8 * MINUTE - 15)["ScalingLimited"] == ("True", "AtMaximum")
    assert found.removed(3 * MINUTE, 8 * MINUTE) == 0
    assert found.returns() == 0


def budgeted(gpus: int) -> Callable[[Watched], None]:
    """The operator goes by a budget; the world outside knows of none."""
    (role,) = roles(service(budget={"gpus": gpus}))

    def prepare(operator: Watched) -> None:
        operator.role = role

    return prepare


def test_rule_12_a_budget_of_gpus_is_hard_at_the_peak_is_said_and_over_with_it() -> None:
    found = run(steps((4, 0.5), (10, 3.0), (50, 0.15)), replicas=1, operator=budgeted(3))
    assert found.most() == 3
    limited = [tick.decision for tick in found.within(8 * MINUTE, 13 * MINUTE) if tick.decision.limited_by]
    assert {(one.reason, one.limited_by) for one in limited} == {(DecisionReason.BUDGET, DecisionReason.BUDGET)}
    assert all("the budget is used up" in one.message for one in limited)
    assert found.removed(4 * MINUTE, 14 * MINUTE) == 0
    assert found.attainment(17 * MINUTE) >= 0.99
    assert found.replicas(63 * MINUTE) == 1
    assert found.returns() == 0


def lengths(load: Load, rare: float, prompt: int, seed: int = 3) -> list[Request]:
    """A share of the requests is `rare`, with long prompts and short answers."""
    rng = Random(seed)
    return [
        replace(request, prompt_tokens=prompt, output_tokens=16) if rng.random() < rare else request
        for request in load.requests()
    ]


@pytest.mark.parametrize("rate", [0.1, 1.5], ids=["idle", "peak"])
def test_prompts_of_two_lengths_are_served_without_flapping(rate: float) -> None:
    found = run(lengths(steady(rate, 25), 0.1, 1000), replicas=3)
    assert found.attainment(5 * MINUTE) >= 0.98
    assert found.returns() <= 1
    assert len(found.actions()) <= 8


def with_one(load: Load, at: float, prompt: int) -> list[Request]:
    return sorted([*load.requests(), Request(at, prompt, 64)])


@pytest.mark.parametrize("rate", [0.05, 1.5], ids=["idle", "peak"])
def test_a_single_enormous_prompt_costs_one_replica_at_most(rate: float) -> None:
    load = steady(rate, 20)
    plain, found = (run(requests, replicas=3) for requests in (load, with_one(load, 8 * MINUTE, 12_000)))
    assert found.added() <= plain.added() + 1
    assert found.removed(end=8 * MINUTE) == plain.removed(end=8 * MINUTE)
    assert found.returns() <= plain.returns()


def each_alone(every: float, minutes: float, prompt: int) -> list[Request]:
    return [Request(at * every, prompt, 64) for at in range(1, int(minutes * MINUTE / every) + 1)]


def infeasible(found: Run) -> bool:
    return any("SLOInfeasible" in tick.conditions for tick in found.ticks)


def test_what_one_request_alone_misses_is_reported_and_never_scaled_on() -> None:
    """Prompts of 4000 tokens take 1.2 s against 500 ms, and never two at a time."""
    found = run(each_alone(12.0, 20, 4000), replicas=1)
    assert found.added() == 0
    assert found.conditions(19 * MINUTE)["SLOInfeasible"] == ("True", "BaseLatencyAboveObjective")
    assert not infeasible(run(each_alone(12.0, 10, 128), replicas=1))


def test_one_signal_that_replicas_cannot_help_does_not_keep_others_from_scaling() -> None:
    """The time to first token is out of reach, and then the load is too much for one replica as well."""
    alone, busy = each_alone(12.0, 10, 4000), [replace(one, at=one.at + 600) for one in steady(2.5, 10).requests()]
    found = run(alone + busy, replicas=1)
    assert found.replicas(18 * MINUTE) >= 2
    assert found.attainment(16 * MINUTE) >= 0.95


def test_rule_09_replicas_that_leave_finish_what_they_have() -> None:
    """Answers of 800 tokens take ten seconds and more; load falls from what three replicas take to hardly any."""
    load = replace(steps((8, 0.2), (14, 0.025)), answer=800)
    found = run(load, replicas=4)
    assert found.removed() >= 2
    assert found.record.aborted == 0


def test_rule_13_a_target_between_two_edges_is_said_and_scaled_on() -> None:
    """600 ms lie between the edges 500 and 750 ms."""
    found = run(steps((4, 0.5), (12, 2.5)), replicas=1, targets={"timeToFirstToken": "600ms"})
    assert found.conditions(10 * MINUTE)["SLOResolution"] == ("False", "BetweenBuckets")
    assert found.attainment(9 * MINUTE) >= 0.97
