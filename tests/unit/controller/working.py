"""A work queue with workers that take notes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aifactory.controller.queue import WorkQueue

Behaviour = Callable[[str], Awaitable[float | None]]


@dataclass
class Notes:
    """Runs as (key, start, end), failures as (key, message, delay)."""

    runs: list[tuple[str, float, float]] = field(default_factory=list)
    failures: list[tuple[str, str, float]] = field(default_factory=list)
    running: list[str] = field(default_factory=list)
    together: int = 0
    clashes: list[str] = field(default_factory=list)

    def starts(self, key: str) -> list[float]:
        """Start times of the runs of a key."""
        return [start for name, start, _ in self.runs if name == key]


class Failure(Exception):
    """What work fails with."""


async def done(_: str) -> None:
    """Work that succeeds at once."""


async def fail(_: str) -> float | None:
    """Work that always fails."""
    raise Failure("broken")


def lasting(seconds: float) -> Behaviour:
    """Work that takes time."""

    async def work(_: str) -> None:
        await asyncio.sleep(seconds)

    return work


@asynccontextmanager
async def working(
    behaviour: Behaviour = done, workers: int = 4, jitter: float = 0.0
) -> AsyncIterator[tuple[WorkQueue[str], Notes]]:
    """Workers on a queue, stopped at the end."""
    clock = asyncio.get_running_loop().time
    queue: WorkQueue[str] = WorkQueue(clock, lambda: jitter)
    notes = Notes()

    async def work(key: str) -> float | None:
        if key in notes.running:
            notes.clashes.append(key)
        notes.running.append(key)
        notes.together = max(notes.together, len(notes.running))
        started = clock()
        try:
            return await behaviour(key)
        finally:
            notes.running.remove(key)
            notes.runs.append((key, started, clock()))

    def on_error(key: str, error: Exception, delay: float) -> None:
        notes.failures.append((key, str(error), delay))

    task = asyncio.create_task(queue.run(work, workers, on_error))
    try:
        yield queue, notes
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
