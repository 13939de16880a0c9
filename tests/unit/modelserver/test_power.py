"""Power draw follows the work."""

import pytest
from modelserver.power import PowerMeter


def test_an_idle_gpu_draws_its_idle_power() -> None:
    assert PowerMeter(90, 700).watts(100.0) == 90


def test_draw_rises_with_the_fill_of_the_batch() -> None:
    half, full = PowerMeter(90, 700), PowerMeter(90, 700)
    half.working(0.5, now=0.0)
    full.working(1.0, now=0.0)

    assert 90 < half.watts(60.0) < full.watts(60.0)
    assert full.watts(60.0) == pytest.approx(700, abs=1)


def test_a_gpu_that_comes_to_rest_cools_down_to_idle() -> None:
    meter = PowerMeter(90, 700)
    meter.working(1.0, now=0.0)
    meter.resting(now=60.0)

    assert meter.utilization(61.0) > meter.utilization(70.0)
    assert meter.watts(120.0) == pytest.approx(90, abs=1)
