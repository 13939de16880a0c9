"""The heartbeat of scaling: read the signals of all services at once, then make every service due."""

import asyncio
import logging
import time

from aifactory.cluster.kinds import Key
from aifactory.cluster.store import Store
from aifactory.signals.prometheus import PrometheusSource, SignalSource

from .caches import CacheReconciler
from .queue import WorkQueue
from .reconcile import Reconciler

logger = logging.getLogger(__name__)


async def watch_downloads_forever(
    source: PrometheusSource, caches: CacheReconciler, queue: WorkQueue[Key], period: float
) -> None:
    """Read how far downloads are while there are any; as `tick_forever`."""
    while True:
        await asyncio.sleep(period)
        downloading = caches.downloading()
        if downloading:
            caches.readings = await source.downloads()
        for key in downloading:
            queue.add(key)


async def tick_forever(
    source: SignalSource, reconciler: Reconciler, store: Store, queue: WorkQueue[Key], period: float
) -> None:
    """Run until cancelled; the period is in seconds and counts from start to start."""
    while True:
        started = time.monotonic()
        reconciler.snapshot = await source.read(time.time(), reconciler.wanted())
        for key in store.services():
            queue.add(key)
        await asyncio.sleep(max(0.0, period - (time.monotonic() - started)))
