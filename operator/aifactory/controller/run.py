"""The process: connects everything, waits for the Lease, runs until told to stop."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import closing, suppress
from http import HTTPStatus
from typing import Any

import kopf

from aifactory.cluster.caches import CacheStore
from aifactory.cluster.client import ApiError, Client
from aifactory.cluster.connect import connect
from aifactory.cluster.kinds import CACHES, SERVICES, Key
from aifactory.cluster.listing import refresh
from aifactory.cluster.store import Store
from aifactory.cluster.writer import Writer
from aifactory.settings import Settings
from aifactory.signals.prometheus import PrometheusSource
from aifactory.telemetry import http, logs
from aifactory.telemetry.metrics import Metrics

from . import handlers, lease
from .caches import CacheReconciler
from .factory import FactoryReader
from .process import at_signals, spare_the_collector, spare_tls_buffers
from .queue import WorkQueue
from .reconcile import Reconciler
from .tick import tick_forever, watch_downloads_forever
from .watched import Insights, Others, insist, watch

logger = logging.getLogger(__name__)
# Watches have begun when none has listed anything for so long.
WATCHES_BEGIN_SECONDS = 1.0
RETRY_SECONDS = 5.0
CACHE_WORKERS = 4
_UNASKED = "the cluster could not be asked for its kinds"
_UNREAD = "the AIFactory could not be read"
_UNLISTED = "the cluster could not be listed"
# Without one kopf asks for the user's name, which a container's numeric user does not have.
_NOBODY: Any = "aifactory-operator"


class Operator:
    """The parts of one process."""

    def __init__(self, settings: Settings, client: Client, metrics: Metrics) -> None:
        self.settings = settings
        self.client = client
        self.metrics = metrics
        self.leading = False
        self.store = Store()
        self.queue: WorkQueue[Key] = WorkQueue(time.monotonic)
        self.caches = CacheStore()
        self.cache_queue: WorkQueue[Key] = WorkQueue(time.monotonic)
        self.feed = handlers.Feed((self.store, self.queue.add), (self.caches, self.cache_queue.add))
        self.insights = Insights()
        self.stopping = asyncio.Event()
        self._changed: set[Key] = set()
        self._changed_caches: set[Key] = set()
        self.factory = FactoryReader()
        self.reconciler = Reconciler(
            self.store, self.caches, Writer(client, self.store), settings, metrics, time.time, self.factory
        )
        self.cache_reconciler = CacheReconciler(
            self.caches,
            self.store,
            Writer(client, self.caches),
            self.queue.add,
            settings,
            metrics,
            time.time,
            self.factory,
        )
        queues = (self.queue, self.cache_queue)
        metrics.watch_queue(lambda: sum(one.depth for one in queues), lambda: max(one.age for one in queues))
        metrics.watch_services(self.store.objects)
        metrics.watch_caches(self.caches.objects)

    def wake(self, key: Key, address: str) -> HTTPStatus:
        """A pod at an IP address says that requests wait for a service; only the leader knows, and does, anything."""
        if not self.leading:
            return HTTPStatus.SERVICE_UNAVAILABLE
        answer = self.reconciler.wake(key, address)
        if answer is HTTPStatus.ACCEPTED:
            self.queue.add(key)
        return answer

    def healthy(self) -> str | None:
        """Liveness: what is wrong, or None."""
        age = max(self.queue.age, self.cache_queue.age)
        return None if age < self.settings.stuck_after else f"an object has been waiting for {age:.0f} s"

    async def work(self) -> None:
        """Watch, reconcile and scale until kopf is told to stop."""
        self.metrics.leading.set(1)
        await self._insist(_UNASKED, self._discover)
        await self._insist(_UNREAD, self._read_factory)
        await self._insist(_UNLISTED, self._refresh)
        registry = kopf.OperatorRegistry()
        self.feed.register(registry)
        self.leading = True
        background = [
            asyncio.create_task(self._refresh_forever()),
            asyncio.create_task(self.queue.run(self.reconciler.reconcile, self.settings.workers, self._failed)),
            asyncio.create_task(self.cache_queue.run(self.cache_reconciler.reconcile, CACHE_WORKERS, self._failed)),
            asyncio.create_task(self._tick()),
            asyncio.create_task(self._watch_downloads()),
            asyncio.create_task(self._every(self.settings.discovery, _UNASKED, self._discover)),
            asyncio.create_task(self._every(self.settings.tick, _UNREAD, self._read_factory)),
        ]
        tasks = [asyncio.create_task(insist(lambda: self._watch(registry), self.stopping)), *background]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.leading = False
            self.metrics.leading.set(0)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for task in done:
            task.result()

    async def _watch(self, registry: kopf.OperatorRegistry) -> None:
        """Kopf, until it is told to stop or fails. It listens to signals itself, but to none once it has failed."""
        self.insights = Insights()
        namespaces = self.settings.namespaces
        tasks = await kopf.spawn_tasks(
            registry=registry,
            settings=handlers.settings(),
            insights=self.insights,
            identity=_NOBODY,
            standalone=True,
            clusterwide=not namespaces,
            namespaces=namespaces,
            stop_flag=self.stopping,
        )
        at_signals(self.stopping.set)
        await kopf.run_tasks(tasks, ignored=Others())

    async def _refresh_forever(self) -> None:
        """Read complete lists once watches have begun, for what vanished before they did, and then regularly."""
        listed = self.feed.listed
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self.settings.resync):
                    await listed.wait()
            while listed.is_set():
                listed.clear()
                await asyncio.sleep(WATCHES_BEGIN_SECONDS)
            await self._insist(_UNLISTED, self._refresh)

    async def _refresh(self) -> None:
        """Read complete lists. What was learned before one of them failed is due once all could be read."""
        client, namespaces = self.client, self.settings.namespaces
        await refresh(client, self.caches, CACHES.kinds, namespaces, self._changed_caches)
        await refresh(client, self.store, SERVICES.kinds, namespaces, self._changed)
        for queue, changed in ((self.queue, self._changed), (self.cache_queue, self._changed_caches)):
            while changed:
                queue.add(changed.pop())

    async def _discover(self) -> None:
        """A kind that came or went changes what ours are made of."""
        if await self.reconciler.discover(self.client):
            for key in self.store.services():
                self.queue.add(key)
        if await self.cache_reconciler.discover(self.client):
            for key in self.caches.owners():
                self.cache_queue.add(key)
        await watch(self.insights, self.reconciler.served)

    async def _read_factory(self) -> None:
        """Another mirror changes where caches fetch from. Prices are looked up in every tick.

        It is not watched: kopf begins anew with every kind when it may not watch one, and this can be done without.
        """
        if await self.factory.read(self.client):
            for key in self.caches.owners():
                self.cache_queue.add(key)

    async def _every(self, seconds: float, failure: str, ask: Callable[[], Awaitable[None]]) -> None:
        """Ask again and again, so many seconds after each answer."""
        while True:
            await asyncio.sleep(seconds)
            await self._insist(failure, ask)

    async def _insist(self, failure: str, ask: Callable[[], Awaitable[None]]) -> None:
        """Ask an API server that does not answer again."""
        while True:
            try:
                return await ask()
            except ApiError as error:
                logger.warning("%s: %s", failure, error)
                await asyncio.sleep(RETRY_SECONDS)

    def _source(self) -> PrometheusSource:
        settings = self.settings
        return PrometheusSource(
            settings.prometheus_url,
            timeout_seconds=settings.prometheus_timeout,
            window_seconds=settings.metrics_window,
            on_query=self.metrics.observe_query,
        )

    async def _tick(self) -> None:
        with closing(self._source()) as source:
            await tick_forever(source, self.reconciler, self.store, self.queue, self.settings.tick)

    async def _watch_downloads(self) -> None:
        with closing(self._source()) as source:
            await watch_downloads_forever(source, self.cache_reconciler, self.cache_queue, self.settings.tick)

    def _failed(self, key: Key, error: Exception, delay: float) -> None:
        logger.warning("%s/%s: %s: %s; again in %.1f s", *key, type(error).__name__, error, delay, exc_info=error)


class CannotListenError(Exception):
    """The port is taken."""


async def operate(settings: Settings) -> None:
    """Run the operator until SIGINT or SIGTERM.

    Raises:
        aifactory.cluster.connect.CannotConnectError: if there is no cluster to talk to.
        CannotListenError: if the port is taken.
        aifactory.controller.lease.LeaseLostError: if another operator may have taken over.
    """
    if task := asyncio.current_task():
        at_signals(task.cancel)
    metrics = Metrics()
    client = await connect(metrics.observe_request)
    try:
        await _serve(Operator(settings, client, metrics))
    finally:
        await client.close()


async def _serve(operator: Operator) -> None:
    settings = operator.settings
    try:
        registry = operator.metrics.registry
        runner = await http.serve(registry, settings.port, operator.healthy, lambda: None, operator.wake)
    except OSError as error:
        raise CannotListenError(
            f"AIFACTORY_PORT: port {settings.port} cannot be used: {error.strerror}; set another one"
        ) from error
    try:
        if settings.lease_namespace is None:
            await operator.work()
        else:
            await lease.lead(operator.client, settings.lease_namespace, settings.lease_duration, operator.work)
    finally:
        await runner.cleanup()


def run(settings: Settings) -> None:
    """Entry point of `aifactory run`.

    Raises:
        aifactory.cluster.connect.CannotConnectError: if there is no cluster to talk to.
        CannotListenError: if the port is taken.
    """
    spare_the_collector()
    spare_tls_buffers()
    logs.configure(settings.log_level, settings.log_format)
    with suppress(asyncio.CancelledError):
        asyncio.run(operate(settings))
