"""What the rest of the operator can rely on: each service is looked at when it should be, by one worker at a time."""

import asyncio
import gc
import weakref
from itertools import pairwise

import pytest
from aifactory.controller.queue import BACKOFF_FIRST_SECONDS, BACKOFF_LIMIT_SECONDS, WorkQueue
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.controller.virtual_time import run
from tests.unit.controller.working import Failure, done, fail, lasting, working


def test_a_key_that_is_added_is_worked_on_at_once():
    async def main():
        async with working() as (queue, notes):
            queue.add("a")
            await asyncio.sleep(1)
            assert notes.runs == [("a", 0, 0)]

    run(main())


def test_keys_added_before_the_workers_start_are_not_lost():
    async def main():
        queue = WorkQueue(asyncio.get_running_loop().time)
        queue.add("a")
        seen = []

        async def work(key):
            seen.append(key)

        task = asyncio.create_task(queue.run(work, 2, lambda *_: None))
        await asyncio.sleep(1)
        task.cancel()
        assert seen == ["a"]

    run(main())


def test_many_requests_for_a_waiting_key_are_one_run():
    async def main():
        async with working(lasting(10), workers=1) as (queue, notes):
            queue.add("busy")
            await asyncio.sleep(1)
            for _ in range(100):
                queue.add("a")
            await asyncio.sleep(100)
            assert notes.starts("a") == [10]

    run(main())


def test_a_delay_is_honoured():
    async def main():
        async with working() as (queue, notes):
            queue.add("a", 5)
            await asyncio.sleep(100)
            assert notes.starts("a") == [5]

    run(main())


def test_an_earlier_request_shortens_the_delay():
    async def main():
        async with working() as (queue, notes):
            queue.add("a", 500)
            await asyncio.sleep(1)
            queue.add("a", 2)
            await asyncio.sleep(1000)
            assert notes.starts("a") == [3]

    run(main())


def test_a_later_request_does_not_lengthen_the_delay():
    async def main():
        async with working() as (queue, notes):
            queue.add("a", 2)
            queue.add("a", 500)
            await asyncio.sleep(1000)
            assert notes.starts("a") == [2]

    run(main())


def test_news_during_a_run_lead_to_one_more_run_after_it():
    async def main():
        async with working(lasting(10)) as (queue, notes):
            queue.add("a")
            await asyncio.sleep(1)
            for _ in range(3):
                queue.add("a")
            await asyncio.sleep(100)
            assert notes.starts("a") == [0, 10]
            assert not notes.clashes

    run(main())


def test_delayed_news_during_a_run_keep_their_delay():
    async def main():
        async with working(lasting(10)) as (queue, notes):
            queue.add("a")
            await asyncio.sleep(1)
            queue.add("a", 30)
            await asyncio.sleep(100)
            assert notes.starts("a") == [0, 31]

    run(main())


def test_work_says_when_the_key_is_due_again():
    async def main():
        async def work(_):
            await asyncio.sleep(1)
            return 600.0

        async with working(work) as (queue, notes):
            queue.add("a")
            await asyncio.sleep(1300)
            assert notes.starts("a") == [0, 601, 1202]

    run(main())


def test_news_come_before_the_next_regular_run():
    async def main():
        async def work(_):
            return 600.0

        async with working(work) as (queue, notes):
            queue.add("a")
            await asyncio.sleep(100)
            queue.add("a")
            await asyncio.sleep(650)
            assert notes.starts("a") == [0, 100, 700]

    run(main())


def test_failures_are_retried_after_doubling_delays_up_to_a_limit():
    async def main():
        async with working(fail) as (queue, notes):
            queue.add("a")
            await asyncio.sleep(400)
            delays = [delay for _, _, delay in notes.failures]
            assert delays[:9] == [0.5, 1, 2, 4, 8, 16, 32, 60, 60]
            starts = notes.starts("a")
            assert [later - earlier for earlier, later in pairwise(starts)] == delays[:-1]

    run(main())


