"""The heartbeat of scaling: read the signals of all services at once, then make every service due."""

import asyncio
import logging
import time

from aifactory.cluster.store import Key, Store
from aifactory.signals.prometheus import SignalSource

from .queue import WorkQueue
from .reconcile import Reconciler

logger = logging.getLogger(__name__)


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
