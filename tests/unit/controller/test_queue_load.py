"""How much the queue does at a time, what it shows of that, and what is left of it."""

import asyncio
import gc
import weakref

import pytest
from aifactory.controller.queue import WorkQueue

from tests.unit.controller.virtual_time import run
from tests.unit.controller.working import done, fail, lasting, working


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
