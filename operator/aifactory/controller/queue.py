"""A keyed work queue: each key is worked on by one worker at a time, and every request leads to a run after it."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
Work = Callable[[K], Awaitable[float | None]]
BACKOFF_FIRST_SECONDS = 0.5
BACKOFF_LIMIT_SECONDS = 60.0
_DOUBLINGS = 7  # enough to get from the first to the limit


@dataclass(slots=True)
class _Entry:
    """`due` is the time of the next run, None if none is asked for; `taken` is when the run in progress was due."""

    due: float | None = None
    timer: asyncio.TimerHandle | None = None
    ready: bool = False
    taken: float | None = None
    failures: int = 0


class WorkQueue(Generic[K]):
    """Deduplicates, delays, and backs off with jitter.

    `clock` gives seconds as the event loop counts them. The work returns the seconds until the key is due again, or
    None; an exception makes the key due again after a delay that doubles from 0.5 s up to 60 s, cut by up to a half at
    random. A request does not wait for a delay to end: what is new may be the cure.
    """

    def __init__(self, clock: Callable[[], float], jitter: Callable[[], float] = random.random) -> None:
        self._clock = clock
        self._jitter = jitter
        self._entries: dict[K, _Entry] = {}
        self._ready: asyncio.Queue[K] = asyncio.Queue()

    def add(self, key: K, delay: float = 0.0) -> None:
        """Make a key due in `delay` seconds, unless it is due sooner already."""
        entry = self._entries.setdefault(key, _Entry())
        due = self._clock() + delay
        if entry.due is not None and entry.due <= due:
            return
        entry.due = due
        if not entry.ready and entry.taken is None:
            self._arm(key, entry, due)

    @property
    def depth(self) -> int:
        """Keys that are due and not being worked on."""
        return self._ready.qsize()

    @property
    def age(self) -> float:
        """Seconds that the most overdue key has been waiting or running."""
        now = self._clock()
        since = (due for entry in self._entries.values() for due in (entry.taken, entry.due) if due is not None)
        return max(0.0, now - min(since, default=now))

    async def run(self, work: Work[K], workers: int, on_error: Callable[[K, Exception, float], None]) -> None:
        """Work until cancelled; `on_error` hears of each failure and the delay that follows."""
        async with asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(self._work_forever(work, on_error))

    def _arm(self, key: K, entry: _Entry, due: float) -> None:
        if entry.timer is not None:
            entry.timer.cancel()
        delay = due - self._clock()
        if delay > 0:
            entry.timer = asyncio.get_running_loop().call_later(delay, self._hand_out, key, entry)
        else:
            self._hand_out(key, entry)

    def _hand_out(self, key: K, entry: _Entry) -> None:
        entry.ready, entry.timer = True, None
        self._ready.put_nowait(key)

    async def _work_forever(self, work: Work[K], on_error: Callable[[K, Exception, float], None]) -> None:
        while True:
            key = await self._ready.get()
            entry = self._entries[key]
            entry.ready, entry.taken, entry.due = False, entry.due, None
            try:
                delay = await work(key)
                entry.failures = 0
            except Exception as error:  # noqa: BLE001 - whatever it was, the key is tried again
                delay = self._backoff(entry.failures)
                entry.failures += 1
                on_error(key, error, delay)
            if delay is not None:
                self.add(key, delay)
            entry.taken = None
            if entry.due is None:
                del self._entries[key]
            else:
                self._arm(key, entry, entry.due)
            await asyncio.sleep(0)  # work that never waits must not keep the event loop from everything else

    def _backoff(self, failures: int) -> float:
        longest = min(BACKOFF_LIMIT_SECONDS, BACKOFF_FIRST_SECONDS * 2.0 ** min(failures, _DOUBLINGS))
        return longest * (1 - self._jitter() / 2)
