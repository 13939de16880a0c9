"""Kinds that kopf missed."""

import asyncio

import kopf
from aifactory.controller.watched import Insights, watch

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
