"""The engine on virtual time: hours of load in milliseconds, the same answer every time."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .scheduler import Scheduler, Sequence

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .scheduler import Limits, Timing


@dataclass(slots=True)
class Run:
    """What came out: sequences in order of finishing, their inter-token latencies, iterations; times in seconds."""

    finished: list[Sequence] = field(default_factory=list)
    intervals: dict[Sequence, list[float]] = field(default_factory=dict)
    iterations: int = 0
    busy_seconds: float = 0.0
    end: float = 0.0

    @property
    def first_token_latencies(self) -> list[float]:
        return [(seq.first_token_at or 0.0) - seq.arrived_at for seq in self.finished]

    @property
    def inter_token_latencies(self) -> list[float]:
        return [gap for seq in self.finished for gap in self.intervals[seq]]

    @property
    def output_tokens_per_second(self) -> float:
        return sum(seq.generated for seq in self.finished) / self.end


def simulate(
    timing: Timing,
    limits: Limits,
    arrivals: Iterable[Sequence],
    follow_up: Callable[[Sequence, float], Sequence | None] = lambda finished, now: None,
) -> Run:
    """Serve `arrivals` (each at its arrived_at) and whatever `follow_up` sends when a sequence finishes."""
    scheduler = Scheduler(limits)
    due = [(seq.arrived_at, index, seq) for index, seq in enumerate(arrivals)]
    heapq.heapify(due)
    order = len(due)
    run = Run()
    now = 0.0
    while due or not scheduler.idle:
        if scheduler.idle:
            now = max(now, due[0][0])
        while due and due[0][0] <= now:
            scheduler.submit(heapq.heappop(due)[2])
        batch = scheduler.plan(now)
        duration = timing.seconds(batch)
        now += duration
        run.iterations += 1
        run.busy_seconds += duration
        for output in scheduler.commit(batch, now):
            gaps = run.intervals.setdefault(output.sequence, [])
            if output.interval is not None:
                gaps.append(output.interval)
            if output.sequence.finished_at is not None:
                run.finished.append(output.sequence)
                if (successor := follow_up(output.sequence, now)) is not None:
                    heapq.heappush(due, (successor.arrived_at, order, successor))
                    order += 1
    run.end = now
    return run


def closed_loop(
    timing: Timing, limits: Limits, clients: int, requests: int, shape: tuple[int, int], think: float
) -> Run:
    """`clients` that each send their next request `think` seconds after the last answer, `requests` in all.

    `shape` is (prompt tokens, output tokens) of every request.
    """
    prompt, output = shape
    remaining = requests - clients

    def next_request(_finished: Sequence, now: float) -> Sequence | None:
        nonlocal remaining
        remaining -= 1
        return Sequence(prompt, output, arrived_at=now + think) if remaining >= 0 else None

    return simulate(timing, limits, (Sequence(prompt, output, arrived_at=0.0) for _ in range(clients)), next_request)
