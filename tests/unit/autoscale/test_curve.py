"""What a replica carries, from latencies under loads that come by."""

import pytest
from aifactory.autoscale.curve import STEERED_SHARE, Curve, Filling
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
    assert curve.at(curve.load) > 0.9 * 0.4
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


def test_a_queue_that_grows_while_less_is_completed_does_not_pass_for_a_latency_without_load() -> None:
    """A replica that was full when it was seen first: what waits comes out ever later, and not because of less load."""
    curve = Curve.begin(758.0, 4.6, 0.0)
    for index, (load, value) in enumerate(((740.0, 4.7), (562.0, 10.8), (200.0, 14.3), (180.0, 14.5)), start=1):
        curve = curve.observed(load, value, 2.5, index * TICK)
    line = curve.line(2.5)
    assert line is not None
    assert line < curve.load


def test_it_predicts_the_latency_at_another_load() -> None:
    curve = learned(3000.0, 5000.0)
    assert curve.at(7000.0) == pytest.approx(latency(7000.0), rel=0.15)
    assert curve.at(20_000.0) == float("inf")


def filled(load: float) -> float:
    """The share of a cache, which requests hold for as long as they take."""
    return 0.4 * load / 5000.0 * latency(load) / latency(5000.0)


def filling(*loads: float, ticks: int = 40) -> Curve:
    curve: Curve = Filling.begin(loads[0], filled(loads[0]), 0.0)
    for index in range(1, ticks * len(loads)):
        load = loads[index // ticks]
        curve = curve.observed(load, filled(load), 0.85, index * TICK)
    return curve


def test_two_loads_tell_where_a_cache_is_full() -> None:
    limit = filling(3000.0, 5000.0).limit(0.85)
    assert limit is not None
    assert filled(limit) == pytest.approx(0.9 * 0.85, rel=0.1)


def test_one_load_of_a_cache_is_not_taken_to_fill_it_in_proportion() -> None:
    limit = filling(5000.0).limit(0.85)
    assert limit is not None
    assert 5000.0 < limit < 0.8 * 5000.0 * 0.85 / 0.4


def test_a_burst_that_has_not_filled_a_cache_yet_proves_little_and_is_forgotten() -> None:
    curve = filling(3000.0, 5000.0)
    before, share, highest = curve.limit(0.85), filled(5000.0), 0.0
    assert before is not None
    for index in range(1, 24):
        load = 8000.0 if index <= 8 else 5000.0
        share += 0.3 * (min(1.0, filled(load)) - share)
        curve = curve.observed(load, share, 0.85, (80 + index) * TICK)
        highest = max(highest, curve.limit(0.85) or 0.0)
    assert highest < 1.2 * before
    assert curve.limit(0.85) == pytest.approx(before, rel=0.05)


def test_it_predicts_how_full_a_cache_is_at_another_load() -> None:
    curve = filling(3000.0, 5000.0)
    assert curve.at(6000.0) == pytest.approx(filled(6000.0), rel=0.1)
    assert curve.at(20_000.0) == float("inf")


@pytest.mark.parametrize("kind", [Curve, Filling])
@given(st.lists(st.tuples(st.floats(1e-3, 1e6), st.floats(1e-5, 1e4)), min_size=1, max_size=60))
def test_whatever_comes_the_limit_is_positive_and_finite(kind: type[Curve], seen: list[tuple[float, float]]) -> None:
    curve = kind.begin(*seen[0], 0.0)
    for index, (load, value) in enumerate(seen[1:], 1):
        curve = curve.observed(load, value, 0.5, index * TICK)
    limit = curve.limit(0.5)
    assert limit is None or 0 < limit < float("inf")
    assert 0 <= curve.confidence <= 1
    assert curve.slope >= 0
