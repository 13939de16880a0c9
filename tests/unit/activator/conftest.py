"""An activator on loopback, between clients and a replica that comes and goes, with an operator that it can ask."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest_asyncio
from aifactory.activator.program import Options, Serving
from aiohttp import web
from yarl import URL

from tests.kind.processes import free_ports

HOST = "127.0.0.1"
READY = "/v1/health/ready"
Activate = Callable[..., Awaitable["Activator"]]


async def until(what: str, check: Callable[[], object]) -> None:
    """Wait for a condition, which may be a coroutine."""
    for _ in range(1000):
        found = check()
        if await found if inspect.isawaitable(found) else found:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"not so within 10 s: {what}")


class Replica:
    """A model server that streams its answer in two parts, the second one when `finish` is set."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.ready = 200
        self.probed = 0
        self.seen: list[tuple[str, str, bytes, dict[str, str]]] = []
        self.finish = asyncio.Event()
        self.finish.set()
        self.left = asyncio.Event()
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        app = web.Application(client_max_size=2**30)
        app.router.add_get(READY, self._ready)
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, HOST, self.port).start()

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _ready(self, _: web.Request) -> web.Response:
        self.probed += 1
        return web.Response(status=self.ready)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.seen.append((request.method, request.raw_path, await request.read(), dict(request.headers)))
        if request.path == "/broken":
            raise web.HTTPBadRequest(text="no such field")
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "X-Request-Id": "one"})
        await response.prepare(request)
        try:
            await response.write(b"data: first\n\n")
            await self.finish.wait()
            await response.write(b"data: [DONE]\n\n")
        except asyncio.CancelledError:
            self.left.set()
            raise
        return response


class Operator:
    """Counts who asks, and answers with `status`."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.status = 202
        self.url = ""
        self.runner: web.AppRunner

    async def start(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        self.runner = web.AppRunner(app)
        await self.runner.setup()
        await web.TCPSite(self.runner, HOST, 0).start()
        self.url = f"http://{HOST}:{self.runner.addresses[0][1]}/wake/chat/llama"

    async def _answer(self, request: web.Request) -> web.Response:
        self.asked.append(f"{request.method} {request.path}")
        return web.Response(status=self.status)


class Activator:
    """What clients call."""

    def __init__(self, serving: Serving, client: aiohttp.ClientSession, open_answers: AsyncExitStack) -> None:
        self.serving = serving
        self._client = client
        self._open_answers = open_answers
        self.url = f"http://{HOST}:{serving.runner.addresses[0][1]}"

    async def ask(self, path: str = "/v1/chat/completions", method: str = "POST", **more: Any) -> tuple[int, str, Any]:
        """Status, text and headers of an answer."""
        async with self._client.request(method, URL(self.url + path, encoded=True), **more) as answer:
            return answer.status, await answer.text(), answer.headers

    def ask_soon(self, **more: Any) -> "asyncio.Task[tuple[int, str, Any]]":
        return asyncio.create_task(self.ask(**more))

    async def stream(self, **more: Any) -> aiohttp.ClientResponse:
        """An answer of which only the head was read; it is closed after the test."""
        return await self._open_answers.enter_async_context(
            self._client.post(f"{self.url}/v1/chat/completions", **more)
        )

    async def metric(self, name: str) -> float:
        inner = f"http://{HOST}:{self.serving.inner.addresses[0][1]}/metrics"
        async with self._client.get(inner) as answer:
            lines = (await answer.text()).splitlines()
        return next(float(line.split()[-1]) for line in lines if line.startswith(f"{name} "))

    async def holds(self, count: int) -> None:
        """Until so many requests wait."""

        async def held() -> bool:
            return await self.metric("aifactory_activator_held_requests") == count

        await until(f"{count} requests wait", held)


@pytest_asyncio.fixture
async def replica() -> AsyncIterator[Replica]:
    """Not started yet."""
    server = Replica(free_ports(1)[0])
    yield server
    server.finish.set()
    await server.stop()


@pytest_asyncio.fixture
async def operator() -> AsyncIterator[Operator]:
    one = Operator()
    await one.start()
    yield one
    await one.runner.cleanup()


@pytest_asyncio.fixture
async def activate(replica: Replica, operator: Operator) -> AsyncIterator[Activate]:
    """Start an activator: `activate(max_held=3)`."""
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)))

        async def start(
            *, max_held: int = 100, max_hold: float = 30.0, drain: float = 5.0, ready: str | None = READY
        ) -> Activator:
            options = Options(
                upstream=f"http://{HOST}:{replica.port}",
                wake=operator.url,
                max_held=max_held,
                max_hold=max_hold,
                drain=drain,
                models=["llama", "llama-lora"],
                health=["/health"],
                port=0,
                metrics_port=0,
                ready=ready,
                host=HOST,
            )
            return Activator(await stack.enter_async_context(Serving(options)), client, stack)

        yield start
