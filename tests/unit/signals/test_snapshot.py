from dataclasses import replace
from typing import Any

import pytest
from aifactory.api.engine import Engine
from aifactory.runtimes import RUNTIMES
from aifactory.runtimes.base import MetricDialect
from aifactory.signals import answers
from aifactory.signals.objectives import Objective, Signal
from aifactory.signals.readings import ServiceReadings, State
from aifactory.signals.snapshot import Snapshot

from tests.unit.signals.vectors import buckets, sample

VLLM = RUNTIMES[Engine.VLLM].dialects[0]
TRTLLM = RUNTIMES[Engine.TRTLLM].dialects[0]
TTFT = Objective(Signal.TTFT, 0.5, 95)
THROUGHPUT = Objective(Signal.THROUGHPUT, 1000.0)


def by_pod(**values: str) -> answers.NumbersByPod:
    return answers.by_pod([sample(value, pod=pod) for pod, value in values.items()])


def snapshot(**changes: Any) -> Snapshot:
    """A healthy snapshot of a service with the pods a and b; a table given as None is a query that failed."""
    rates = {"completed": "4", "growth": "-1", "prompt_tokens": "40", "generation_tokens": "400"}
    seen = {"time_to_first_token": {"0.25": "1", "0.5": "3", "+Inf": "4"}}
    tables: dict[str, Any] = {
        "histograms": {name: answers.histograms(buckets(counts)) for name, counts in seen.items()},
        "rates": {name: answers.numbers([sample(value)]) for name, value in rates.items()},
        "gauges": {
            "running": by_pod(a="3", b="5"),
            "waiting": by_pod(a="0", b="2"),
            "kv_cache_usage": by_pod(a="0.2", b="0.6"),
            "sample_age": by_pod(a="4", b="7"),
        },
    }
    for name, table in changes.items():
        group = next(group for group, names in GROUPS.items() if name in names)
        tables[group].pop(name, None)
        if table is not None:
            tables[group][name] = table
    return Snapshot(1000.0, 60.0, **tables)


GROUPS = {
    "histograms": ("time_to_first_token", "time_to_first_token_5m"),
    "rates": ("completed", "growth", "prompt_tokens", "generation_tokens"),
    "gauges": ("running", "waiting", "kv_cache_usage", "sample_age", "silent"),
}


def read(source: Snapshot, *ready: str, dialect: MetricDialect = VLLM) -> ServiceReadings:
    return source.service("chat", "llama", ready or ("a", "b"), (TTFT, THROUGHPUT), (dialect,))


def test_a_healthy_service_is_read_completely() -> None:
    seen = read(snapshot())
    assert (seen.running.value, seen.waiting.value) == (8, 2)
    assert (seen.kv_cache_usage.value, seen.kv_cache_usage_worst.value) == (pytest.approx(0.4), 0.6)
    assert (seen.completed.value, seen.offered.value) == (4, 3)
    assert seen.pods["b"].in_flight == 7
    ttft, throughput = seen.objectives
    assert (ttft.observed.value, ttft.attainment, ttft.edge, ttft.observations) == (0.5, 0.75, 0.5, 240)
    assert throughput.observed.value == 400


def test_attainment_over_longer_windows_comes_from_their_own_histograms() -> None:
    longer = answers.histograms(buckets({"0.5": "9", "+Inf": "10"}))
    seen = read(snapshot(time_to_first_token_5m=longer)).objectives[0]
    assert (seen.attainment_5m, seen.attainment_1h) == (0.9, None)


def test_a_pod_that_makes_no_token_is_named_and_leaves_before_idle_ones() -> None:
    seen = read(snapshot(silent=by_pod(b="5", gone="3")))
    assert seen.silent == {"b"}
    assert seen.in_flight == {"a": 3.0, "b": -1.0}
    assert (seen.running.value, seen.waiting.value) == (8, 2), "what there is, whoever has it"
    assert read(snapshot()).silent == frozenset()


def test_gauges_can_be_had_without_some_pods() -> None:
    seen = read(snapshot(silent=by_pod(b="5"))).without({"b"})
    assert (seen.running.value, seen.waiting.value) == (3, 0)
    assert (seen.kv_cache_usage.value, seen.kv_cache_usage_worst.value) == (0.2, 0.2)
    assert seen.pods.keys() == {"a", "b"}
    assert read(snapshot()).without(()) == read(snapshot())
    assert read(snapshot()).without({"a", "b"}) == read(snapshot())
    assert read(snapshot(waiting=None)).without({"b"}).waiting.state is State.ERROR


def test_series_of_pods_that_are_gone_do_not_count() -> None:
    seen = read(snapshot(), "a")
    assert (seen.running.value, seen.waiting.value, set(seen.pods)) == (3, 0, {"a"})


