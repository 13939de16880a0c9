"""What holds for any service, any readings, any history."""

import math
from dataclasses import replace
from typing import Any

from aifactory.autoscale.backlog import Promise
from aifactory.autoscale.fleet import Fleet
from aifactory.autoscale.law import decide_replicas
from aifactory.autoscale.memory import Memory
from aifactory.signals.objectives import Objective, Signal
from aifactory.signals.readings import ObjectiveReading, PodReading, Reading, ServiceReadings, State
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.autoscale.service import spec

OBJECTIVES = (
    Objective(Signal.TTFT, 0.5, 95),
    Objective(Signal.ITL, 0.05, 95),
    Objective(Signal.E2E, 10.0, 99),
    Objective(Signal.THROUGHPUT, 1000.0),
)
SCALING = spec(min_replicas=2, max_replicas=30)

values = st.one_of(st.floats(0, 5), st.floats(0, 1e3), st.just(1e9), st.just(0.0))
counts = st.sampled_from([0.0, 1.0, 1e9])
garbage = st.one_of(values, st.floats(), st.none())


def reading(value: st.SearchStrategy[Any], state: st.SearchStrategy[State]) -> st.SearchStrategy[Reading]:
    return st.builds(Reading, value, state)


@st.composite
def service_readings(
    draw: st.DrawFn,
    value: st.SearchStrategy[Any] = garbage,
    state: st.SearchStrategy[State] = st.sampled_from(list(State)),  # noqa: B008
) -> ServiceReadings:
    one = reading(value, state)
    pods = draw(st.integers(0, 30))
    return ServiceReadings(
        time=0.0,
        window_seconds=60.0,
        objectives=tuple(ObjectiveReading(objective, draw(one), draw(st.floats(0, 1e4))) for objective in OBJECTIVES),
        running=draw(one),
        waiting=draw(one),
        kv_cache_usage=draw(one),
        kv_cache_usage_worst=draw(one),
        completed=draw(one),
        offered=draw(one),
        prompt_tokens=draw(one),
        generation_tokens=draw(one),
        pods={f"pod-{index}": PodReading(draw(counts), draw(counts)) for index in range(pods)},
    )


@st.composite
def fleets(draw: st.DrawFn) -> Fleet:
    replicas = draw(st.integers(0, 40))
    ready = draw(st.integers(0, replicas))
    loading = draw(st.integers(0, replicas - ready))
    unschedulable = replicas - ready - loading
    since = draw(st.floats(-1000, 0)) if unschedulable else None
    return Fleet(replicas, ready, loading, unschedulable, since, rolling_out=draw(st.booleans()))


ticks = st.lists(st.tuples(st.floats(0.1, 400), fleets(), service_readings()), min_size=1, max_size=6)


promises = st.sampled_from([None, Promise(within=600.0, drain=120.0)])


@given(ticks, promises)
def test_the_result_is_an_integer_within_bounds(
    history: list[tuple[float, Fleet, ServiceReadings]], promise: Promise | None
) -> None:
    memory, now = Memory(), 0.0
    for seconds, fleet, seen in history:
        now += seconds
        decision, memory = decide_replicas(
            SCALING, OBJECTIVES, fleet, replace(seen, time=now), memory, now, promise=promise
        )
        assert type(decision.to) is int
        assert 2 <= decision.to <= 30
        assert decision.message


@given(
    st.lists(service_readings(state=st.sampled_from([State.MISSING, State.ERROR, State.STALE])), min_size=1),
    fleets(),
    promises,
)
def test_missing_data_never_scales_down(history: list[ServiceReadings], fleet: Fleet, promise: Promise | None) -> None:
    fleet = replace(fleet, replicas=min(fleet.replicas, SCALING.max_replicas))
    memory, now = Memory(), 0.0
    for seen in history:
        now += 100
        decision, memory = decide_replicas(
            SCALING, OBJECTIVES, fleet, replace(seen, time=now), memory, now, promise=promise
        )
        assert decision.to >= fleet.replicas


