"""The source against a small HTTP server that answers as Prometheus does, or does not."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aifactory.api.engine import Engine
from aifactory.runtimes import RUNTIMES
from aifactory.signals import prometheus
from aifactory.signals.objectives import LATENCIES, Signal
from aifactory.signals.prometheus import PrometheusSource
from aifactory.signals.wanted import Wanted
from aiohttp import web

from tests.unit.signals.vectors import sample

VLLM = dict.fromkeys(RUNTIMES[Engine.VLLM].dialects)
ALL = Wanted(frozenset(LATENCIES), VLLM)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Calls(list[tuple[str, float, bool]]):
    """What `on_query` was told; `slow` is set when the last query over a long window has been answered."""

    def __init__(self) -> None:
        super().__init__()
        self.slow = asyncio.Event()

    def __call__(self, name: str, seconds: float, ok: bool) -> None:
        self.append((name, seconds, ok))
        if name == "end_to_end_latency_1h":
            self.slow.set()


@asynccontextmanager
async def source(handler: Handler, calls: Calls | None = None, seconds: float = 5.0) -> AsyncIterator[PrometheusSource]:
    app = web.Application()
    app.router.add_route("*", "/api/v1/query", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    found = PrometheusSource(
        f"http://127.0.0.1:{port}",
        timeout_seconds=seconds,
        window_seconds=60,
        on_query=Calls() if calls is None else calls,
    )
    try:
        yield found
    finally:
        found.close()
        await runner.cleanup()


def vector(result: Any) -> web.Response:
    return web.json_response({"status": "success", "data": {"resultType": "vector", "result": result}})


async def healthy(request: web.Request) -> web.Response:
    return vector([sample("2", pod="a", le="+Inf")])


async def test_everything_is_read_and_every_query_is_timed() -> None:
    calls = Calls()
    async with source(healthy, calls) as prom:
        snapshot = await prom.read(1000.0, ALL)
        await calls.slow.wait()
    assert (snapshot.time, snapshot.error) == (1000.0, "")
    assert snapshot.gauges["running"] == {("chat", "llama"): {"a": 2.0}}
    assert snapshot.watts == {"chat": {"a": 2.0}}
    assert {"time_to_first_token", "growth", "sample_age", "inter_token_latency_1h"} <= {name for name, _, _ in calls}
    assert all(ok and seconds >= 0 for _, seconds, ok in calls)


async def test_long_windows_are_read_less_often() -> None:
    calls = Calls()
    async with source(healthy, calls) as prom:
        for now in (0.0, 10.0, 20.0):
            snapshot = await prom.read(now, ALL)
            await calls.slow.wait()
        calls.slow.clear()
        await prom.read(61.0, ALL)
        await calls.slow.wait()
    assert sum(name == "time_to_first_token_1h" for name, _, _ in calls) == 2
    assert sum(name == "time_to_first_token" for name, _, _ in calls) == 4
    assert "time_to_first_token_1h" in snapshot.histograms


async def test_latencies_that_nobody_has_objectives_for_are_not_read() -> None:
    calls = Calls()
    async with source(healthy, calls) as prom:
        await prom.read(0.0, Wanted(frozenset({Signal.TTFT, Signal.E2E}), VLLM))
        await calls.slow.wait()
    read = {name for name, _, _ in calls}
    assert {"time_to_first_token", "time_to_first_token_sum", "time_to_first_token_5m"} <= read
    assert not any(name.startswith("inter_token_latency") for name in read)


async def test_long_windows_of_a_new_latency_are_read_at_once() -> None:
    calls = Calls()
    async with source(healthy, calls) as prom:
        await prom.read(0.0, Wanted(frozenset({Signal.E2E}), VLLM))
        await calls.slow.wait()
        calls.slow.clear()
        await prom.read(10.0, ALL)
        await calls.slow.wait()
    assert "time_to_first_token_1h" in {name for name, _, _ in calls}


async def test_a_long_window_that_can_no_longer_be_read_is_forgotten_once_it_is_another() -> None:
    failing = False

    async def handler(request: web.Request) -> web.Response:
        if failing and "[1h]" in request.query["query"]:
            return web.json_response({"status": "error", "error": "too many samples"}, status=422)
        return await healthy(request)

    calls, known = Calls(), {}
    async with source(handler, calls) as prom:
        for now in (0.0, 61.0, 122.0, 1000.0):
            calls.slow.clear()
            snapshot = await prom.read(now, ALL)
            known[now] = {"time_to_first_token_5m", "time_to_first_token_1h"} & set(snapshot.histograms)
            await calls.slow.wait()
            failing = True
        snapshot = await prom.read(1001.0, ALL)
    both = {"time_to_first_token_5m", "time_to_first_token_1h"}
    assert known[122.0] == both, "one that failed once has hardly changed"
    assert both & set(snapshot.histograms) == {"time_to_first_token_5m"}


async def test_a_failing_query_costs_its_own_signal_alone() -> None:
    async def handler(request: web.Request) -> web.Response:
        if "kv_cache" in request.query["query"]:
            return web.json_response({"status": "error", "error": "too many samples"}, status=422)
        return await healthy(request)

    calls = Calls()
    async with source(handler, calls) as prom:
        snapshot = await prom.read(0.0, ALL)
    assert set(snapshot.gauges) == {"running", "waiting", "sample_age", "silent"}
    assert [name for name, _, ok in calls if not ok] == ["kv_cache_usage"]


async def test_a_cluster_whose_power_nobody_measures_lacks_nothing() -> None:
    async def handler(request: web.Request) -> web.Response:
        if "DCGM" in request.query["query"]:
            return web.json_response({"status": "error", "error": "too many samples"}, status=422)
        return await healthy(request)

    async with source(handler) as prom:
        snapshot = await prom.read(0.0, ALL)
    assert (snapshot.watts, snapshot.error) == ({}, "")
    assert "kv_cache_usage" in snapshot.gauges


async def test_long_windows_hold_up_nothing() -> None:
    async def handler(request: web.Request) -> web.Response:
        if "[1h]" in request.query["query"]:
            await asyncio.sleep(30)
        return await healthy(request)

    async with source(handler) as prom, asyncio.timeout(10):
        for now in (0.0, 40.0, 80.0):
            assert "time_to_first_token" in (await prom.read(now, ALL)).histograms


async def html(request: web.Request) -> web.Response:
    return web.Response(text="<html>Sign in</html>", content_type="text/html")


async def wrong_shape(request: web.Request) -> web.Response:
    return web.json_response({"status": "success", "data": {"resultType": "scalar", "result": {"a": 1}}})


async def empty_object(request: web.Request) -> web.Response:
    return web.json_response({})


async def deep(request: web.Request) -> web.Response:
    return web.Response(text="[" * 200_000, content_type="application/json")


async def broken(request: web.Request) -> web.Response:
    return web.Response(status=503, text="starting")


async def elsewhere(request: web.Request) -> web.Response:
    raise web.HTTPFound("/api/v1/query?query=up")


@pytest.mark.parametrize("handler", [html, wrong_shape, empty_object, deep, broken, elsewhere])
async def test_an_answer_that_is_none_is_an_error_of_the_source(handler: Handler) -> None:
    async with source(handler) as prom:
        snapshot = await prom.read(0.0, ALL)
    assert snapshot.error
    assert [snapshot.gauges, snapshot.rates, snapshot.histograms] == [{}, {}, {}]


async def test_an_answer_beyond_all_measure_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prometheus, "_LARGEST_ANSWER", 1000)

    async def handler(request: web.Request) -> web.Response:
        return web.Response(text=json.dumps(["x" * 2000]), content_type="application/json")

    async with source(handler) as prom:
        assert "longer than 1000 bytes" in (await prom.read(0.0, ALL)).error


async def test_nobody_listening_is_an_error_of_the_source() -> None:
    prom = PrometheusSource("http://127.0.0.1:1", timeout_seconds=1.0)
    snapshot = await prom.read(0.0, ALL)
    prom.close()
    assert "127.0.0.1" in snapshot.error


async def test_a_silent_prometheus_costs_a_bounded_time() -> None:
    async def handler(request: web.Request) -> web.Response:
        await asyncio.sleep(30)
        return vector([])

    loop = asyncio.get_running_loop()
    started = loop.time()
    async with source(handler, seconds=0.2) as prom:
        snapshot = await prom.read(0.0, ALL)
        assert loop.time() - started < 3 * 0.2 + 1.0
    assert snapshot.error
