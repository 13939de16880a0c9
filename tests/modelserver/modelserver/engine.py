"""The scheduler in real time: one task that runs iterations while there is work and otherwise waits without a timer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from aifactory.simulate.engine.batching import Scheduler

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from aifactory.simulate.engine.batching import Batch, Limits, Output, Sequence, Timing

    from .power import PowerMeter


class Aborted(Exception):
    """The engine gave up on a request before its last token."""


class Observer(Protocol):
    """Who keeps the numbers."""

    def iteration(self, batch: Batch, outputs: list[Output]) -> None:
        """An iteration ended and these tokens came out."""

    def finished(self, sequence: Sequence) -> None:
        """A sequence left the engine, with its last token or by an abort."""


class Engine:
    """Turns submitted sequences into tokens at the pace of `timing`.

    `slowdown` multiplies the length of iterations; `wedged` makes the engine stop producing tokens. `drained` is set
    while nothing is in flight.
    """

    CATCH_UP_SECONDS = 0.05

    def __init__(self, timing: Timing, limits: Limits, power: PowerMeter) -> None:
        self.scheduler = Scheduler(limits)
        self.slowdown = 1.0
        self._timing = timing
        self._power = power
        self._streams: dict[Sequence, asyncio.Queue[bool]] = {}
        self._wake = asyncio.Event()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self.drained = asyncio.Event()
        self.drained.set()

    @property
    def in_flight(self) -> int:
        return len(self._streams)

    @property
    def wedged(self) -> bool:
        return not self._flowing.is_set()

    @wedged.setter
    def wedged(self, wedged: bool) -> None:
        if wedged:
            self._flowing.clear()
        else:
            self._flowing.set()

    async def run(self, observer: Observer) -> None:
        """Run iterations until cancelled. Late wake-ups are made up for, so that throughput is as modelled."""
        clock = asyncio.get_running_loop().time
        self._observer = observer
        ends = clock()
        while True:
            if self.scheduler.idle:
                self._power.resting(clock())
                self._wake.clear()
                await self._wake.wait()
                ends = clock()
            now = clock()
            batch = self.scheduler.plan(now)
            self._power.working(len(batch.tokens) / self.scheduler.limits.max_num_seqs, now)
            starts = ends if now - ends < self.CATCH_UP_SECONDS else now
            ends = starts + self._timing.seconds(batch) * self.slowdown
            await asyncio.sleep(ends - now)
            await self._flowing.wait()
            self._deliver(batch, clock())

    async def generate(self, sequence: Sequence) -> AsyncGenerator[int, None]:
        """Yield the number of new tokens each time some came out; leaving early aborts the sequence.

        Raises RequestTooLongError before the first token, and Aborted when `abort_all` cut the sequence off.
        """
        self.scheduler.submit(sequence)
        queue = self._streams[sequence] = asyncio.Queue()
        self._wake.set()
        self.drained.clear()
        sent = 0
        try:
            while sent < sequence.output_tokens:
                alive = await queue.get()
                if not alive:
                    raise Aborted
                if sequence.generated > sent:
                    yield sequence.generated - sent
                    sent = sequence.generated
        finally:
            del self._streams[sequence]
            if not self._streams:
                self.drained.set()
            if sequence.finished_at is None:
                self._abort(sequence)

    def abort_all(self) -> None:
        """Cut off every request in the engine."""
        for sequence, queue in self._streams.items():
            if sequence.finished_at is None:
                self._abort(sequence)
                queue.put_nowait(False)

    def _abort(self, sequence: Sequence) -> None:
        self.scheduler.abort(sequence, asyncio.get_running_loop().time())
        self._observer.finished(sequence)

    def _deliver(self, batch: Batch, now: float) -> None:
        outputs = self.scheduler.commit(batch, now)
        self._observer.iteration(batch, outputs)
        for output in outputs:
            self._streams[output.sequence].put_nowait(True)
            if output.sequence.finished_at is not None:
                self._observer.finished(output.sequence)
