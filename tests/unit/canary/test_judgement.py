"""When a canary counts as worse than the replicas that it is compared with."""

import random

import pytest
from aifactory.api.rollout import Track
from aifactory.canary.judgement import EARLY_Z, FINAL_Z, Comparison, comparisons, wilson
from aifactory.signals.objectives import Signal
from aifactory.signals.readings import State
from aifactory.signals.tracks import Tally, TrackObjective, TrackReadings


def compare(stable: Tally, canary: Tally) -> Comparison:
    return Comparison(Signal.TTFT, stable, canary)


def test_the_interval_is_that_of_the_literature() -> None:
    """Newcombe 1998, table II, row (a) 56/70 against 48/80, method 10: 0.0524 to 0.3339."""
    assert compare(Tally(56, 70), Tally(48, 80)).worse_by(1.959964) == pytest.approx(0.0524, abs=1e-4)
    assert compare(Tally(48, 80), Tally(56, 70)).worse_by(1.959964) == pytest.approx(-0.3339, abs=1e-4)


def test_bounds_stay_inside_the_possible_and_know_nothing_without_observations() -> None:
    assert wilson(Tally(0, 0), 3) == (0, 1)
    assert wilson(Tally(50, 50), 3) == (pytest.approx(50 / 59), 1)
    assert wilson(Tally(0, 50), 3) == (0, pytest.approx(9 / 59))


def test_a_canary_that_misses_plainly_is_found_out_early_by_few_requests() -> None:
    assert compare(Tally(99, 100), Tally(10, 30)).worse_by(EARLY_Z) > 0.01


def test_two_bad_requests_in_a_hundred_are_chance() -> None:
    assert compare(Tally(990, 1000), Tally(97, 100)).worse_by(FINAL_Z) < 0.01


def test_the_same_share_of_many_requests_is_none() -> None:
    assert compare(Tally(99_000, 100_000), Tally(9700, 10_000)).worse_by(FINAL_Z) > 0.01


def test_a_canary_that_is_as_good_is_seldom_taken_for_worse() -> None:
    """Also when it is looked at forty times within a step, each time with what has come so far."""
    draw = random.Random(1)
    blamed = 0
    for _ in range(400):
        stable, canary = Tally(), Tally()
        early = False
        for _ in range(40):
            stable, canary = (
                Tally(seen.within + sum(draw.random() < 0.95 for _ in range(10)), seen.total + 10)
                for seen in (stable, canary)
            )
            early |= canary.total >= 100 and compare(stable, canary).worse_by(EARLY_Z) > 0.01
        blamed += early or compare(stable, canary).worse_by(FINAL_Z) > 0.01
    assert blamed / 400 < 0.06


def readings(*objectives: TrackObjective, stable: float = 1000, canary: float = 100) -> TrackReadings:
    return TrackReadings(0, 60, objectives, {Track.STABLE: stable, Track.CANARY: canary})


def test_tokens_of_a_request_count_once() -> None:
    """Ten thousand tokens of a hundred requests tell as much as a hundred requests."""
    (one,) = comparisons(readings(TrackObjective(Signal.ITL, State.OK, Tally(90_000, 100_000), Tally(8000, 10_000))))
    assert (one.stable, one.canary) == (Tally(900, 1000), Tally(80, 100))


def test_only_what_was_observed_on_both_is_compared() -> None:
    seen = Tally(1, 1)
    assert comparisons(readings(TrackObjective(Signal.TTFT, State.OK, seen, Tally()))) == ()
    assert comparisons(readings(TrackObjective(Signal.TTFT, State.UNSUPPORTED))) == ()
    assert comparisons(readings(TrackObjective(Signal.TTFT, State.ERROR))) == ()
