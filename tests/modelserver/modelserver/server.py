"""The life of a server: load, become ready, serve, and on SIGTERM drain or abort.

Some engines open their port only when the model is loaded; others at once, and are ready when it is.
"""

from __future__ import annotations

import asyncio
import enum
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from aiohttp import web

from .engine import Engine
from .faults import Faults
from .metrics import add_gpus, measure
from .openai import Api, refusal
from .power import PowerMeter
from .rendezvous import Rendezvous, work
from .surface import SURFACES

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp.typedefs import Handler

    from .settings import Settings


class Phase(enum.Enum):
    LOADING = "loading the model"
    READY = "ready"
    DRAINING = "shutting down"


class Server:
    """One simulated model server on one port.

    `engine` holds the batch; `port` is the one it listens on, once it does. `run` returns when `stop` was called, after
    the work in flight was finished or the shutdown timeout cut it off, and when one of its other nodes has `failed`.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.phase = Phase.LOADING
        self.port: int | None = None
        self.rendezvous_port: int | None = None
        self._stop = asyncio.Event()
        self._power = PowerMeter(settings.idle_watts, settings.full_watts)
        self.engine = Engine(settings.timing, settings.limits, self._power)
        self._surface = SURFACES[settings.dialect]
        self._metrics = measure(settings, self.engine)
        add_gpus(self._metrics.page, self._power, settings.gpus, asyncio.get_running_loop().time)
        self._faults = Faults(self.engine)
        self.failed = ""
        self.rendezvous = Rendezvous(settings.nodes, self._lose)

    def stop(self) -> None:
        """Begin to shut down, as SIGTERM does."""
        self._stop.set()

    def page(self) -> bytes:
        """The metrics in Prometheus text format."""
        return self._metrics.page.render()

    async def run(self) -> None:
        engine = asyncio.create_task(self.engine.run(self._metrics))
        engine.add_done_callback(lambda _: self.stop())
        runner = web.AppRunner(self._application(), access_log=None, handler_cancellation=True, shutdown_timeout=0.2)
        await runner.setup()
        health = await self._separate_health()
        try:
            if self._surface.opens_early:
                await self._listen(runner)
            if await self._loaded():
                if not self._surface.opens_early:
                    await self._listen(runner)
                self.phase = Phase.READY
                say(f"ready: {self.settings.model} on port {self.port} ({self.settings.dialect})")
                await self._stop.wait()
            self.phase = Phase.DRAINING
            await self._drain()
        finally:
            engine.cancel()
            await runner.cleanup()
            self.rendezvous.close()
            if health is not None:
                await health.cleanup()
            with suppress(asyncio.CancelledError):
                await engine

    async def _loaded(self) -> bool:
        """Wait for other nodes and the start-up delay; False if the server was stopped before it was over."""
        if self.settings.nodes > 1 and not await self._all_nodes():
            return False
        say(f"loading {self.settings.model}: {self.settings.startup_seconds:g} s")
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), self.settings.startup_seconds)
        return not self._stop.is_set()

    async def _all_nodes(self) -> bool:
        self.rendezvous_port = await self.rendezvous.open(self.settings.host, self.settings.rendezvous_port)
        say(f"waiting for {self.settings.nodes - 1} more nodes")
        waits = [asyncio.create_task(event.wait()) for event in (self.rendezvous.complete, self._stop)]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        return not self._stop.is_set()

    def _lose(self, rank: str) -> None:
        """A node is gone, and with it its part of the model."""
        self.failed = f"node {rank} is gone"
        self.engine.abort_all()
        self.stop()

    async def _listen(self, runner: web.AppRunner) -> None:
        site = web.TCPSite(runner, self.settings.host, self.settings.port)
        await site.start()
        self.port = runner.addresses[0][1]
        if self.settings.metrics_port:
            await web.TCPSite(runner, self.settings.host, self.settings.metrics_port).start()

    async def _drain(self) -> None:
        say(f"stopping: {self.failed or 'as asked'}")
        say(f"{self.engine.in_flight} in flight, up to {self.settings.shutdown_timeout:g} s to finish")
        with suppress(TimeoutError):
            await asyncio.wait_for(self.engine.drained.wait(), self.settings.shutdown_timeout)
        if self.engine.in_flight:
            say(f"aborting {self.engine.in_flight} requests")
            self.engine.abort_all()

    def _application(self) -> web.Application:
        application = web.Application(middlewares=[self._gate])
        api, surface = Api(self.settings, self.engine), self._surface
        routes = [web.get(surface.metrics, self._scrape)]
        if not self.settings.health_port:
            routes += self._health_routes()
        if self.settings.dialect in ("nim1", "nim2"):
            routes.append(web.get("/v1/metadata", self._metadata))
        application.add_routes([*routes, *api.routes()])
        if self.settings.faults:
            application.add_routes(self._faults.routes())
        return application

    def _health_routes(self) -> list[web.RouteDef]:
        live = [web.get(self._surface.live, self._live)] if self._surface.live else []
        return [web.get(self._surface.ready, self._ready), *live]

    async def _separate_health(self) -> web.AppRunner | None:
        """A listener of its own for health, if there is to be one."""
        if not self.settings.health_port:
            return None
        application = web.Application()
        application.add_routes(self._health_routes())
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, self.settings.host, self.settings.health_port).start()
        return runner

    @web.middleware
    async def _gate(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse work while loading or shutting down; health and metrics answer for themselves."""
        if request.method == "POST" and request.path.startswith(("/v1/", "/v2/")) and self.phase is not Phase.READY:
            return refusal(f"The server is {self.phase.value}", 503, "ServiceUnavailableError")
        return await handler(request)

    async def _live(self, _request: web.Request) -> web.Response:
        return web.json_response({"object": "health.response", "message": "live"})

    async def _ready(self, _request: web.Request) -> web.Response:
        return web.json_response(
            {"object": "health.response", "message": self.phase.value}, status=200 if self.phase is Phase.READY else 503
        )

    async def _metadata(self, _request: web.Request) -> web.Response:
        return web.json_response({
            "modelInfo": [{"shortName": self.settings.model, "modelUrl": ""}],
            "selectedModelProfileId": self.settings.profile,
        })  # fmt: skip

    async def _scrape(self, _request: web.Request) -> web.Response:
        if self.phase is Phase.LOADING:
            return web.Response(status=503, text="the model is not loaded yet\n")
        page = self._faults.distort(self.page())
        return web.Response(body=page, headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})


async def serve(settings: Settings) -> None:
    """Run a server, or a node that works for one, until SIGTERM or SIGINT; exits with 1 when another node is gone."""
    if settings.rank:
        await _work(settings)
        return
    server = Server(settings)
    _at_signals(server.stop)
    await server.run()
    if server.failed:
        sys.exit(f"modelserver: {server.failed}")


async def _work(settings: Settings) -> None:
    life = asyncio.create_task(work(settings.leader, settings.rendezvous_port, settings.rank, say))
    _at_signals(life.cancel)
    with suppress(asyncio.CancelledError):
        await life
        sys.exit(1)


def _at_signals(stop: Callable[[], object]) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)


def say(line: str) -> None:
    print(line, flush=True)
