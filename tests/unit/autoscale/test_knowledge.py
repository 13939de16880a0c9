"""What is learned survives a restart, and garbage is not taken for knowledge."""

import math

import pytest
from aifactory.autoscale.knowledge import Knowledge
from aifactory.autoscale.memory import Memory
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
    assert after.demand.shortfall == pytest.approx(before.demand.shortfall)
    assert after.startup_seconds == before.startup_seconds
    assert after.budget.spent(0.99) == pytest.approx(before.budget.spent(0.99))
    highest = max(load for start, load in before.demand.bins if service.now - start < 1800.0)
    expected = after.demand.expected(100.0, 225.0, service.now)
    assert expected is not None
    assert expected.value == pytest.approx(highest)


def test_it_is_bounded(service: Service) -> None:
    assert len(service.memory.learned()) <= 48


def test_nothing_learned_is_nothing_to_keep() -> None:
    assert Knowledge().saved() == {}


@given(st.dictionaries(st.sampled_from(["budget.missed", "demand.square", "demand.300"]), st.floats()))
def test_garbage_is_not_learned(values: dict[str, float]) -> None:
    known = Knowledge.restored(values, 1000.0)
    assert known.budget.missed >= 0
    assert known.demand.square >= 0
    assert all(math.isfinite(load) and load >= 0 for _, load in known.demand.bins)


def test_half_a_curve_is_none(service: Service) -> None:
    values = dict(service.memory.learned())
    values.pop(f"{Signal.TTFT}.speed")
    assert Signal.TTFT not in Knowledge.restored(values, 0.0).curves
