"""How much of the promise is used up."""

from math import exp

import pytest
from aifactory.autoscale.budget import Budget
from aifactory.signals.objectives import Objective, Signal
from aifactory.signals.readings import ObjectiveReading

MINUTE, HOUR = 60.0, 3600.0
A_SECOND = 10.0  # requests
NOON = Budget(1_000_000.0)


def reading(missed: float | None) -> ObjectiveReading:
    """A minute of requests, of which this share was too late."""
    return ObjectiveReading(Objective(Signal.TTFT, 0.5, 95), observations=A_SECOND * MINUTE, missed=missed)


def watched(*missed: float | None, seconds: float, before: Budget = NOON, tick: float = 15.0) -> Budget:
    """With objectives that miss these shares for some time."""
    for _ in range(round(seconds / tick)):
        before = before.seen(tuple(map(reading, missed)), MINUTE, before.time + tick)
    return before


@pytest.mark.parametrize(("missed", "spent"), [(0.0, 0.0), (0.01, 1.0), (0.5, 50.0)])
def test_what_is_late_counts_against_what_may_be(missed, spent):
    assert watched(missed, seconds=HOUR).spent(0.99) == pytest.approx(spent)


@pytest.mark.parametrize("tick", [5.0, 15.0, 60.0])
def test_a_request_counts_once_however_often_the_window_is_read(tick):
    weight = HOUR * (1 - exp(-10 * MINUTE / HOUR))  # of ten minutes, exponentially forgotten
    assert watched(0.0, seconds=10 * MINUTE, tick=tick).requests == pytest.approx(A_SECOND * weight, rel=0.01)


def test_a_bad_minute_is_forgotten_within_hours():
    bad = watched(1.0, seconds=MINUTE, before=watched(0.0, seconds=6 * HOUR))
    assert bad.spent(0.99) > 1.5
    assert watched(0.0, seconds=HOUR, before=bad).spent(0.99) == pytest.approx(bad.spent(0.99) / exp(1), rel=0.02)


def test_the_worst_objective_counts_and_one_that_is_not_read_does_not():
    assert watched(0.0, 0.02, None, seconds=HOUR).spent(0.99) == pytest.approx(2.0)


def test_a_reading_after_a_long_silence_counts_for_its_window_alone():
    assert NOON.seen((reading(1.0),), MINUTE, NOON.time + HOUR).requests == A_SECOND * MINUTE


def test_a_clock_that_is_set_back_counts_and_forgets_nothing():
    known = watched(0.5, seconds=HOUR)
    back = known.seen((reading(1.0),), MINUTE, NOON.time)
    assert (back.requests, back.missed) == (known.requests, known.missed)


def test_nothing_is_spent_where_nobody_asks():
    assert NOON.seen((), MINUTE, NOON.time + 15).spent(0.99) == 0.0
