"""One engine on several nodes: it serves when all are there, and ends when one is gone."""

import asyncio
from collections.abc import Awaitable, Callable

from modelserver.rendezvous import work
from modelserver.server import Phase, Server

Start = Callable[..., Awaitable[Server]]
Eventually = Callable[..., Awaitable[None]]


def join(server: Server, rank: int) -> "asyncio.Task[None]":
    return asyncio.create_task(work("127.0.0.1", server.rendezvous_port or 0, rank, lambda line: None))


async def leader(start: Start, eventually: Eventually, nodes: int) -> Server:
    server = await start(until=Phase.LOADING, nodes=nodes, leader="127.0.0.1", rendezvous_port=0)
    await eventually(lambda: server.rendezvous_port)
    return server


async def test_a_leader_is_ready_only_with_all_its_workers(start: Start, eventually: Eventually) -> None:
    server = await leader(start, eventually, nodes=3)
    first = join(server, 1)
    await eventually(lambda: server.rendezvous.joined == {"1"})
    assert server.phase is Phase.LOADING
    second = join(server, 2)
    await eventually(lambda: server.phase is Phase.READY)
    server.stop()
    await asyncio.gather(first, second)


async def test_a_worker_that_comes_again_before_all_are_there_is_one_worker(
    start: Start, eventually: Eventually
) -> None:
    server = await leader(start, eventually, nodes=3)
    for _ in range(2):
        worker = join(server, 1)
        await eventually(lambda: server.rendezvous.joined == {"1"})
        worker.cancel()
        await eventually(lambda: not server.rendezvous.joined)
    assert server.phase is Phase.LOADING


async def test_a_leader_ends_when_a_worker_is_gone(start: Start, eventually: Eventually) -> None:
    server = await leader(start, eventually, nodes=2)
    worker = join(server, 1)
    await eventually(lambda: server.phase is Phase.READY)
    worker.cancel()
    await eventually(lambda: server.phase is Phase.DRAINING)
    assert server.failed == "node 1 is gone"


async def test_a_worker_ends_when_its_leader_is_gone(start: Start, eventually: Eventually) -> None:
    server = await leader(start, eventually, nodes=2)
    worker = join(server, 1)
    await eventually(lambda: server.phase is Phase.READY)
    server.stop()
    await worker
    assert server.failed == ""
