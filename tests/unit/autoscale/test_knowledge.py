"""What is learned survives a restart, and garbage is not taken for knowledge."""

import math
from dataclasses import replace

import pytest
from aifactory.api.scalingstatus import LEARNED
from aifactory.autoscale.backlog import Backlog
from aifactory.autoscale.demand import Demand
from aifactory.autoscale.forecast import SLOTS, ForecastModel, Season
from aifactory.autoscale.knowledge import Knowledge
from aifactory.autoscale.memory import Memory
from aifactory.autoscale.saved import restored, saved
from aifactory.autoscale.track import Track
from aifactory.signals.objectives import LATENCIES, Signal
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
    assert after.demand.rise == before.demand.rise > 0.0
    assert after.demand.season.slots == before.demand.season.slots
    assert after.startup_seconds == before.startup_seconds
    assert after.budget.spent(0.99) == pytest.approx(before.budget.spent(0.99))
    highest = max(load for start, load in before.demand.bins if service.now - start < 1800.0)
    expected = after.demand.expected(100.0, 90.0, 225.0, service.now)
    assert expected is not None
    assert expected.upper >= highest


def test_a_restart_does_not_forget_when_a_cache_is_full(service: Service) -> None:
    before = service.memory.knowledge.curves[Signal.KV_CACHE_USAGE]
    after = Memory().restored(service.memory.learned(), service.now).knowledge.curves[Signal.KV_CACHE_USAGE]
    assert after.limit(0.85) == pytest.approx(before.limit(0.85))
    assert after.at(4000.0) == pytest.approx(before.at(4000.0))


def test_it_is_bounded(service: Service) -> None:
    assert len(service.memory.learned()) <= LEARNED


def test_all_that_can_be_learned_is_bounded(service: Service) -> None:
    known, curve = service.memory.knowledge, service.memory.knowledge.curves[Signal.TTFT]
    everything = replace(
        service.memory,
        base=dict.fromkeys(LATENCIES, 1.0),
        backlog=Backlog(completed=1.0, tokens=1.0, replica_seconds=1.0),
        knowledge=replace(
            known,
            curves=dict.fromkeys([*LATENCIES, Signal.KV_CACHE_USAGE], curve),
            demand=Demand(
                tuple((age, 1.0) for age in (0.0, 2000.0, 3000.0, 3500.0, 3599.0)),
                Season((1.0,) * SLOTS),
                dict.fromkeys(ForecastModel, Track(1.0, 1.0, 1.0, 1.0)),
            ),
            startup_seconds=1.0,
            beyond=dict.fromkeys(LATENCIES, 1.0),
        ),
    )
    assert len(everything.learned()) <= LEARNED


def test_of_loads_kept_by_an_earlier_version_any_may_have_come_at_once(service: Service) -> None:
    values = service.memory.learned()
    old = restored({name: value for name, value in values.items() if name != "load.rise"}, service.now).demand
    assert old.rise == max(load for _, load in old.bins) > values["load.rise"] > 0.0


def test_forecasts_judged_by_an_earlier_version_are_not_forgotten(service: Service) -> None:
    """It did not keep the loads by which their error is told."""
    values = service.memory.learned()
    old = {name: value for name, value in values.items() if not name.endswith(".loads")}
    assert len(old) < len(values)
    before, after = restored(values, service.now).demand.tracks, restored(old, service.now).demand.tracks
    assert before.keys() == after.keys()
    for model, track in after.items():
        assert (track.square, track.cost, track.weight) == tuple(
            getattr(before[model], field) for field in ("square", "cost", "weight")
        )
        assert track.error == pytest.approx(before[model].error, abs=0.05)


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