def test_a_key_that_fails_for_days_is_still_retried():
    async def main():
        async with working(fail) as (queue, notes):
            queue.add("a")
            await asyncio.sleep(3 * 86400)
            assert len(notes.failures) > 4000
            assert notes.failures[-1][2] == BACKOFF_LIMIT_SECONDS

    run(main())


@given(st.floats(0, 1, exclude_max=True))
def test_jitter_cuts_a_delay_by_at_most_a_half(jitter):
    async def main():
        async with working(fail, jitter=jitter) as (queue, notes):
            queue.add("a")
            await asyncio.sleep(200)
            for failures, (_, _, delay) in enumerate(notes.failures):
                longest = min(BACKOFF_LIMIT_SECONDS, BACKOFF_FIRST_SECONDS * 2**failures)
                assert longest / 2 <= delay <= longest

    run(main())


def test_success_ends_the_backoff():
    async def main():
        outcomes = iter([True, True, True, False, True])

        async def work(_):
            if next(outcomes, False):
                raise Failure("broken")
            return 60.0

        async with working(work) as (queue, notes):
            queue.add("a")
            await asyncio.sleep(200)
            assert [delay for _, _, delay in notes.failures] == [0.5, 1, 2, 0.5]

    run(main())


def test_news_do_not_wait_for_the_backoff():
    async def main():
        async with working(fail) as (queue, notes):
            queue.add("a")
            await asyncio.sleep(100)
            before = len(notes.runs)
            queue.add("a")
            await asyncio.sleep(0.1)
            assert len(notes.runs) == before + 1

    run(main())


def test_a_failure_names_key_cause_and_delay():
    async def main():
        async with working(fail) as (queue, notes):
            queue.add("a")
            await asyncio.sleep(0.1)
            assert notes.failures == [("a", "broken", 0.5)]

    run(main())


def test_a_key_that_fails_does_not_keep_others_waiting():
    async def main():
        async def work(key):
            await asyncio.sleep(0.01)
            if key == "bad":
                raise Failure("broken")
            return 1.0

        async with working(work, workers=1) as (queue, notes):
            queue.add("bad")
            queue.add("good")
            await asyncio.sleep(100)
            assert len(notes.starts("good")) > 90

    run(main())


def test_timers_that_are_ahead_of_the_clock_do_not_run_a_key_twice():
    async def main():
        loop = asyncio.get_running_loop()
        queue, runs = WorkQueue(lambda: loop.time() * 0.9), []

        async def work(key):
            runs.append(key)

        queue.add("a", 9)
        await asyncio.sleep(9)
        queue.add("a")
        task = asyncio.create_task(queue.run(work, 2, lambda *_: None))
        await asyncio.sleep(100)
        assert not task.done()
        task.cancel()
        assert runs == ["a"]

    run(main())


def test_at_most_as_many_keys_as_workers_at_a_time():
    async def main():
        async with working(lasting(1), workers=3) as (queue, notes):
            for key in "abcdefghi":
                queue.add(key)
            await asyncio.sleep(100)
            assert notes.together == 3
            assert max(end for _, _, end in notes.runs) == 3

    run(main())


def test_depth_counts_keys_that_are_due_and_not_worked_on():
    async def main():
        async with working(lasting(10), workers=1) as (queue, _):
            for key in "abc":
                queue.add(key)
            queue.add("later", 1000)
            await asyncio.sleep(1)
            assert queue.depth == 2
            await asyncio.sleep(100)
            assert queue.depth == 0

    run(main())


def test_age_is_the_wait_of_the_most_overdue_key():
    async def main():
        async with working(lasting(10), workers=1) as (queue, _):
            queue.add("a")
            await asyncio.sleep(4)
            queue.add("b")
            await asyncio.sleep(8)
            assert queue.age == 8

    run(main())


def test_work_that_hangs_ages():
    async def main():
        async with working(lasting(10_000)) as (queue, _):
            queue.add("a")
            await asyncio.sleep(500)
            assert queue.age == 500

    run(main())


