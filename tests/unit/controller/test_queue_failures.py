"""Work that fails is tried again, later each time, and keeps nobody else waiting."""

import asyncio
from itertools import pairwise

from aifactory.controller.queue import BACKOFF_FIRST_SECONDS, BACKOFF_LIMIT_SECONDS
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.controller.virtual_time import run
from tests.unit.controller.working import Failure, fail, working


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
