"""The process of an activator."""

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable, Collection
from contextlib import AsyncExitStack
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from .gate import Gate
from .proxy import Counts, Proxy, Service

logger = logging.getLogger(__name__)
CONNECT_SECONDS = 1.0
_ANSWER_SECONDS = 5.0
# Bytes that all connections together may buffer, twice as much at worst (aiohttp, StreamReader).
_BUFFERS, _LEAST_BUFFER, _MOST_BUFFER = 64 * 2**20, 2**14, 4 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """As of the command line; times are seconds, `host` is where it listens.

    A replica serves when it answers 200 on the path `ready`, or, where that is None, when its port is open.
    """

    upstream: str
    wake: str
    max_held: int
    max_hold: float
    drain: float
    models: Collection[str]
    health: Collection[str]
    port: int
    metrics_port: int
    ready: str | None = None
    host: str | None = None


def run(options: Options) -> None:
    """Serve until told to end, then let requests that are there come to their end."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    asyncio.run(_run(options))


async def _run(options: Options) -> None:
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    async with Serving(options):
        await ended.wait()


class Serving:
    """An activator that serves while the context lasts.

    `runner` has the addresses of requests, `inner` those of metrics and health.
    """

    def __init__(self, options: Options) -> None:
        self._options = options
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> "Serving":
        options, stack = self._options, self._stack
        connector = aiohttp.TCPConnector(limit=0, force_close=True)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS)
        session = await stack.enter_async_context(
            aiohttp.ClientSession(connector=connector, timeout=timeout, auto_decompress=False)
        )
        gate = Gate(_prober(session, options), _asker(session, options.wake), options.max_held)
        registry = CollectorRegistry()
        service = Service(options.upstream, options.models, options.health)
        proxy = Proxy(service, gate, session, Counts(gate, registry), options.max_hold)
        self.inner = await self._listen(_inner(registry), options.metrics_port)
        self.runner = await self._listen(_outer(proxy), options.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _listen(self, app: web.Application, port: int) -> web.AppRunner:
        options = self._options
        buffer = min(_MOST_BUFFER, max(_LEAST_BUFFER, _BUFFERS // options.max_held))
        runner = web.AppRunner(
            app,
            access_log=None,
            handler_cancellation=True,
            shutdown_timeout=options.drain,
            read_bufsize=buffer,
            auto_decompress=False,
        )
        await runner.setup()
        self._stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, options.host, port).start()
        return runner


def _outer(proxy: Proxy) -> web.Application:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", proxy.handle)
    return app


def _inner(registry: CollectorRegistry) -> web.Application:
    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def healthy(_: web.Request) -> web.Response:
        return web.Response(text="ok")

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    app.router.add_get("/healthz", healthy)
    return app


def _prober(session: aiohttp.ClientSession, options: Options) -> Callable[[], Awaitable[bool]]:
    """Tries for a replica.

    An open port alone proves little: while a node's rules for a Service change, what is sent to it can leave the
    cluster for a moment, and whatever answers there would get the requests.
    """
    if options.ready is None:
        return _connecting(options.upstream)
    url = f"{options.upstream}{options.ready}"
    timeout = aiohttp.ClientTimeout(total=_ANSWER_SECONDS, sock_connect=CONNECT_SECONDS)

    async def reachable() -> bool:
        try:
            async with session.get(url, timeout=timeout, allow_redirects=False) as answer:
                return answer.status == HTTPStatus.OK
        except (aiohttp.ClientError, TimeoutError):
            return False

    return reachable


def _connecting(upstream: str) -> Callable[[], Awaitable[bool]]:
    """Connects to a replica, and leaves it at that."""
    address = urlsplit(upstream)
    host, port = address.hostname or "", address.port or 80

    async def reachable() -> bool:
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                _, writer = await asyncio.open_connection(host, port)
        except (OSError, TimeoutError):
            return False
        writer.close()
        return True

    return reachable


def _asker(session: aiohttp.ClientSession, wake: str) -> Callable[[], Awaitable[int | None]]:
    """Tells the operator that requests wait; what keeps it from listening is logged when it changes."""
    told: object = None

    async def ask() -> int | None:
        nonlocal told
        status: int | None = None
        answer: object
        try:
            async with session.post(wake, timeout=aiohttp.ClientTimeout(total=_ANSWER_SECONDS)) as response:
                status = answer = response.status
        except (aiohttp.ClientError, TimeoutError) as error:
            answer = f"{type(error).__name__}: {error}"
        if answer != told:
            told = answer
            logger.info("requests wait; the operator, asked for a replica at %s, says: %s", wake, answer)
        return status

    return ask
