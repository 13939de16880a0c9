"""A keyed work queue: each key is worked on by one worker at a time, never twice for the same news."""

import asyncio
import heapq
import random
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
Work = Callable[[K], Awaitable[float | None]]
BACKOFF_FIRST_SECONDS = 0.5
BACKOFF_LIMIT_SECONDS = 60.0


@dataclass(slots=True)
class _Entry:
    due: float
    failures: int = 0
    queued: bool = False
    running: bool = False
    again: float | None = None


class WorkQueue(Generic[K]):
    """Deduplicates, delays, and backs off with jitter.

    `clock` gives seconds that never go back. The work returns the seconds until the key is due again, or None;
    an exception makes the key due again after a delay that doubles from 0.5 s up to 60 s, cut by up to a half at random.
    """

    def __init__(self, clock: Callable[[], float], jitter: Callable[[], float] = random.random) -> None:
        self._clock = clock
        self._jitter = jitter
        self._entries: dict[K, _Entry] = {}
        self._heap: list[tuple[float, int, K]] = []
        self._sequence = 0
        self._wake = asyncio.Condition()

    async def add(self, key: K, delay: float = 0.0) -> None:
        """Make a key due in `delay` seconds, or sooner if it already is due sooner."""
        async with self._wake:
            self._schedule(key, self._clock() + delay)
            self._wake.notify()

    def forget(self, key: K) -> None:
        """Drop a key that is not running, with its failures."""
        entry = self._entries.get(key)
        if entry is not None and not entry.running:
            del self._entries[key]

    @property
    def depth(self) -> int:
        """Keys that are due and not being worked on."""
        now = self._clock()
        return sum(entry.queued and entry.due <= now for entry in self._entries.values())

    @property
    def age(self) -> float:
        """Seconds that the most overdue key has been waiting or running."""
        now = self._clock()
        waits = (now - entry.due for entry in self._entries.values() if entry.queued or entry.running)
        return max(0.0, max(waits, default=0.0))

    async def run(self, work: Work[K], workers: int, on_error: Callable[[K, Exception, float], None]) -> None:
        """Work until cancelled; `on_error` hears of each failure and the delay that follows."""
        async with asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(self._work_forever(work, on_error))

    def _schedule(self, key: K, due: float) -> None:
        entry = self._entries.setdefault(key, _Entry(due=due))
        if entry.running:
            entry.again = due if entry.again is None else min(entry.again, due)
        elif not entry.queued or due < entry.due:
            entry.due, entry.queued = due, True
            self._sequence += 1
            heapq.heappush(self._heap, (due, self._sequence, key))

    async def _take(self) -> K:
        async with self._wake:
            while True:
                now = self._clock()
                while self._heap and self._heap[0][0] <= now:
                    due, _, key = heapq.heappop(self._heap)
                    entry = self._entries.get(key)
                    if entry is not None and entry.queued and entry.due == due:
                        entry.queued, entry.running = False, True
                        return key
                try:
                    async with asyncio.timeout(self._heap[0][0] - now if self._heap else None):
                        await self._wake.wait()
                except TimeoutError:
                    continue

    async def _work_forever(self, work: Work[K], on_error: Callable[[K, Exception, float], None]) -> None:
        while True:
            key = await self._take()
            entry = self._entries[key]
            try:
                delay = await work(key)
                entry.failures = 0
            except Exception as error:  # noqa: BLE001 - whatever it was, the key is tried again
                delay = self._backoff(entry.failures)
                entry.failures += 1
                on_error(key, error, delay)
            entry.running = False
            again, entry.again = entry.again, None
            if delay is not None:
                await self.add(key, delay)
            if again is not None:
                await self.add(key, max(0.0, again - self._clock()))
            if not entry.queued:
                self._entries.pop(key, None)

    def _backoff(self, failures: int) -> float:
        longest = min(BACKOFF_LIMIT_SECONDS, BACKOFF_FIRST_SECONDS * 2.0**failures)
        return longest * (1 - self._jitter() / 2)
