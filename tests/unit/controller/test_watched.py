"""Kinds that kopf missed, or that are gone while it watches them."""

import asyncio

import aiohttp
import kopf
import pytest
from aifactory.controller.watched import Insights, Others, insist, watch
from kopf._cogs.aiokits.aiotasks import create_guarded_task
from kopf._cogs.clients.errors import APIForbiddenError, APINotFoundError

from tests.unit.controller.virtual_time import run

GONE = APINotFoundError("404 page not found", status=404, headers={})
FAILURES = [
    GONE,
    APIForbiddenError("pods is forbidden", status=403, headers={}),
    kopf.LoginError("ran out of valid credentials"),
    aiohttp.ServerDisconnectedError(),
]

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


@pytest.mark.parametrize("failure", FAILURES)
def test_watching_begins_anew_whatever_the_api_server_did_and_ends_when_told(failure: Exception) -> None:
    async def main() -> int:
        stopping, begun = asyncio.Event(), 0

        async def watching() -> None:
            nonlocal begun
            begun += 1
            if begun < 3:
                raise failure
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


def test_what_kopf_blames_on_itself_is_not_the_end_when_the_api_server_was_at_fault() -> None:
    async def main() -> None:
        stopping = asyncio.Event()

        async def watching() -> None:
            if stopping.is_set():
                return
            stopping.set()
            raise RuntimeError("this seems to be a framework bug") from GONE

        await insist(watching, stopping)

    run(main())


def test_when_kopf_ends_its_own_tasks_are_stopped_and_no_others() -> None:
    async def failing() -> None:
        raise GONE

    async def main() -> tuple[bool, str]:
        watching = asyncio.create_task(kopf.run_tasks([asyncio.create_task(failing())], ignored=Others()))
        await asyncio.sleep(0)
        hung = create_guarded_task(asyncio.sleep(60), "watcher")
        asked = asyncio.create_task(asyncio.sleep(60, "answered"))
        with pytest.raises(APINotFoundError):
            await watching
        return hung.cancelled(), await asked

    assert run(main()) == (True, "answered")


def test_any_other_failure_ends_it() -> None:
    async def watching() -> None:
        raise PermissionError("not allowed")

    with pytest.raises(PermissionError):
        run(insist(watching, asyncio.Event()))
