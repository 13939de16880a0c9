"""The way from one split of the replicas to another: as a rolling update, whatever is asked for meanwhile."""

from decimal import Decimal

import pytest
from aifactory.api.rollout import Pace, RolloutSpec
from aifactory.canary.split import Side, Split, share_of, shift
from hypothesis import given
from hypothesis import strategies as st

COUNTS = st.integers(0, 40)
PACES = st.builds(Pace, st.integers(0, 5), st.integers(0, 5)).filter(lambda pace: pace.surge or pace.unavailable)


@st.composite
def sides(draw: st.DrawFn) -> Side:
    replicas = draw(COUNTS)
    return Side(replicas, draw(st.integers(0, replicas)))


@pytest.mark.parametrize(
    ("share", "total", "split"),
    [
        ("0.1", 10, Split(9, 1)),
        ("0.1", 11, Split(9, 2)),
        ("0.01", 3, Split(2, 1)),
        ("0.99", 3, Split(1, 2)),
        ("0.5", 1, Split(1, 1)),
        ("0.07", 100, Split(93, 7)),
    ],
)
def test_a_share_is_rounded_up_and_leaves_one_on_each_side(share: str, total: int, split: Split) -> None:
    assert share_of(Decimal(share), total) == split


@pytest.mark.parametrize(
    ("surge", "unavailable", "pace"),
    [(1, 0, Pace(1, 0)), ("25%", "25%", Pace(2, 1)), (0, "1%", Pace(0, 1)), ("100%", 0, Pace(5, 0))],
)
def test_percentages_are_rounded_as_a_deployment_does(surge: int | str, unavailable: int | str, pace: Pace) -> None:
    assert RolloutSpec.model_construct(max_surge=surge, max_unavailable=unavailable).pace(5) == pace


@given(COUNTS, COUNTS, sides(), sides(), PACES)
def test_as_many_keep_serving_as_have_to(stable_goal: int, canary_goal: int, stable: Side, canary: Side, pace: Pace):
    total = stable_goal + canary_goal
    split = shift(Split(stable_goal, canary_goal), stable, canary, total, pace)
    left = min(stable.ready, split.stable) + min(canary.ready, split.canary)
    assert left >= min(stable.ready + canary.ready, total - pace.unavailable)


@given(COUNTS, COUNTS, sides(), sides(), PACES)
def test_no_more_are_added_than_may_be_there(
    stable_goal: int, canary_goal: int, stable: Side, canary: Side, pace: Pace
):
    total = stable_goal + canary_goal
    split = shift(Split(stable_goal, canary_goal), stable, canary, total, pace)
    grown = split.stable > stable.replicas or split.canary > canary.replicas
    assert not grown or split.stable + split.canary <= total + pace.surge


@given(COUNTS, COUNTS, sides(), sides(), PACES)
def test_neither_side_moves_away_from_its_goal(
    stable_goal: int, canary_goal: int, stable: Side, canary: Side, pace: Pace
):
    split = shift(Split(stable_goal, canary_goal), stable, canary, stable_goal + canary_goal, pace)
    assert min(stable.replicas, stable_goal) <= split.stable <= max(stable.replicas, stable_goal)
    assert min(canary.replicas, canary_goal) <= split.canary <= max(canary.replicas, canary_goal)


@given(st.integers(1, 40), COUNTS, sides(), sides(), PACES)
def test_it_arrives_when_pods_become_ready(total: int, part: int, stable: Side, canary: Side, pace: Pace) -> None:
    goal = Split(total - min(part, total), min(part, total))
    for _ in range(4 * (total + stable.replicas + canary.replicas)):
        split = shift(goal, stable, canary, total, pace)
        stable, canary = Side(split.stable, split.stable), Side(split.canary, split.canary)
    assert Split(stable.replicas, canary.replicas) == goal


def test_pods_that_are_about_to_leave_are_not_counted_on() -> None:
    leaving = Side(replicas=2, ready=3)
    assert shift(Split(1, 2), leaving, Side(1, 1), 3, Pace(1, 0)) == Split(2, 2)


def test_a_canary_that_does_not_serve_leaves_at_once() -> None:
    assert shift(Split(4, 0), Side(3, 3), Side(1, 0), 4, Pace(1, 0)) == Split(4, 0)
