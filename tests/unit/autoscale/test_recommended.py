"""What was asked for lately, and until when it counts."""

from datetime import timedelta

import pytest
from aifactory.api.scaling import ScaleDown, ScalingBehavior
from aifactory.autoscale.recommended import Recommended
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.autoscale.service import Watch, readings, spec, steady

BUSY = {"ttft": 0.3, "running": 60.0, "kv": 0.4}
QUIET = {"ttft": 0.02, "running": 6.0, "kv": 0.02}


@given(st.lists(st.tuples(st.floats(0.0, 60.0), st.integers(1, 50), st.floats(0.0, 600.0)), max_size=60))
def test_the_highest_that_still_counts_is_never_forgotten(asked: list[tuple[float, int, float]]) -> None:
    found, now, all_of_them = Recommended(), 0.0, []
    for passed, replicas, seconds in asked:
        now += passed
        all_of_them.append((now + seconds, replicas))
        found = found.at(now).added(replicas, now + seconds, 50, now)
        assert found.highest == max(number for until, number in all_of_them if until >= now)


@given(st.lists(st.integers(1, 10_000), min_size=65, max_size=200))
def test_many_are_kept_as_fewer_that_are_not_lower(asked: list[int]) -> None:
    found = Recommended()
    for second, replicas in enumerate(sorted(asked, reverse=True)):
        found = found.added(replicas, second + 1000.0, 1, float(second))
    assert len(found.entries) <= 64
    for second, replicas in enumerate(sorted(asked, reverse=True)):
        assert found.at(second + 1000.0).highest >= replicas


@pytest.mark.parametrize(("startup", "kept"), [(60.0, False), (1800.0, True)])
def test_replicas_that_are_not_asked_for_during_less_than_a_start_stay(startup: float, kept: bool) -> None:
    """Without tokens the load of before is not known, so what was asked for has to count for as long."""
    scaling = spec(max_replicas=10, behavior=ScalingBehavior(scale_down=ScaleDown(period=timedelta(minutes=1))))
    watch = Watch(steady(6, starts={f"pod-{index}": startup for index in range(6)}), scaling)
    watch.see(readings(pods=6, **BUSY), 2400)
    assert (watch.see(readings(pods=6, **QUIET), 300).to == 6) is kept


def test_a_window_that_is_made_shorter_counts_at_once() -> None:
    def within(minutes: int) -> ScalingBehavior:
        return ScalingBehavior(scale_down=ScaleDown(stabilization_window=timedelta(minutes=minutes)))

    watch = Watch(steady(6), spec(max_replicas=10, behavior=within(60)))
    watch.see(readings(pods=6, **BUSY), 4000)
    watch.scaling = spec(max_replicas=10, behavior=within(2))
    assert watch.see(readings(pods=6, **QUIET), 400).to < 6
