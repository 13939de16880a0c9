"""The same scheduler for long simulations: an iteration costs the same whatever the size of the batch.

Sequences that decode get one token in each iteration, all of them. So they are kept as a group with a common counter of
steps, and only joining and finishing touch a sequence.
"""

from __future__ import annotations

import heapq
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

from .batching import Batch, Output, Scheduler

if TYPE_CHECKING:
    from .batching import Limits, Sequence


class Advance(NamedTuple):
    """What an iteration brought: a token for `decoded` sequences of the group, `outputs` of others, `finished` ones."""

    decoded: int
    outputs: list[Output]
    finished: list[Sequence]


class Lockstep(Scheduler):
    """Plans as `Scheduler` does; sequences of the group are brought up to date when they leave it.

    Whoever still prefills was admitted last, as only then the budget of an iteration ran out: the group comes first in
    the order of service. Where an iteration lacks KV cache or budget, the group is dissolved and `Scheduler` decides.
    """

    def __init__(self, limits: Limits) -> None:
        super().__init__(limits)
        self._joined: dict[Sequence, int] = {}
        self._step = 0
        self._last_at = 0.0
        self._cached = 0
        self._residues = [0] * limits.block_size
        self._ends: list[tuple[int, int, Sequence]] = []
        self._order = count()
        self._apart: list[Sequence] = []
        self._dissolved = False

    @property
    def decode_kv_tokens(self) -> int:
        """Cached tokens of the sequences that decode."""
        apart = self.running if self._dissolved else self._apart
        return self._cached + sum(sequence.computed for sequence in apart if sequence.generated)

    def plan(self, now: float) -> Batch:
        """As of `Scheduler`; `tokens` of the batch leaves out the group."""
        if self._dissolved:
            self._gather()
        members, budget = len(self._joined), self.limits.max_num_batched_tokens
        more = self._residues[-self._step % self.limits.block_size]
        if members > budget or self.used_blocks + more > self.kv_blocks:
            return self._plan_apart(now)
        self.used_blocks += more
        batch = Batch(decodes=members, kv_tokens=self._cached + members)
        budget -= members
        for sequence in self._apart:
            tokens = min(sequence.pending, budget)
            if tokens and not self._reserve(sequence, tokens):
                return self._plan_apart(now)
            if tokens:
                batch.add(sequence, tokens)
                budget -= tokens
        if self.waiting:
            before = len(self.running)
            self._admit(batch, budget, now)
            self._apart += self.running[before:]
        return batch

    def advance(self, batch: Batch, now: float) -> Advance:
        """End an iteration at `now`."""
        self._last_at = now
        if self._dissolved:
            outputs = self.commit(batch, now)
            return Advance(0, outputs, [each.sequence for each in outputs if each.sequence.finished_at is not None])
        decoded = len(self._joined)
        self._step += 1
        self._cached += decoded
        finished = self._finished(now)
        if not batch.tokens:
            return Advance(decoded, [], finished)
        outputs = self.commit(batch, now)
        for sequence, _ in outputs:
            self._apart.remove(sequence)
            if sequence.finished_at is None:
                self._join(sequence)
            else:
                finished.append(sequence)
        return Advance(decoded, outputs, finished)

    def repeats(self, batch: Batch) -> int:
        """How many times the planned batch may be computed by `repeat`: a lower bound, 0 if it has to be committed.

        While all sequences decode, none finishes and blocks last, the next plan is the same batch again: whoever waits
        was not admitted now and does not fit later.
        """
        if self._dissolved or batch.tokens or not self._joined:
            return 0
        blocks = (self.kv_blocks - self.used_blocks) // len(self._joined)
        return min(blocks * self.limits.block_size, self._ends[0][0] - self._step - 1)

    def repeat(self, batch: Batch, times: int, now: float) -> None:
        """Compute a planned batch `times` times at once, ending at `now`; afterwards it is planned once more."""
        size, members = self.limits.block_size, len(self._joined)
        rounds, rest = divmod(times, size)
        self.used_blocks += rounds * members
        self.used_blocks += sum(self._residues[-(self._step + step) % size] for step in range(1, rest + 1))
        self._step += times
        self._cached += times * members
        self._last_at = now
        batch.kv_tokens += times * members

    def abort(self, sequence: Sequence, now: float) -> None:
        """As of `Scheduler`, but not in the middle of an iteration: its batch must not be committed any more."""
        if not self._dissolved:
            self._dissolve()
        super().abort(sequence, now)

    def _finished(self, now: float) -> list[Sequence]:
        found = []
        while self._ends and self._ends[0][0] == self._step:
            sequence = heapq.heappop(self._ends)[2]
            self._leave(sequence)
            sequence.finished_at = now
            self.running.remove(sequence)
            self._release(sequence)
            found.append(sequence)
        return found

    def _join(self, sequence: Sequence) -> None:
        """From the next iteration on it gets a token in each."""
        self._joined[sequence] = self._step
        self._cached += sequence.computed
        self._residues[(sequence.computed - self._step) % self.limits.block_size] += 1
        end = self._step + sequence.output_tokens - sequence.generated
        heapq.heappush(self._ends, (end, next(self._order), sequence))

    def _leave(self, sequence: Sequence) -> None:
        """Bring a sequence up to date and take it out of the group; its place in `_ends` is the caller's."""
        steps = self._step - self._joined.pop(sequence)
        self._residues[(sequence.computed - (self._step - steps)) % self.limits.block_size] -= 1
        sequence.generated += steps
        sequence.computed += steps
        sequence.last_token_at = self._last_at
        sequence.blocks = -(-sequence.computed // self.limits.block_size)
        self._cached -= sequence.computed

    def _plan_apart(self, now: float) -> Batch:
        self._dissolve()
        return super().plan(now)

    def _dissolve(self) -> None:
        for sequence in list(self._joined):
            self._leave(sequence)
        self._ends.clear()
        self._dissolved = True
        self.used_blocks = sum(sequence.blocks for sequence in self.running)

    def _gather(self) -> None:
        self._dissolved = False
        self._apart = []
        for sequence in self.running:
            if sequence.pending == 1 and sequence.last_token_at == self._last_at:
                self._join(sequence)
            else:
                self._apart.append(sequence)
