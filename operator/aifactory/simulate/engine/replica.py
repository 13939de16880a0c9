"""One engine on virtual time. It is brought up to date when somebody looks at it: no event for an iteration."""

from collections.abc import Callable, Mapping
from math import floor, inf, sqrt

from .batching import Batch, Limits, Sequence, Timing
from .counters import Counters, Sample, counters
from .lockstep import Lockstep

Edges = Mapping[str, tuple[float, ...]]


class Replica:
    """Computes iteration after iteration while it has requests; runs of equal batches are computed in one step.

    `on_finished` is told of each sequence that got its last token. Times are seconds on any clock. What nobody reads
    need not be `counted`.
    """

    def __init__(
        self,
        timing: Timing,
        limits: Limits,
        edges: Edges,
        on_finished: Callable[[Sequence], None],
        now: float = 0.0,
        counted: bool = True,
    ) -> None:
        self.scheduler = Lockstep(limits)
        self.counters: Counters = counters(edges, counted)
        self.now = now
        self.timing = timing
        self._on_finished = on_finished
        self._batch: Batch | None = None
        self._joined = False

    @property
    def in_flight(self) -> int:
        """Requests that run or wait."""
        return len(self.scheduler.running) + len(self.scheduler.waiting)

    @property
    def ends(self) -> float:
        """When the iteration ends that is computed; infinite without one."""
        return inf if self._batch is None else self.now + self.timing.seconds(self._batch)

    def submit(self, sequence: Sequence, now: float | None = None) -> None:
        """Queue a sequence at `now`, or at its `arrived_at`, which is earlier where another replica has prefilled it.

        Raises:
            RequestTooLongError: if the empty KV cache could not hold it.
        """
        at = sequence.arrived_at if now is None else now
        self.run(at)
        self.scheduler.submit(sequence)
        self._joined = True
        if self._batch is None:
            self.now = max(self.now, at)

    def run(self, until: float) -> None:
        """Complete every iteration that ends by `until`."""
        while not (self._batch is None and self.scheduler.idle):
            batch = self._batch
            if batch is None:
                batch = self._batch = self.scheduler.plan(self.now)
                self._joined = False
            seconds = self.timing.seconds(batch)
            if not (self._joined or batch.tokens):
                seconds = self._repeat(batch, seconds, until)
            ends = self.now + seconds
            if ends > until:
                return
            self._batch = None
            self._commit(batch, ends)

    def sample(self, now: float) -> Sample:
        """What /metrics says at `now`."""
        self.run(now)
        counted = self.counters
        return Sample(
            time=now,
            histograms={name: (tuple(one.counts), one.total) for name, one in counted.histograms.items()},
            completed=counted.completed,
            prompt_tokens=counted.prompt_tokens,
            generation_tokens=counted.generation_tokens,
            running=len(self.scheduler.running),
            waiting=len(self.scheduler.waiting),
            kv_cache_usage=self.scheduler.kv_usage,
        )

    def abort_all(self, now: float) -> list[Sequence]:
        """Cut off whatever is in flight."""
        cut = [*self.scheduler.running, *self.scheduler.waiting]
        for sequence in cut:
            self.scheduler.abort(sequence, now)
        self._batch = None
        return cut

    def _repeat(self, batch: Batch, first: float, until: float) -> float:
        """As many iterations of the planned batch as end by `until`, if nobody joined since the plan.

        The i-th lasts `first + i * growth`, as every sequence adds one cached token. How long the next one lasts.
        """
        room = until - self.now
        if room < first or (times := self.scheduler.repeats(batch)) < 1:
            return first
        count = batch.decodes
        growth = self.timing.per_kv_token * count
        linear = first - growth / 2
        if times * (linear + growth / 2 * times) > room:
            times = floor(2 * room / (linear + sqrt(linear * linear + 2 * growth * room)))
        self.counters.between_tokens(first, times, count, growth)
        self.now += times * (linear + growth / 2 * times)
        self.scheduler.repeat(batch, times, self.now)
        return self.timing.seconds(batch)

    def _commit(self, batch: Batch, now: float) -> None:
        counted, interval = self.counters, now - self.now
        self.now = now
        decoded, outputs, finished = self.scheduler.advance(batch, now)
        if decoded:
            counted.between_tokens(interval, 1, decoded)
        for sequence, since in outputs:
            if since is None:
                counted.first_token(sequence, now)
            else:
                counted.between_tokens(since)
        for sequence in finished:
            counted.finished(sequence)
            self._on_finished(sequence)