@given(ticks, st.sampled_from(["waiting", "kv_cache_usage"]))
def test_one_missing_signal_never_scales_down(history: list[tuple[float, Fleet, ServiceReadings]], name: str) -> None:
    memory, now = Memory(), 0.0
    gone = {name: Reading(None, State.MISSING)}
    for seconds, fleet, seen in history:
        now += seconds
        seen = replace(seen, time=now, **gone)
        decision, memory = decide_replicas(SCALING, OBJECTIVES, fleet, seen, memory, now)
        assert decision.to >= min(fleet.replicas, SCALING.max_replicas)


@given(fleets(), st.floats(0.6, 1e9), st.lists(service_readings(values, st.just(State.OK)), max_size=5))
def test_an_up_signal_never_gives_less_than_now(fleet: Fleet, kv: float, history: list[ServiceReadings]) -> None:
    fleet = replace(fleet, replicas=min(fleet.replicas, SCALING.max_replicas))
    memory, now = Memory(), 0.0
    for seen in history:
        now += 100
        _, memory = decide_replicas(SCALING, OBJECTIVES, fleet, replace(seen, time=now), memory, now)
    full = replace(service_reading_like(history), time=now, kv_cache_usage=Reading(0.86 + kv, State.OK))
    decision, _ = decide_replicas(SCALING, OBJECTIVES, fleet, full, memory, now)
    assert decision.to >= fleet.replicas


def service_reading_like(history: list[ServiceReadings]) -> ServiceReadings:
    return history[-1] if history else ServiceReadings(0.0, 60.0)


@given(st.lists(st.tuples(st.sampled_from([5.0, 15.0, 40.0]), st.floats(0, 3), st.floats(0, 100)), max_size=60))
def test_rate_limits_hold_over_any_history(history: list[tuple[float, float, float]]) -> None:
    memory, now, replicas, added, removed = Memory(), 0.0, 2, [], []
    for seconds, latency, waiting in history:
        now += seconds
        decision, memory = decide_replicas(
            SCALING,
            OBJECTIVES[:1],
            Fleet(replicas, replicas),
            seen_by_all(replicas, latency, waiting, now),
            memory,
            now,
        )
        step = decision.to - replicas
        (added if step > 0 else removed).append((now, abs(step), replicas))
        replicas = decision.to
        in_minute = [entry for entry in added if now - entry[0] < 60]
        start = in_minute[0][2] if in_minute else 0
        assert sum(entry[1] for entry in in_minute) <= max(4, start)
        assert sum(entry[1] for entry in removed if now - entry[0] < 120) <= 1


def seen_by_all(replicas: int, latency: float, waiting: float, now: float) -> ServiceReadings:
    def ok(value: float) -> Reading:
        return Reading(value, State.OK)

    return ServiceReadings(
        now,
        60.0,
        (ObjectiveReading(OBJECTIVES[0], ok(latency), 1e3),),
        *(ok(10.0), ok(waiting), ok(0.1), ok(0.1), ok(5.0), ok(5.0), ok(100.0), ok(100.0)),
        {f"pod-{index}": PodReading() for index in range(replicas)},
    )


@settings(max_examples=20)
@given(st.lists(st.tuples(fleets(), service_readings(values, st.just(State.OK))), min_size=5, max_size=10))
def test_memory_is_bounded(history: list[tuple[Fleet, ServiceReadings]]) -> None:
    memory, now = Memory(), 0.0
    for turn in range(100):
        fleet, seen = history[turn % len(history)]
        now += 1
        _, memory = decide_replicas(SCALING, OBJECTIVES, fleet, replace(seen, time=now), memory, now)
    assert len(memory.changes) <= 64
    assert len(memory.recommended.entries) <= 64
    assert len(memory.base) <= len(Signal)
    assert all(math.isfinite(ratio) for ratio in memory.averages.ratios.values())