def test_a_key_that_is_not_due_yet_has_no_age():
    async def main():
        async with working(fail) as (queue, _):
            queue.add("later", 1000)
            queue.add("in backoff")
            await asyncio.sleep(0.25)
            assert queue.age == 0

    run(main())


def test_an_idle_queue_has_neither_depth_nor_age():
    async def main():
        async with working() as (queue, _):
            queue.add("a")
            await asyncio.sleep(100)
            assert (queue.depth, queue.age) == (0, 0)

    run(main())


def test_nothing_is_kept_of_a_key_that_is_done():
    class Key:
        pass

    async def main():
        async with working(done) as (queue, notes):
            key = Key()
            queue.add(key)
            queue.add(key, 5)
            await asyncio.sleep(1)
            left = weakref.ref(key)
            notes.runs.clear()
            del key
            for other in "abcd":  # every worker lets go of what it had
                queue.add(other)
            await asyncio.sleep(1)
            gc.collect()
            assert left() is None

    run(main())


def test_work_that_never_waits_leaves_time_for_everything_else():
    async def main():
        async def work(_):
            return 0.0 if len(notes.runs) < 1000 else None

        async with working(work, workers=1) as (queue, notes):
            queue.add("a")
            for _ in range(10):
                await asyncio.sleep(0)
            assert len(notes.runs) < 50

    run(main())


def test_cancelling_ends_all_work_and_leaves_no_task():
    async def main():
        stopped = []

        async def work(key):
            try:
                await asyncio.sleep(1000)
            except asyncio.CancelledError:
                stopped.append(key)
                raise

        queue = WorkQueue(asyncio.get_running_loop().time)
        task = asyncio.create_task(queue.run(work, 3, lambda *_: None))
        for key in "ab":
            queue.add(key)
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert sorted(stopped) == ["a", "b"]
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(main())


KEYS = st.sampled_from("abc")
TIMES = st.integers(0, 8).map(lambda quarters: quarters / 4)
ADDS = st.lists(st.tuples(TIMES, KEYS, TIMES), min_size=1, max_size=30)
OUTCOMES = st.lists(st.tuples(TIMES, st.one_of(st.just("fail"), st.none(), TIMES)), max_size=30)


@given(ADDS, OUTCOMES, st.integers(1, 4))
def test_whatever_happens_no_key_runs_twice_at_a_time_and_every_request_is_answered_by_a_later_run(
    adds, outcomes, workers
):
    async def main():
        order = []
        script = iter(outcomes)

        async def work(key):
            order.append(("run", key))
            seconds, outcome = next(script, (0, None))
            await asyncio.sleep(seconds)
            if outcome == "fail":
                raise Failure("broken")
            return outcome

        async with working(work, workers, jitter=0.5) as (queue, notes):
            for gap, key, delay in adds:
                await asyncio.sleep(gap)
                order.append(("add", key))
                queue.add(key, delay)
            await asyncio.sleep(100_000)
            assert not notes.clashes
            assert notes.together <= workers
            assert not notes.running
            assert (queue.depth, queue.age) == (0, 0)
            again = sum(outcome is not None for _, outcome in outcomes)
            assert len(notes.runs) <= len(adds) + again
            for position, (what, key) in enumerate(order):
                assert what == "run" or ("run", key) in order[position:]

    run(main())


@given(ADDS)
def test_with_a_free_worker_a_key_starts_when_its_first_request_is_due(adds):
    async def main():
        async with working(workers=3) as (queue, notes):
            clock = asyncio.get_running_loop().time
            wanted: dict[str, list[float]] = {}
            for gap, key, delay in adds:
                await asyncio.sleep(gap + 0.001)
                due = clock() + delay
                dues = wanted.setdefault(key, [])
                if dues and dues[-1] > clock():
                    dues[-1] = min(dues[-1], due)
                else:
                    dues.append(due)
                queue.add(key, delay)
            await asyncio.sleep(100)
            for key, dues in wanted.items():
                assert notes.starts(key) == pytest.approx(dues)

    run(main())
