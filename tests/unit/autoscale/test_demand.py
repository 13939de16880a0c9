"""What load is expected, and how much of the promise is used up."""

import pytest
from aifactory.autoscale.budget import Budget
from aifactory.autoscale.demand import Demand, Expectation
from aifactory.autoscale.forecast import ForecastModel, trend
from aifactory.signals.objectives import Objective, Signal
from aifactory.signals.readings import ObjectiveReading
from hypothesis import given
from hypothesis import strategies as st

MINUTE = 60.0
WINDOW = 180.0
HORIZON = 90.0


def seen(*loads: float, begin: float = 0.0, horizon: float = HORIZON) -> Demand:
    """One load for each minute."""
    demand = Demand()
    for index, load in enumerate(loads):
        demand = demand.seen(load, horizon, WINDOW, begin + index * MINUTE)
    return demand


def expected(demand: Demand, spent: float = 0.0, horizon: float = HORIZON, later: float = 0.0) -> Expectation:
    """At the beginning of the newest minute, or `later` (seconds)."""
    found = demand.expected(spent, horizon, WINDOW, demand.bins[-1][0] + later)
    assert found is not None
    return found


def test_nothing_is_expected_before_anything_was_seen() -> None:
    assert Demand().expected(0.0, HORIZON, WINDOW, 0.0) is None


def test_a_steady_load_is_expected_to_stay_and_little_is_added() -> None:
    found = expected(seen(*[100.0] * 60))
    assert found.value == pytest.approx(100.0)
    assert 100.0 < found.upper < 110.0


def test_the_highest_load_of_the_window_counts_until_it_is_over() -> None:
    demand = seen(*[100.0] * 10, 300.0, 100.0, 100.0)
    assert expected(demand).value == 300.0
    assert expected(demand, later=3 * MINUTE).value == 100.0


def test_what_was_short_before_is_added() -> None:
    found = expected(seen(*[300.0, 300.0, 300.0, 300.0, 900.0] * 6))
    assert found.shortfall > 100.0
    assert found.upper > found.value + 0.8 * found.shortfall


def test_the_error_of_forecasts_is_a_share_of_the_loads_that_they_were_about() -> None:
    busy = seen(*[300.0, 300.0, 300.0, 300.0, 900.0] * 6)
    during = expected(busy).error
    assert 0.1 < during < 1.0
    quiet = seen(*[300.0, 300.0, 300.0, 300.0, 900.0] * 6, *[10.0] * 10)
    assert expected(quiet).value == 10.0
    assert expected(quiet).error == pytest.approx(during, abs=0.05)


@given(st.lists(st.floats(0.0, 1e6), min_size=1, max_size=60))
def test_the_error_of_forecasts_is_a_share(loads: list[float]) -> None:
    assert 0.0 <= expected(seen(*loads)).error <= 1.0


def test_the_longer_a_replica_takes_to_start_the_more_is_added() -> None:
    demand = seen(*[300.0, 300.0, 300.0, 300.0, 900.0] * 6)
    assert expected(demand, horizon=330.0).upper > expected(demand, horizon=90.0).upper


def test_a_spent_budget_looks_back_further() -> None:
    demand = seen(*[100.0] * 10, 900.0, *[100.0] * 15)
    assert expected(demand).upper < 400.0
    assert expected(demand, spent=3.0).upper > 700.0


def test_what_came_at_once_is_expected_again_all_the_less_the_longer_ago_it_was() -> None:
    after = [expected(seen(*[100.0] * 10, 900.0, *[100.0] * later), spent=3.0).upper for later in (4, 12, 24)]
    assert after[0] > 900.0
    assert after[0] > after[1] > after[2] > 400.0


def test_what_came_at_once_to_a_new_service_is_expected_again() -> None:
    assert expected(seen(100.0, 900.0, *[100.0] * 4), spent=1.0).upper > 800.0


def test_what_came_slowly_is_not_expected_back_at_once() -> None:
    up = [100.0 + 40.0 * minute for minute in range(20)]
    demand = seen(*up, *reversed(up), *[100.0] * 5)
    assert 100.0 < expected(demand, spent=1.0).upper < 0.5 * max(up)


def test_no_more_is_added_than_load_ever_rose_within_a_horizon() -> None:
    found = expected(seen(*[100.0 * minute for minute in range(1, 13)]), spent=3.0)
    assert found.value == 1200.0
    assert 3 * found.shortfall > 500.0
    assert found.upper <= 1.08 * (1200.0 + 300.0)


def test_load_at_its_peak_is_not_expected_to_rise_as_it_did_from_below() -> None:
    peak = expected(seen(*[*[100.0] * 25, *[900.0] * 2] * 2), spent=3.0)
    assert peak.value == 900.0
    assert 1.08 * 900.0 < peak.upper < 1.08 * (900.0 + 2.6 * peak.shortfall)


