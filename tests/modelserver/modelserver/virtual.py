"""The engine on virtual time: hours of load in milliseconds, the same answer every time."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aifactory.simulate.engine.batching import Scheduler, Sequence

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aifactory.simulate.engine.batching import Limits, Timing


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
) -> Run:
    """Serve `arrivals`, each at its arrived_at, one iteration after the other."""
    scheduler = Scheduler(limits)
    due = deque(sorted(arrivals, key=lambda sequence: sequence.arrived_at))
    run = Run()
    now = 0.0
    while due or not scheduler.idle:
        if scheduler.idle:
            now = max(now, due[0].arrived_at)
        while due and due[0].arrived_at <= now:
            scheduler.submit(due.popleft())
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
    run.end = now
    return run
