"""The load that is asked for, of which a part may still wait."""

from dataclasses import replace

import pytest
from aifactory.autoscale.lengths import Lengths

from tests.unit.autoscale.service import ok, readings

TICK = 15.0
EACH = 100.0 + 300.0  # tokens of a request
STEADY = {"completed": 5.0, "tokens": 5 * 300.0, "prompts": 5 * 100.0}


def used() -> Lengths:
    """Ten minutes of five requests per second."""
    lengths = Lengths()
    for index in range(40):
        lengths = lengths.seen(readings(now=index * TICK, **STEADY))
    return lengths


def test_without_a_queue_it_is_what_comes_out() -> None:
    assert used().asked(readings(**STEADY)) == pytest.approx(5 * EACH)


def test_requests_that_wait_count_with_their_usual_length() -> None:
    assert used().asked(readings(offered=12.0, waiting=50.0, **STEADY)) == pytest.approx(12 * EACH)


def test_prompts_that_are_begun_and_not_completed_do_not_count_twice() -> None:
    """Twelve requests a second come and all begin at once, five are completed so far."""
    begun = readings(now=600.0, offered=12.0, waiting=1.0, completed=5.0, tokens=5 * 300.0, prompts=12 * 100.0)
    assert used().seen(begun).asked(begun) == pytest.approx(12 * EACH, rel=0.05)


def test_a_queue_that_is_worked_off_was_asked_for_before() -> None:
    draining = readings(offered=2.0, waiting=50.0, **STEADY)
    assert used().asked(draining) == pytest.approx(2 * EACH)


def test_longer_requests_are_learned_within_minutes() -> None:
    lengths = used()
    long = {"completed": 5.0, "tokens": 5 * 600.0, "prompts": 5 * 200.0}
    for index in range(40, 100):
        lengths = lengths.seen(readings(now=index * TICK, **long))
    assert lengths.asked(readings(offered=12.0, waiting=50.0, **long)) == pytest.approx(12 * 2 * EACH, rel=0.1)


def test_requests_that_got_shorter_do_not_count_as_long_ones_while_one_waits() -> None:
    short = readings(offered=10.0, waiting=1.0, completed=10.0, tokens=10 * 150.0, prompts=10 * 50.0)
    assert used().asked(short) == pytest.approx(10 * 200.0)


def test_no_queue_grows_tenfold_within_a_window() -> None:
    assert used().asked(readings(offered=1e9, waiting=1e9, **STEADY)) == pytest.approx(10 * 5 * EACH)


def test_an_engine_that_does_not_count_completed_requests_is_asked_for_what_comes_out() -> None:
    seen = replace(readings(waiting=50.0, **STEADY), completed=ok(0.0), offered=ok(0.0))
    assert Lengths().seen(seen).asked(seen) == 5 * EACH
