"""A server takes traffic only when its model is loaded, each engine in its own way."""

from collections.abc import Awaitable, Callable

import aiohttp
import pytest
from modelserver.server import Phase, Server

Start = Callable[..., Awaitable[Server]]


async def status(http: aiohttp.ClientSession, server: Server, path: str) -> int:
    async with http.get(f"http://127.0.0.1:{server.port}{path}") as response:
        return response.status


async def test_vllm_has_no_port_while_it_loads(start: Start) -> None:
    server = await start(until=Phase.LOADING, startup_seconds=60.0)

    assert server.port is None


async def test_vllm_is_healthy_once_loaded(start: Start, http: aiohttp.ClientSession) -> None:
    server = await start(startup_seconds=0.05)

    assert await status(http, server, "/health") == 200


@pytest.mark.parametrize("dialect", ["nim1", "nim2"])
async def test_nim_is_live_but_not_ready_while_it_loads(
    start: Start, http: aiohttp.ClientSession, dialect: str
) -> None:
    server = await start(until=Phase.LOADING, dialect=dialect, startup_seconds=60.0, listening=True)

    assert await status(http, server, "/v1/health/live") == 200
    assert await status(http, server, "/v1/health/ready") == 503
    assert await status(http, server, "/v1/metrics") == 503


async def test_nim_answers_no_completion_before_it_is_ready(start: Start, http: aiohttp.ClientSession) -> None:
    server = await start(until=Phase.LOADING, dialect="nim2", startup_seconds=60.0, listening=True)

    async with http.post(f"http://127.0.0.1:{server.port}/v1/completions", json={"prompt": "x"}) as response:
        assert response.status == 503


async def test_nim_is_ready_once_loaded(start: Start, http: aiohttp.ClientSession) -> None:
    server = await start(dialect="nim2", startup_seconds=0.05)

    assert await status(http, server, "/v1/health/ready") == 200


async def test_a_stop_while_loading_ends_at_once(start: Start) -> None:
    server = await start(until=Phase.LOADING, startup_seconds=60.0)

    server.stop()
