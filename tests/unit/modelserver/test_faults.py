"""Faults that tests switch on in a running server."""

import asyncio
from collections.abc import Awaitable, Callable

import aiohttp
import pytest
from modelserver.server import Server

Start = Callable[..., Awaitable[Server]]
Eventually = Callable[..., Awaitable[None]]
TEXT = {"model": "m", "prompt": "x", "max_tokens": 5}


def address(server: Server, path: str) -> str:
    return f"http://127.0.0.1:{server.port}{path}"


async def test_faults_exist_only_where_they_are_allowed(start: Start, http: aiohttp.ClientSession) -> None:
    server = await start()

    async with http.post(address(server, "/fault/wedge")) as response:
        assert response.status == 404


async def test_a_wedged_engine_is_healthy_but_produces_no_token_until_released(
    start: Start, http: aiohttp.ClientSession, eventually: Eventually
) -> None:
    server = await start(faults=True)
    await (await http.post(address(server, "/fault/wedge"))).read()
    request = asyncio.create_task(http.post(address(server, "/v1/completions"), json=TEXT))

    await eventually(lambda: server.engine.scheduler.running)
    async with http.get(address(server, "/health")) as health:
        assert health.status == 200
    assert not server.engine.scheduler.running[0].generated

    await (await http.delete(address(server, "/fault/wedge"))).read()
    async with await request as response:
        assert response.status == 200


async def test_metrics_can_be_switched_off(start: Start, http: aiohttp.ClientSession) -> None:
    server = await start(faults=True)
    await (await http.post(address(server, "/fault/metrics-off"))).read()

    async with http.get(address(server, "/metrics")) as response:
        assert response.status == 500


async def test_metrics_can_lose_their_values(start: Start, http: aiohttp.ClientSession) -> None:
    server = await start(faults=True)
    await (await http.post(address(server, "/fault/metrics-nan"))).read()

    async with http.get(address(server, "/metrics")) as response:
        samples = [line for line in (await response.text()).splitlines() if not line.startswith("#")]

    assert samples
    assert all(sample.endswith(" NaN") for sample in samples)


async def test_a_slow_engine_takes_longer_by_the_factor_asked_for(start: Start, http: aiohttp.ClientSession) -> None:
    server = await start(faults=True, base_seconds=0.01)
    await (await http.post(address(server, "/fault/slow?factor=6"))).read()

    started = asyncio.get_running_loop().time()
    await (await http.post(address(server, "/v1/completions"), json=TEXT)).read()

    assert asyncio.get_running_loop().time() - started > 5 * 0.06 * 0.9


@pytest.mark.parametrize("name", ["fire", "WEDGE"])
async def test_an_unknown_fault_is_answered_with_the_known_ones(
    start: Start, http: aiohttp.ClientSession, name: str
) -> None:
    server = await start(faults=True)

    async with http.post(address(server, f"/fault/{name}")) as response:
        assert response.status == 404
        assert "use one of metrics-nan, metrics-off, slow, wedge" in await response.text()
