"""Decisions in words: what a person has to know to believe them."""

from dataclasses import replace

import pytest
from aifactory.autoscale.decision import Capacity, Decision, DecisionReason, Forecast, Recommendation
from aifactory.autoscale.sentences import message, with_load
from aifactory.signals.objectives import Signal
from aifactory.signals.readings import State

from tests.unit.autoscale.service import Service, run, spec

CAPACITY = Capacity(605.4, 440.0, 0.9, Signal.TTFT)
FORECAST = Forecast("Constant", 18.2, 753.0, 1013.0, 0.35, 2)


def decided(
    from_: int, to: int, reason: DecisionReason, value: float = 0.083, signal: Signal = Signal.TTFT
) -> Decision:
    """Of a service whose latency is so many seconds, of 500 ms that are allowed."""
    answers = (Recommendation(signal, State.OK, value, 0.5, value / 0.5, to),)
    asked = signal if to > from_ else None
    text = message(from_, to, reason, asked, answers)
    return Decision(from_, to, reason, text, asked, None, answers, capacity=CAPACITY, forecast=FORECAST)


def test_replicas_that_are_added_before_a_target_is_reached_are_explained_by_the_load() -> None:
    assert with_load(decided(1, 2, DecisionReason.SCALE_UP)).message == (
        "1 -> 2 replicas: up to 1010 tokens/s are expected within 18s, one replica carries 605; "
        "timeToFirstToken 83ms against 500ms, ratio 0.17"
    )


def test_a_target_that_is_missed_comes_first() -> None:
    assert with_load(decided(1, 2, DecisionReason.SCALE_UP, 0.6)).message == (
        "1 -> 2 replicas: timeToFirstToken 600ms against 500ms, ratio 1.20; "
        "up to 1010 tokens/s are expected within 18s, one replica carries 605"
    )


def test_a_load_above_all_that_is_expected_counts() -> None:
    found = replace(decided(1, 2, DecisionReason.SCALE_UP), capacity=replace(CAPACITY, load=2000.0))
    assert "-> 2 replicas: the load is 2000 tokens/s, one replica carries 605;" in with_load(found).message


def test_replicas_that_are_removed_are_explained_by_the_load_as_well() -> None:
    assert with_load(decided(3, 2, DecisionReason.SCALE_DOWN)).message == (
        "3 -> 2 replicas: every signal has fitted on fewer replicas for the whole stabilization window; "
        "up to 1010 tokens/s are expected within 18s, one replica carries 605"
    )


@pytest.mark.parametrize(
    "found",
    [
        decided(1, 1, DecisionReason.AT_MINIMUM),
        decided(1, 2, DecisionReason.SCALE_UP, signal=Signal.WAITING_REQUESTS),
        replace(decided(1, 2, DecisionReason.SCALE_UP), forecast=None),
        replace(decided(1, 2, DecisionReason.SCALE_UP), capacity=None),
    ],
)
def test_what_does_not_go_by_load_is_told_without_it(found: Decision) -> None:
    assert with_load(found) == found


def test_a_number_of_replicas_is_rejected_once_with_all_that_is_known_of_it() -> None:
    decisions = run(Service(learns=True), spec(max_replicas=10), (900, 2.0), (900, 12.0), (1800, 6.0))
    for decision in decisions:
        numbers = [one.replicas for one in decision.rejected]
        assert len(set(numbers)) == len(numbers)
    rejected = [one for decision in decisions[60:] for one in decision.rejected]
    assert {one.signal for one in rejected} == {Signal.TTFT}
    assert {one.reason for one in rejected} >= {
        DecisionReason.STABILIZATION_WINDOW,
        DecisionReason.CONSOLIDATION_REFUSED,
    }