def test_a_pod_without_series_does_not_report() -> None:
    seen = read(snapshot(), "a", "b", "c")
    assert set(seen.pods) == {"a", "b"}
    assert seen.running.state is State.OK


@pytest.mark.parametrize("name", ["running", "waiting", "kv_cache_usage", "completed", "generation_tokens"])
def test_a_failed_query_is_an_error_of_its_signal_alone(name: str) -> None:
    seen = read(snapshot(**{name: None}))
    states = {field: getattr(seen, field).state for field in ("running", "waiting", "kv_cache_usage", "completed")}
    if name in states:
        assert states[name] is State.ERROR
    if name != "running":
        assert all(state is State.OK for field, state in states.items() if field != name)


def test_no_series_of_a_service_is_missing() -> None:
    seen = snapshot().service("chat", "other", ("a",), (TTFT,), (VLLM,))
    readings = (seen.running, seen.waiting, seen.kv_cache_usage, seen.completed, seen.objectives[0].observed)
    assert {reading.state for reading in readings} == {State.MISSING}


def test_samples_older_than_the_window_are_stale() -> None:
    seen = read(snapshot(sample_age=by_pod(a="61", b="200")))
    assert seen.running.state is State.STALE
    assert not seen.pods


def test_one_stale_pod_is_left_out() -> None:
    assert set(read(snapshot(sample_age=by_pod(a="61", b="3"))).pods) == {"b"}


def test_a_series_that_the_engine_does_not_have_is_unsupported() -> None:
    bare = replace(VLLM, time_to_first_token=None, kv_cache_usage=None)
    seen = read(snapshot(time_to_first_token={}, kv_cache_usage={}), dialect=bare)
    assert seen.objectives[0].observed.state is State.UNSUPPORTED
    assert seen.kv_cache_usage.state is State.UNSUPPORTED


def test_what_an_engine_does_not_measure_is_unsupported_even_while_there_are_no_requests() -> None:
    plain = replace(VLLM, time_to_first_token=None)
    none_done = answers.numbers([sample("0")])
    seen = read(snapshot(time_to_first_token={}, completed=none_done), dialect=plain)
    assert seen.objectives[0].observed.state is State.UNSUPPORTED


NOTHING = answers.histograms(buckets({"0.5": "0", "+Inf": "0"}))


def test_no_requests_are_idle_when_every_ready_pod_reports() -> None:
    assert read(snapshot(time_to_first_token=NOTHING)).objectives[0].observed.state is State.IDLE
    assert read(snapshot(time_to_first_token=NOTHING), "a", "b", "c").objectives[0].observed.state is State.MISSING


def test_an_absent_histogram_is_idle_only_if_nothing_was_completed() -> None:
    none_done = answers.numbers([sample("0")])
    assert read(snapshot(time_to_first_token={}, completed=none_done)).objectives[0].observed.state is State.IDLE
    assert read(snapshot(time_to_first_token={})).objectives[0].observed.state is State.MISSING


def test_an_engine_that_says_nothing_of_requests_before_the_first_is_idle_until_then() -> None:
    names = ("time_to_first_token", "completed", "prompt_tokens", "generation_tokens")
    nothing: dict[str, Any] = {name: {} for name in names}
    quiet = {"running": by_pod(a="0", b="0"), "waiting": by_pod(a="0", b="0")}
    untouched = read(snapshot(**nothing, **quiet), dialect=TRTLLM)
    assert untouched.idle
    assert untouched.objectives[0].observed.state is State.IDLE
    for reading in (
        read(snapshot(**nothing, **quiet)),
        read(snapshot(**nothing, **quiet), "a", "b", "c", dialect=TRTLLM),
        read(snapshot(**nothing, **quiet | {"running": by_pod(a="0", b="1")}), dialect=TRTLLM),
    ):
        assert reading.completed.state is State.MISSING


def test_not_a_number_everywhere_is_missing_and_not_idle() -> None:
    nan = answers.histograms(buckets({"0.5": "NaN", "+Inf": "NaN"}))
    seen = read(snapshot(time_to_first_token=nan, completed=answers.numbers([sample("NaN")])))
    assert seen.objectives[0].observed.state is State.MISSING


def test_a_service_is_idle_when_nothing_runs_waits_or_was_completed() -> None:
    quiet = {"running": by_pod(a="0", b="0"), "waiting": by_pod(a="0", b="0")}
    assert read(snapshot(**quiet, completed=answers.numbers([sample("0")]))).idle
    assert not read(snapshot(**quiet)).idle
    assert not read(snapshot(**quiet, completed={})).idle
