"""What is learned survives a restart, and garbage is not taken for knowledge."""

import math

import pytest
from aifactory.autoscale.knowledge import Knowledge
from aifactory.autoscale.memory import Memory
from aifactory.autoscale.saved import restored, saved
from aifactory.signals.objectives import Signal
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.autoscale.service import Service, run, spec

HOUR = 3600.0


@pytest.fixture(scope="module")
def service() -> Service:
    found = Service(learns=True)
    run(found, spec(max_replicas=20), (HOUR, 8.0), (HOUR, 16.0))
    return found


def test_a_restart_forgets_neither_capacity_nor_load_nor_budget(service: Service) -> None:
    before = service.memory.knowledge
    after = Memory().restored(service.memory.learned(), service.now).knowledge
    assert after.curves[Signal.TTFT].limit(0.45) == pytest.approx(before.curves[Signal.TTFT].limit(0.45))
    assert after.demand.tracks == before.demand.tracks
    assert after.demand.season.slots == before.demand.season.slots
    assert after.startup_seconds == before.startup_seconds
    assert after.budget.spent(0.99) == pytest.approx(before.budget.spent(0.99))
    highest = max(load for start, load in before.demand.bins if service.now - start < 1800.0)
    expected = after.demand.expected(100.0, 90.0, 225.0, service.now)
    assert expected is not None
    assert expected.upper >= highest


def test_it_is_bounded(service: Service) -> None:
    assert len(service.memory.learned()) <= 80


def test_nothing_learned_is_nothing_to_keep() -> None:
    assert saved(Knowledge()) == {}


@given(
    st.dictionaries(
        st.sampled_from(["budget.missed", "budget.requests", "load.300", "season.3", "forecast.Trend.square"]),
        st.floats(),
    )
)
def test_garbage_is_not_learned(values: dict[str, float]) -> None:
    known = restored(values, 1000.0)
    assert known.budget.missed >= 0
    assert all(load is None or load >= 0 for load in known.demand.season.slots)
    assert all(math.isfinite(load) and load >= 0 for _, load in known.demand.bins)


def test_half_a_curve_is_none(service: Service) -> None:
    values = dict(service.memory.learned())
    values.pop(f"{Signal.TTFT}.speed")
    assert Signal.TTFT not in restored(values, 0.0).curves


@pytest.mark.parametrize("field", ["load", "speed", "proven", "weight", "mean_load", "mean_speed", "variance"])
def test_a_curve_that_cannot_be_is_none(service: Service, field: str) -> None:
    values = dict(service.memory.learned())
    assert Signal.TTFT in restored(values, 0.0).curves
    assert Signal.TTFT not in restored({**values, f"{Signal.TTFT}.{field}": -1.0}, 0.0).curves


def test_a_latency_that_rises_with_load_is_remembered_as_such(service: Service) -> None:
    values = {**service.memory.learned(), f"{Signal.TTFT}.covariance": -0.5}
    assert restored(values, 0.0).curves[Signal.TTFT].covariance == -0.5
