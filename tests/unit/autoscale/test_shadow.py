"""A model of the load is only believed once its back-test says so."""

import pytest
from aifactory.autoscale.demand import Demand
from aifactory.autoscale.forecast import ForecastModel
from aifactory.autoscale.track import Track

CONSTANT, TREND = ForecastModel.CONSTANT, ForecastModel.TREND
LONG, SHORT = 500.0, 2.0
# A load that grows by a tenth each minute.
GROWING = tuple((minute * 60.0, 100.0 * 1.1**minute) for minute in range(20))


@pytest.mark.parametrize(
    ("judged", "cost", "believed"),
    [(LONG, 10.0, TREND), (SHORT, 10.0, CONSTANT), (LONG, 90.0, CONSTANT), (LONG, 200.0, CONSTANT)],
    ids=["long and far cheaper", "far cheaper but not for long", "hardly cheaper", "dearer"],
)
def test_a_model_stays_in_the_shadow_until_it_was_clearly_cheaper_for_long(
    judged: float, cost: float, believed: ForecastModel
) -> None:
    """The constant one costs 100, judged for long."""
    tracks = {CONSTANT: Track(cost=100.0, weight=LONG), TREND: Track(cost=cost, weight=judged)}
    found = Demand(bins=GROWING, tracks=tracks).expected(0.0, 90.0, 180.0, GROWING[-1][0])
    assert found is not None
    assert found.model is believed


def test_without_a_back_test_the_present_load_is_what_is_expected() -> None:
    found = Demand(bins=GROWING).expected(0.0, 90.0, 180.0, GROWING[-1][0])
    assert found is not None
    assert (found.model, found.value) == (CONSTANT, GROWING[-1][1])


def test_what_was_once_far_too_little_asks_for_twice_the_highest_load_at_most() -> None:
    tracks = {model: Track(square=1e12, weight=LONG) for model in ForecastModel}
    found = Demand(bins=((0.0, 100.0), (60.0, 100.0)), tracks=tracks).expected(5.0, 90.0, 180.0, 60.0)
    assert found is not None
    assert found.upper == 200.0