def test_a_spent_budget_brings_back_no_more_than_there_was_of_what_came_at_once() -> None:
    demand = seen(*[100.0] * 10, 900.0, *[100.0] * 10, *[400.0] * 5)
    assert 900.0 <= expected(demand, spent=1.0).upper < 1000.0


def test_a_part_of_the_budget_may_be_spent_before_that_costs_anything() -> None:
    demand = seen(*[100.0] * 10, 900.0, *[100.0] * 35)
    assert expected(demand, spent=0.4).upper == expected(demand).upper
    assert expected(demand, spent=0.6).upper < 400.0 < expected(demand, spent=1.0).upper


def test_a_spent_budget_adds_a_margin_to_a_load_that_never_was_more_than_expected() -> None:
    demand = seen(*[100.0] * 60)
    assert expected(demand, spent=1.0).upper > 1.14 * expected(demand).value
    assert expected(demand).upper < 1.1 * expected(demand).value


def test_a_spent_budget_adds_more_but_at_most_doubles() -> None:
    demand = seen(*[300.0, 300.0, 300.0, 300.0, 900.0] * 6)
    assert expected(demand).upper < expected(demand, spent=3.0).upper <= 1800.0


def test_a_counter_that_jumps_beyond_all_sense_breaks_nothing() -> None:
    found = expected(seen(100.0, 1e300, *[100.0] * 60))
    assert 100.0 <= found.upper < 1e13


def test_growth_is_foreseen_once_that_has_proved_cheaper_than_to_wait_for_it() -> None:
    hour = [1000.0 * 1.03**minute for minute in range(60)]
    assert expected(seen(*hour[:10])).model is ForecastModel.CONSTANT
    found = expected(seen(*hour))
    assert found.model is ForecastModel.TREND
    assert found.value == pytest.approx(hour[-1] * 1.03 ** (HORIZON / MINUTE), rel=0.05)


def test_bursts_are_expected_to_come_back_once_that_has_proved_cheaper() -> None:
    demand = seen(*([50.0] * 8 + [900.0, 900.0]) * 6, *[50.0] * 7)
    assert expected(demand).model is ForecastModel.PEAK
    assert expected(demand).value == 900.0


def test_bursts_are_expected_to_come_back_however_long_a_replica_takes_to_start() -> None:
    demand = seen(*([50.0] * 8 + [900.0, 900.0]) * 30, *[50.0] * 7, horizon=20 * MINUTE)
    assert expected(demand, horizon=20 * MINUTE).value == 900.0


@pytest.mark.parametrize("hours", [1, 6, 24])
def test_load_that_is_other_after_a_gap_has_not_grown_in_it(hours: int) -> None:
    before = [(MINUTE * minute, 1000.0) for minute in range(60)]
    begin = MINUTE * 60 * (1 + hours)
    assert trend([*before, (begin, 300.0), (begin + MINUTE, 3000.0)], HORIZON) < 6000.0


def test_bursts_that_come_twice_an_hour_are_expected_to_come_back() -> None:
    demand = seen(*([100.0] * 28 + [900.0, 900.0]) * 4, *[100.0] * 27)
    assert expected(demand).model is ForecastModel.HOURLY_PEAK
    assert expected(demand).value == 900.0


def test_bins_of_short_windows_last_for_an_hour_too() -> None:
    demand, window, horizon, period = Demand(), 60.0, 150.0, 3000
    for now in range(0, 7 * period, 15):
        demand = demand.seen(900.0 if now % period < 600 else 100.0, horizon, window, now)
    found = demand.expected(0.0, horizon, window, 7 * period)
    assert found is not None
    assert (found.model, found.value) == (ForecastModel.HOURLY_PEAK, 900.0)


def test_a_load_that_came_at_the_same_hour_the_day_before_is_foreseen() -> None:
    jump = [100.0 if minute % 120 < 60 else 2000.0 for minute in range(24 * 60)]
    demand = seen(*jump, *jump[:59])
    assert expected(demand).model is ForecastModel.SEASONAL
    assert expected(demand, later=30.0).value == 2000.0


def test_a_little_noise_is_no_reason_to_believe_anything_else() -> None:
    noise = [1000.0 + 10 * ((7 * minute) % 11 - 5) for minute in range(240)]
    assert expected(seen(*noise)).model is ForecastModel.CONSTANT


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


def test_what_was_missed_is_forgotten_where_there_is_nothing_left_to_keep() -> None:
    budget = Budget().seen(reading(1.0), 60.0, 60.0)
    before = budget.spent(0.99)
    for index in range(1, 3 * 240):
        budget = budget.seen((), 60.0, 60.0 + index * 15.0)
    assert budget.spent(0.99) < before / 15
