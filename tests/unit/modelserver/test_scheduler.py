"""Continuous batching, one iteration at a time."""

import pytest
from aifactory.simulate.engine.batching import Limits, RequestTooLongError, Scheduler, Sequence, Timing

ROOMY = Limits(max_num_seqs=8, max_num_batched_tokens=100, kv_tokens=1600)


def run_to_end(scheduler: Scheduler) -> int:
    iterations = 0
    while not scheduler.idle:
        scheduler.commit(scheduler.plan(float(iterations)), iterations + 1.0)
        iterations += 1
    return iterations


def test_a_sequence_gets_its_first_token_from_the_prefill_and_one_per_iteration_after() -> None:
    scheduler = Scheduler(ROOMY)
    sequence = Sequence(50, 4, arrived_at=0.0)
    scheduler.submit(sequence)

    assert run_to_end(scheduler) == 4
    assert (sequence.first_token_at, sequence.finished_at) == (1.0, 4.0)


def test_a_long_prompt_is_prefilled_in_chunks_of_the_token_budget() -> None:
    scheduler = Scheduler(ROOMY)
    sequence = Sequence(250, 1, arrived_at=0.0)
    scheduler.submit(sequence)

    assert run_to_end(scheduler) == 3
    assert sequence.first_token_at == 3.0


def test_decoding_sequences_share_an_iteration_with_a_newcomer_prefill() -> None:
    scheduler = Scheduler(ROOMY)
    scheduler.submit(Sequence(10, 5, arrived_at=0.0))
    scheduler.commit(scheduler.plan(0.0), 1.0)
    scheduler.submit(Sequence(40, 5, arrived_at=1.0))

    batch = scheduler.plan(1.0)

    assert (batch.decodes, batch.prefill_tokens, batch.kv_tokens) == (1, 40, 51)


def test_requests_wait_in_order_while_the_batch_is_full() -> None:
    scheduler = Scheduler(Limits(max_num_seqs=2, max_num_batched_tokens=100, kv_tokens=1600))
    sequences = [Sequence(1, 2, arrived_at=0.0) for _ in range(4)]
    for sequence in sequences:
        scheduler.submit(sequence)

    run_to_end(scheduler)

    assert [sequence.scheduled_at for sequence in sequences] == [0.0, 0.0, 2.0, 2.0]


def test_a_full_kv_cache_preempts_the_youngest_and_computes_it_again() -> None:
    scheduler = Scheduler(Limits(max_num_seqs=8, max_num_batched_tokens=100, kv_tokens=64))
    oldest, youngest = Sequence(30, 20, arrived_at=0.0), Sequence(30, 20, arrived_at=0.0)
    scheduler.submit(oldest)
    scheduler.submit(youngest)

    run_to_end(scheduler)

    assert (oldest.preemptions, youngest.preemptions) == (0, 1)
    assert oldest.finished_at < youngest.finished_at
    assert youngest.generated == 20
    assert scheduler.used_blocks == 0


def test_a_preempted_sequence_keeps_its_tokens_and_only_pays_the_prefill_again() -> None:
    scheduler = Scheduler(Limits(max_num_seqs=8, max_num_batched_tokens=100, kv_tokens=64))
    scheduler.submit(Sequence(30, 20, arrived_at=0.0))
    youngest = Sequence(30, 20, arrived_at=0.0)
    scheduler.submit(youngest)
    while not youngest.preemptions:
        scheduler.commit(scheduler.plan(0.0), 1.0)
    before = youngest.generated
    while youngest in scheduler.waiting:
        batch = scheduler.plan(0.0)
        scheduler.commit(batch, 1.0)

    assert batch.prefill_tokens == 30 + before
    assert youngest.generated == before + 1


def test_a_request_larger_than_the_cache_is_refused() -> None:
    with pytest.raises(RequestTooLongError, match="1601 prompt tokens and 1 output tokens exceed"):
        Scheduler(ROOMY).submit(Sequence(1601, 1, arrived_at=0.0))


def test_an_abort_during_an_iteration_frees_the_cache_and_yields_no_token() -> None:
    scheduler = Scheduler(ROOMY)
    sequence = Sequence(50, 4, arrived_at=0.0)
    scheduler.submit(sequence)
    batch = scheduler.plan(0.0)

    scheduler.abort(sequence, 0.5)

    assert scheduler.commit(batch, 1.0) == []
    assert scheduler.idle
    assert scheduler.used_blocks == 0
    assert sequence.finish_reason == "abort"


def test_an_iteration_lasts_longer_with_decodes_prefill_and_context() -> None:
    timing = Timing(base=1.0, per_decode=0.1, per_prefill_token=0.01, per_kv_token=0.001)
    scheduler = Scheduler(ROOMY)
    scheduler.submit(Sequence(10, 5, arrived_at=0.0))
    scheduler.commit(scheduler.plan(0.0), 1.0)
    scheduler.submit(Sequence(40, 5, arrived_at=1.0))

    assert timing.seconds(scheduler.plan(1.0)) == pytest.approx(1.0 + 0.1 + 0.4 + 0.051)
