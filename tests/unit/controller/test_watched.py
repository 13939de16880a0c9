"""Kinds that kopf missed, or that are gone while it watches them."""

import asyncio

import kopf
import pytest
from aifactory.controller.watched import Insights, insist, watch
from kopf._cogs.clients.errors import APINotFoundError

from tests.unit.controller.virtual_time import run

GONE = APINotFoundError("404 page not found", status=404, headers={})

POOL = kopf.Resource("inference.networking.k8s.io", "v1", "inferencepools", kind="InferencePool", namespaced=True)


def observed(*watched: kopf.Resource) -> Insights:
    """What kopf knows after it has looked."""
    insights = Insights(watched_resources=set(watched))
    insights.ready_resources.set()
    return insights


async def test_a_kind_that_kopf_missed_is_watched_from_the_next_look_on() -> None:
    insights = observed()

    async def revised() -> None:
        async with insights.revised:
            await insights.revised.wait()

    told = asyncio.create_task(revised())
    await asyncio.sleep(0)
    await watch(insights, {"InferencePool"})
    await asyncio.wait_for(told, 5)
    (found,) = insights.watched_resources
    assert found.get_url() == POOL.get_url()
    assert found.namespaced


async def test_a_kind_that_kopf_watches_is_not_watched_twice() -> None:
    insights = observed(POOL)
    await watch(insights, {"InferencePool"})
    assert insights.watched_resources == {POOL}


async def test_kinds_that_are_only_read_are_not_watched() -> None:
    insights = observed()
    await watch(insights, {"DynamoWorkerMetadata"})
    assert insights.watched_resources == set()


async def test_kopf_looks_first() -> None:
    insights = Insights()
    await watch(insights, {"InferencePool"})
    assert insights.watched_resources == set()


def test_watching_begins_anew_when_a_kind_is_gone_and_ends_when_told() -> None:
    async def main() -> int:
        stopping, begun = asyncio.Event(), 0

        async def watching() -> None:
            nonlocal begun
            begun += 1
            if begun < 3:
                raise GONE
            stopping.set()

        await insist(watching, stopping)
        return begun

    assert run(main()) == 3


def test_a_stop_between_two_attempts_is_heard() -> None:
    async def main() -> float:
        stopping, loop = asyncio.Event(), asyncio.get_running_loop()
        loop.call_later(1.0, stopping.set)

        async def watching() -> None:
            raise GONE

        await insist(watching, stopping)
        return loop.time()

    assert run(main()) == 1.0


def test_any_other_failure_ends_it() -> None:
    async def watching() -> None:
        raise PermissionError("not allowed")

    with pytest.raises(PermissionError):
        run(insist(watching, asyncio.Event()))
