"""What load is expected, and how much of the promise is used up."""

import pytest
from aifactory.autoscale.budget import Budget
from aifactory.autoscale.demand import Demand
from aifactory.signals.objectives import Objective, Signal
from aifactory.signals.readings import ObjectiveReading

MINUTE = 60.0
WINDOW = 180.0
HORIZON = 90.0


def seen(*loads: float) -> Demand:
    """One load for each minute."""
    demand = Demand()
    for index, load in enumerate(loads):
        demand = demand.seen(load, HORIZON, WINDOW, index * MINUTE)
    return demand


def upper(demand: Demand, spent: float, minutes: float) -> float:
    found = demand.expected(spent, WINDOW, minutes * MINUTE)
    assert found is not None
    return found.upper


def test_nothing_is_expected_before_anything_was_seen() -> None:
    assert Demand().expected(0.0, WINDOW, 0.0) is None


def test_a_steady_load_is_expected_to_stay() -> None:
    assert upper(seen(*[100.0] * 30), 0.0, 29) == pytest.approx(100.0)


def test_the_highest_load_of_the_window_counts_until_it_is_over() -> None:
    demand = seen(*[100.0] * 10, 300.0, 100.0, 100.0)
    found = demand.expected(0.0, WINDOW, 12 * MINUTE)
    assert found is not None
    assert found.value == 300.0
    later = demand.seen(100.0, HORIZON, WINDOW, 15 * MINUTE).expected(0.0, WINDOW, 15 * MINUTE)
    assert later is not None
    assert later.value == 100.0


def test_what_was_short_before_is_added() -> None:
    bursts = [0.0, 0.0, 0.0, 0.0, 900.0] * 6
    assert upper(seen(*bursts), 0.0, 29) > 900.0
    assert seen(*bursts).shortfall > 100.0


def test_a_spent_budget_looks_back_further_and_adds_more_but_at_most_doubles() -> None:
    demand = seen(*[100.0] * 10, 900.0, *[100.0] * 15)
    assert upper(demand, 0.0, 25) < 400.0
    assert 900.0 < upper(demand, 3.0, 25) <= 1800.0


def reading(missed: float, observations: float = 600.0) -> tuple[ObjectiveReading, ...]:
    objective = Objective(Signal.TTFT, 0.5, 95)
    return (ObjectiveReading(objective, observations=observations, missed=missed),)


def test_a_budget_is_spent_by_requests_that_come_too_late() -> None:
    budget = Budget()
    for index in range(1, 41):
        budget = budget.seen(reading(0.02), 60.0, index * 15.0)
    assert budget.spent(0.99) == pytest.approx(2.0)
    assert budget.spent(0.98) == pytest.approx(1.0)


def test_a_budget_comes_back_with_requests_that_are_in_time() -> None:
    budget = Budget().seen(reading(1.0), 60.0, 60.0)
    before = budget.spent(0.99)
    for index in range(1, 240):
        budget = budget.seen(reading(0.0), 60.0, 60.0 + index * 15.0)
    assert budget.spent(0.99) < before / 20


def test_without_requests_nothing_is_spent() -> None:
    assert Budget().seen((), 60.0, 15.0).spent(0.99) == 0.0
