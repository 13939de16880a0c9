"""Servers on loopback ports of their own, and the recordings they are compared with."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from modelserver.server import Phase, Server
from modelserver.settings import SPEEDS, Settings

INSTANT = replace(Settings(), dialect="vllm", model="m", host="127.0.0.1", port=0, **SPEEDS["instant"])


@pytest.fixture(scope="session")
def recordings() -> Path:
    return Path(__file__).parents[2] / "modelserver" / "data"


@pytest.fixture
async def start() -> AsyncIterator[Callable[..., Awaitable[Server]]]:
    """Start a fast server with some settings changed; it is stopped with the test."""
    async with AsyncExitStack() as stack:

        async def start_server(until: Phase = Phase.READY, listening: bool = False, **changes: object) -> Server:
            server = Server(replace(INSTANT, **changes))
            await stack.enter_async_context(running(server))
            await hold(lambda: server.phase is until and (server.port or not listening))
            return server

        yield start_server


@pytest.fixture
def eventually() -> Callable[..., Awaitable[None]]:
    return hold


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
        yield session


@asynccontextmanager
async def running(server: Server) -> AsyncIterator[None]:
    life = asyncio.create_task(server.run())
    try:
        yield
    finally:
        server.stop()
        await life


async def hold(condition: Callable[[], object], seconds: float = 5.0) -> None:
    """Wait until a condition holds; fail the test when it does not within `seconds`."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, f"not within {seconds:g} s"
        await asyncio.sleep(0.005)
