"""The engine on virtual time: long steps give what single iterations give, and nothing gets lost."""

import random

import pytest
from aifactory.simulate.engine.batching import Limits, Sequence
from aifactory.simulate.engine.counters import TOKENS
from aifactory.simulate.engine.replica import Replica
from modelserver.virtual import Run, simulate

from tests.simulate.scenes import EDGES, FAST, ROOMY

TIGHT = Limits(max_num_seqs=64, max_num_batched_tokens=512, kv_tokens=4000)
NARROW = Limits(max_num_seqs=64, max_num_batched_tokens=24, kv_tokens=100_000)
FEW = Limits(max_num_seqs=4, max_num_batched_tokens=512, kv_tokens=100_000)


def arrivals(rate: float, count: int = 150, seed: int = 1) -> list[Sequence]:
    rng, at, found = random.Random(seed), 0.0, []
    for _ in range(count):
        at += rng.expovariate(rate)
        found.append(Sequence(rng.randint(1, 900), rng.randint(1, 300), arrived_at=at))
    return found


def both(limits: Limits, rate: float, looks: int = 0) -> tuple[Run, list[Sequence], Replica]:
    """One iteration after the other, and the replica; somebody looks at it so many times between two requests."""
    reference = simulate(FAST, limits, arrivals(rate))
    done: list[Sequence] = []
    replica = Replica(FAST, limits, EDGES, done.append)
    before = 0.0
    for sequence in arrivals(rate):
        for look in range(looks):
            replica.sample(before + (sequence.arrived_at - before) * look / looks)
        before = sequence.arrived_at
        replica.submit(sequence)
    replica.run(1e9)
    return reference, done, replica


def story(sequences: list[Sequence]) -> list[tuple[float, ...]]:
    return sorted(
        (one.arrived_at, one.first_token_at or 0.0, one.finished_at or 0.0, one.generated, one.preemptions)
        for one in sequences
    )


@pytest.mark.parametrize("limits", [ROOMY, TIGHT, NARROW, FEW], ids=["roomy", "little cache", "small budget", "few"])
@pytest.mark.parametrize("rate", [0.5, 4.0, 40.0])
def test_every_request_takes_as_long_as_with_one_iteration_after_the_other(limits: Limits, rate: float) -> None:
    reference, done, _ = both(limits, rate)
    for exact, found in zip(story(reference.finished), story(done), strict=True):
        assert found == pytest.approx(exact, abs=1e-6)


def test_the_little_cache_of_these_tests_makes_it_preempt() -> None:
    reference, _, _ = both(TIGHT, 4.0)
    assert sum(sequence.preemptions for sequence in reference.finished) > 50


def test_looking_at_an_engine_does_not_change_what_it_does() -> None:
    _, alone, _ = both(TIGHT, 4.0)
    _, watched, _ = both(TIGHT, 4.0, looks=3)
    for exact, found in zip(story(alone), story(watched), strict=True):
        assert found == pytest.approx(exact, abs=1e-6)


@pytest.mark.parametrize("limits", [ROOMY, TIGHT, NARROW], ids=["roomy", "little cache", "small budget"])
def test_the_histogram_of_inter_token_latency_has_the_mean_of_every_request(limits: Limits) -> None:
    _, done, replica = both(limits, 4.0)
    histogram = replica.counters.histograms["inter_token_latency"]
    several = [each for each in done if each.output_tokens > 1]
    means = [(each.finished_at - each.first_token_at) / (each.output_tokens - 1) for each in several]
    assert sum(histogram.counts) == len(means)
    assert histogram.total == pytest.approx(sum(means))


@pytest.mark.parametrize("limits", [ROOMY, TIGHT, NARROW], ids=["roomy", "little cache", "small budget"])
def test_the_histogram_of_every_token_counts_each_interval_in_its_bucket(limits: Limits) -> None:
    reference, _, replica = both(limits, 4.0)
    histogram = replica.counters.histograms[TOKENS]
    intervals = reference.inter_token_latencies
    assert sum(histogram.counts) == len(intervals)
    assert histogram.total == pytest.approx(sum(intervals))
    for index, edge in enumerate(histogram.edges):
        exact = sum(value <= edge for value in intervals)
        assert sum(histogram.counts[: index + 1]) == pytest.approx(exact, abs=2)


def test_an_engine_at_rest_holds_nothing() -> None:
    _, done, replica = both(TIGHT, 4.0)
    assert len(done) == len(set(done)) == replica.counters.completed == 150
    assert replica.in_flight == replica.scheduler.used_blocks == replica.scheduler.decode_kv_tokens == 0
    assert replica.counters.generation_tokens == sum(sequence.output_tokens for sequence in done)
    assert replica.counters.prompt_tokens == sum(sequence.prompt_tokens for sequence in done)


def test_cutting_off_frees_everything_and_returns_each_request_once() -> None:
    done: list[Sequence] = []
    replica = Replica(FAST, FEW, EDGES, done.append)
    sent = arrivals(40.0)
    for sequence in sent:
        replica.submit(sequence)
    cut = replica.abort_all(sent[-1].arrived_at)
    assert cut
    assert sorted(map(id, (*cut, *done))) == sorted(map(id, sent))
    assert replica.in_flight == replica.scheduler.used_blocks == 0


def test_gauges_tell_what_runs_waits_and_fills_the_cache() -> None:
    replica = Replica(FAST, FEW, EDGES, lambda _: None)
    for _ in range(10):
        replica.submit(Sequence(100, 50, arrived_at=0.0))
    found = replica.sample(0.2)
    assert (found.running, found.waiting) == (4, 6)
    assert found.kv_cache_usage == pytest.approx(4 * 112 / 100_000, rel=0.2)
