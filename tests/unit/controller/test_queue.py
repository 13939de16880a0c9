"""What the rest of the operator can rely on: each service is looked at when it should be, by one worker at a time."""

import asyncio

import pytest
from aifactory.controller.queue import WorkQueue
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.controller.virtual_time import run
from tests.unit.controller.working import Failure, lasting, working


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
