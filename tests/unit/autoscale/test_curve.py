"""What a replica carries, from latencies under loads that come by."""

import pytest
from aifactory.autoscale.curve import STEERED_SHARE, Curve
from hypothesis import given
from hypothesis import strategies as st

TICK = 15.0
FULL = 10_000.0  # tokens per second
ALONE = 0.1  # seconds


def latency(load: float) -> float:
    return ALONE / (1 - load / FULL)


def learned(*loads: float, target: float = 1.0, ticks: int = 40) -> Curve:
    """Each load for some ticks, one after the other."""
    curve = Curve.begin(loads[0], latency(loads[0]), 0.0)
    for index in range(1, ticks * len(loads)):
        load = loads[index // ticks]
        curve = curve.observed(load, latency(load), target, index * TICK)
    return curve


def test_two_loads_tell_where_the_target_is_reached() -> None:
    curve = learned(3000.0, 5000.0)
    assert curve.limit(0.4 / STEERED_SHARE) == pytest.approx(7500.0, rel=0.05)
    assert curve.confidence > 0.8


def test_one_load_tells_little_and_the_guess_is_careful() -> None:
    curve = learned(3000.0)
    limit = curve.limit(0.4)
    assert curve.confidence < 0.1
    assert limit is not None
    assert 3000.0 < limit < 7500.0


def test_nobody_believes_the_line_far_beyond_what_went_well() -> None:
    assert learned(500.0, 800.0).limit(10.0) == pytest.approx(1600.0)


def test_a_load_that_was_carried_well_is_proven_and_a_tenth_more_is_tried() -> None:
    flat = Curve.begin(1000.0, 0.2, 0.0)
    for index in range(1, 200):
        load = 1000.0 + 5 * index
        flat = flat.observed(load, 0.2 + 0.0005 * index, 0.35, index * TICK)
    assert flat.proven == pytest.approx(1995.0)
    limit = flat.limit(0.35)
    assert limit is not None
    assert limit >= 1.1 * 1995.0


def test_a_load_that_was_too_much_for_some_time_is_proven_no_longer() -> None:
    curve = learned(6000.0, target=0.3)
    assert curve.proven == 6000.0
    for index in range(1, 20):
        curve = curve.observed(6000.0, 0.9, 0.3, 600.0 + index * TICK)
    limit = curve.limit(0.3)
    assert limit is not None
    assert limit < 6000.0


def test_a_latency_close_to_its_target_does_not_disprove_what_went_well() -> None:
    curve = learned(7000.0, 6000.0, target=0.4)
    for index in range(1, 20):
        curve = curve.observed(6000.0, 0.38, 0.4, 1200.0 + index * TICK)
    assert curve.latency_at(curve.load) > 0.9 * 0.4
    assert curve.line(0.4) == 7000.0


def test_a_quiet_time_does_not_flatten_the_line() -> None:
    busy = learned(5000.0, 7000.0)
    quiet = busy
    for index in range(1, 20):
        quiet = quiet.observed(50.0, latency(50.0), 1.0, 1200.0 + index * TICK)
    assert quiet.line(1.0) == pytest.approx(busy.line(1.0), rel=0.1)


def test_a_latency_that_load_does_not_explain_asks_for_nothing() -> None:
    curve = Curve.begin(1000.0, 0.5, 0.0)
    for index in range(1, 200):
        curve = curve.observed(1000.0 + 40 * (index % 50), 0.5, 0.3, index * TICK)
    assert curve.limit(0.3) is None


def test_it_predicts_the_latency_at_another_load() -> None:
    curve = learned(3000.0, 5000.0)
    assert curve.latency_at(7000.0) == pytest.approx(latency(7000.0), rel=0.15)
    assert curve.latency_at(20_000.0) == float("inf")


@given(st.lists(st.tuples(st.floats(1e-3, 1e6), st.floats(1e-5, 1e4)), min_size=1, max_size=60))
def test_whatever_comes_the_limit_is_positive_and_finite(seen: list[tuple[float, float]]) -> None:
    curve = Curve.begin(*seen[0], 0.0)
    for index, (load, value) in enumerate(seen[1:], 1):
        curve = curve.observed(load, value, 0.5, index * TICK)
    limit = curve.limit(0.5)
    assert limit is None or 0 < limit < float("inf")
    assert 0 <= curve.confidence <= 1
    assert curve.slope >= 0
