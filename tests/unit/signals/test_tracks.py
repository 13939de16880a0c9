"""Stable replicas and canary side by side: what is asked of Prometheus, and what its answers say."""

from dataclasses import replace
from typing import Any

import pytest
from aifactory.api.engine import Engine
from aifactory.api.rollout import Track
from aifactory.runtimes import RUNTIMES
from aifactory.signals import answers, queries
from aifactory.signals.objectives import Objective, Signal
from aifactory.signals.readings import State
from aifactory.signals.snapshot import Snapshot
from aifactory.signals.tracks import Tally, TrackReadings, window_within
from aifactory.signals.wanted import EVERYTHING, Wanted, both, compared

from tests.unit.signals.vectors import buckets, sample

VLLM = RUNTIMES[Engine.VLLM].dialects[0]
LLAMA = ("chat", "llama")
TTFT = Objective(Signal.TTFT, 0.5, 95)
ITL = Objective(Signal.ITL, 0.05, 95)
TOKENS = Objective(Signal.THROUGHPUT, 1000)
NOW, SINCE = 1000.0, 900.0  # measured for 100 s: the longest window within is a minute


@pytest.mark.parametrize(("seconds", "window"), [(14.9, None), (15, 15), (100, 60), (1e6, 86_400)])
def test_a_window_never_reaches_back_before_the_step(seconds: float, window: int | None) -> None:
    assert window_within(seconds) == window


def test_services_whose_steps_began_together_share_a_query() -> None:
    code = ("chat", "code")
    assert compared([(LLAMA, SINCE), (code, SINCE - 9), (("a", "b"), NOW - 5)], NOW) == {60: {LLAMA, code}}


def test_canaries_are_kept_when_other_services_are_not_known_yet() -> None:
    wanted = Wanted(frozenset(), {VLLM: None}, {60: frozenset({LLAMA})})
    assert both(EVERYTHING, wanted).canaries == {60: {LLAMA}}


def test_without_a_canary_nothing_is_asked_by_track() -> None:
    built = queries.build(EVERYTHING, 60)
    assert (built.track_histograms, built.track_counts) == ({}, {})


def test_only_services_with_a_canary_are_asked_by_track() -> None:
    built = queries.build(Wanted(frozenset({Signal.TTFT}), {VLLM: None}, {300: frozenset({LLAMA})}), 60)
    assert built.track_histograms == {
        "time_to_first_token_by_track_300s": "sum by (namespace, inferenceservice, track, le) "
        '(increase(vllm:time_to_first_token_seconds_bucket{namespace=~"chat",inferenceservice=~"llama"}[300s]))'
    }
    assert built.track_counts == {
        "completed_by_track_300s": "sum by (namespace, inferenceservice, track) "
        '(increase(vllm:request_success_total{namespace=~"chat",inferenceservice=~"llama"}[300s]))'
    }


def test_each_track_may_speak_a_dialect_of_its_own() -> None:
    """A canary can be of another engine."""
    sglang = RUNTIMES[Engine.SGLANG].dialects[0]
    wanted = Wanted(frozenset({Signal.TTFT}), dict.fromkeys((VLLM, sglang)), {60: frozenset({LLAMA})})
    (text,) = queries.build(wanted, 60).track_histograms.values()
    assert " or on (namespace, inferenceservice, track) " in text


def seen(
    stable: dict[str, str] | None, canary: dict[str, str] | None, counts: dict[str, str] | None = None
) -> Snapshot:
    """Time to first token by track, and completed requests."""
    of = {Track.STABLE: stable, Track.CANARY: canary}
    vector = [one for track, edges in of.items() if edges for one in buckets(edges, track=track)]
    completed = [sample(value, track=track) for track, value in (counts or {}).items()]
    return Snapshot(
        NOW,
        30.0,
        track_histograms={"time_to_first_token_by_track_60s": answers.histograms_by_track(vector)},
        track_counts={"completed_by_track_60s": answers.by_track(completed)},
    )


def read(snapshot: Snapshot, *objectives: Objective, **changes: Any) -> TrackReadings:
    dialect = replace(VLLM, **changes)
    found = snapshot.tracks(LLAMA, SINCE, objectives or (TTFT,), (dialect,))
    assert found is not None
    return found


FAST = {"0.25": "90", "0.5": "95", "+Inf": "100"}
SLOW = {"0.25": "1", "0.5": "2", "+Inf": "20"}


def test_both_tracks_are_counted_at_the_target() -> None:
    found = read(seen(FAST, SLOW, {"stable": "100", "canary": "20"}))
    (one,) = found.objectives
    assert (one.state, one.stable, one.canary) == (State.OK, Tally(95, 100), Tally(2, 20))
    assert found.requests == {Track.STABLE: 100, Track.CANARY: 20}
    assert found.begins == NOW - 60


def test_a_step_that_has_just_begun_says_nothing() -> None:
    assert seen(FAST, SLOW).tracks(LLAMA, NOW - 5, (TTFT,), (VLLM,)) is None


def test_a_track_that_is_not_seen_has_no_observations() -> None:
    (one,) = read(seen(FAST, None)).objectives
    assert (one.state, one.canary) == (State.OK, Tally())


def test_requests_are_counted_by_their_latencies_where_nothing_else_counts_them() -> None:
    assert read(seen(FAST, SLOW)).requests == {Track.STABLE: 100, Track.CANARY: 20}


def test_a_query_that_failed_is_no_engine_that_does_not_measure() -> None:
    assert read(Snapshot(NOW, 30.0)).objectives[0].state is State.ERROR
    assert read(Snapshot(NOW, 30.0), time_to_first_token=None).objectives[0].state is State.UNSUPPORTED


def test_a_target_below_every_edge_cannot_be_told() -> None:
    (one,) = read(seen(FAST, SLOW), replace(TTFT, target=0.1)).objectives
    assert one.state is State.UNSUPPORTED


def test_throughput_is_not_compared() -> None:
    assert [one.signal for one in read(seen(FAST, SLOW), TOKENS, TTFT).objectives] == [Signal.TTFT]


def test_a_broken_bucket_spoils_its_track_alone() -> None:
    vector = [*buckets(FAST, track="stable"), *buckets(SLOW | {"0.5": "NaN"}, track="canary")]
    assert answers.histograms_by_track(vector)[LLAMA].keys() == {"stable"}
