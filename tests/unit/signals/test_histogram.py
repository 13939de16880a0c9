import math

import pytest
from aifactory.signals.histogram import Histogram
from hypothesis import given
from hypothesis import strategies as st


def histogram(*counts: float) -> Histogram:
    """Edges 0.1, 0.25, 0.5 and +Inf."""
    built = Histogram.of(dict(zip((0.1, 0.25, 0.5, math.inf), counts, strict=True)))
    assert built
    return built


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        (0.50, 0.10),  # at the edge of the first bucket
        (0.25, 0.05),  # half way into it, from 0
        (0.95, 0.4375),  # three quarters into 0.25 to 0.5
    ],
)
def test_a_quantile_is_a_straight_line_inside_its_bucket(q: float, expected: float) -> None:
    assert histogram(50, 80, 100, 100).quantile(q) == pytest.approx(expected)


def test_the_mean_tells_where_in_a_wide_bucket_observations_lie() -> None:
    all_in_one = histogram(0, 100, 100, 100)  # between 0.1 and 0.25
    assert all_in_one.quantile(0.95) == pytest.approx(0.2425)
    assert all_in_one.quantile_with_mean(0.95, 0.11, 100) == pytest.approx(0.119)  # evenly from 0.10 to 0.12
    assert all_in_one.quantile_with_mean(0.95, 0.24, 100) == pytest.approx(0.249)  # evenly from 0.23 to 0.25
    assert all_in_one.quantile_with_mean(0.95, 0.175, 100) == pytest.approx(0.2425)


def test_the_few_above_an_edge_are_near_it_where_most_are_a_little_below() -> None:
    """A p99 of 26 ms is no 48 ms because most are at 24 ms and the next edge after 25 is 50."""
    most_below = histogram(0, 980, 1000, 1000)
    assert most_below.quantile(0.99) == pytest.approx(0.375)
    assert most_below.quantile_with_mean(0.99, 0.24, 1000) == pytest.approx(0.297, abs=0.001)


@given(st.floats(0.93, 0.999), st.integers(1000, 100_000), st.floats(0, 20))
def test_above_the_quantile_in_a_tail_is_the_share_above_it(q: float, observations: int, beyond: float) -> None:
    tail = histogram(400, 920, 1000 - beyond, 1000)
    value = tail.quantile_with_mean(q, 0.2, observations)
    assert value is not None
    if 0.25 < value < 0.5:
        assert tail.share_above(value, observations) == pytest.approx(1 - q)


@given(st.lists(st.floats(0, 1e6), min_size=4, max_size=4), st.floats(0.5, 0.99), st.floats(0, 10))
def test_the_mean_never_changes_whether_a_target_on_an_edge_is_met(counts: list[float], q: float, mean: float) -> None:
    seen = histogram(*counts)
    plain, refined = seen.quantile(q), seen.quantile_with_mean(q, mean, 100)
    assert (plain is None) == (refined is None)
    if plain is not None and refined is not None:
        assert all((plain <= edge) == (refined <= edge) or refined == edge for edge in seen.edges)


def test_above_the_highest_finite_edge_the_answer_is_that_edge() -> None:
    assert histogram(0, 0, 10, 100).quantile(0.95) == 0.5


def test_nothing_observed_has_no_quantile_and_no_share() -> None:
    assert histogram(0, 0, 0, 0).quantile(0.95) is None
    assert histogram(0, 0, 0, 0).share_within(0.5) is None


def test_a_histogram_without_its_last_bucket_is_none() -> None:
    assert Histogram.of({0.1: 1.0}) is None


def test_share_is_exact_at_an_edge_and_cautious_between_edges() -> None:
    seen = histogram(50, 80, 90, 100)
    assert (seen.share_within(0.25), seen.share_within(0.3), seen.share_within(0.5)) == (0.8, 0.8, 0.9)
    assert seen.edge_below(0.3) == 0.25


def test_a_target_below_all_edges_cannot_be_judged() -> None:
    assert histogram(1, 2, 3, 4).share_within(0.05) is None


def test_counts_that_fall_by_rounding_are_lifted() -> None:
    assert histogram(10, 9.999999, 10, 10).counts == (10, 10, 10)


@given(st.lists(st.floats(0, 1e6), min_size=4, max_size=4), st.floats(0.5, 0.99))
def test_a_quantile_lies_within_the_edges(counts: list[float], q: float) -> None:
    value = histogram(*counts).quantile(q)
    assert value is None or 0 <= value <= 0.5


@given(st.lists(st.floats(0, 1e6), min_size=4, max_size=4), st.floats(0, 2))
def test_a_share_is_a_share(counts: list[float], target: float) -> None:
    share = histogram(*counts).share_within(target)
    assert share is None or 0 <= share <= 1
