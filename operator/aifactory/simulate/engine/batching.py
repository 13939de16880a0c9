"""Continuous batching at iteration level, without a clock.

One iteration takes some tokens of every running sequence: one each while it decodes, a chunk of its prompt while it
prefills. A caller alternates `plan` and `commit` and lets an iteration last `Timing.seconds`, so the same core serves
requests in real time and runs tests in virtual time. Times are seconds on any monotonic clock.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from math import ceil
from typing import NamedTuple


class RequestTooLongError(ValueError):
    """The prompt and its answer can never fit into the KV cache."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Duration of an iteration: a constant, plus seconds per decoding sequence, prefilled token and cached token."""

    base: float
    per_decode: float
    per_prefill_token: float
    per_kv_token: float

    def seconds(self, batch: Batch) -> float:
        return (
            self.base
            + self.per_decode * batch.decodes
            + self.per_prefill_token * batch.prefill_tokens
            + self.per_kv_token * batch.kv_tokens
        )


@dataclass(frozen=True, slots=True)
class Limits:
    """What one iteration and the KV cache can hold, in sequences and tokens."""

    max_num_seqs: int
    max_num_batched_tokens: int
    kv_tokens: int
    block_size: int = 16

    @property
    def kv_blocks(self) -> int:
        return self.kv_tokens // self.block_size


@dataclass(slots=True, eq=False)
class Sequence:
    """One request inside the engine."""

    prompt_tokens: int
    output_tokens: int
    arrived_at: float
    finish_reason: str = "length"
    scheduled_at: float | None = None
    first_token_at: float | None = None
    last_token_at: float | None = None
    finished_at: float | None = None
    generated: int = 0
    computed: int = 0
    blocks: int = 0
    preemptions: int = 0

    @property
    def pending(self) -> int:
        """Tokens whose keys and values must be computed before the next token comes out."""
        return self.prompt_tokens + self.generated - self.computed


@dataclass(slots=True)
class Batch:
    """The tokens that one iteration computes for each sequence."""

    tokens: dict[Sequence, int] = field(default_factory=dict)
    decodes: int = 0
    prefill_tokens: int = 0
    kv_tokens: int = 0
    preemptions: int = 0

    def add(self, sequence: Sequence, tokens: int) -> None:
        self.tokens[sequence] = tokens
        self.kv_tokens += sequence.computed + tokens
        if sequence.generated and tokens == 1:
            self.decodes += 1
        else:
            self.prefill_tokens += tokens


class Output(NamedTuple):
    """A token that came out. `interval` is the time since the sequence's previous token, None for its first."""

    sequence: Sequence
    interval: float | None


class Scheduler:
    """First come, first served. A full KV cache preempts the youngest sequence, which is computed again later."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.kv_blocks = limits.kv_blocks
        self.waiting: deque[Sequence] = deque()
        self.running: list[Sequence] = []
        self.used_blocks = 0
        self.preemptions = 0

    @property
    def idle(self) -> bool:
        return not self.running and not self.waiting

    @property
    def kv_usage(self) -> float:
        """Share of KV blocks in use, 0 to 1."""
        return self.used_blocks / self.kv_blocks

    def submit(self, sequence: Sequence) -> None:
        """Queue a sequence. Raises RequestTooLongError if the empty KV cache could not hold it."""
        tokens = sequence.prompt_tokens + sequence.output_tokens
        if ceil(tokens / self.limits.block_size) > self.kv_blocks:
            raise RequestTooLongError(
                f"{sequence.prompt_tokens} prompt tokens and {sequence.output_tokens} output tokens exceed "
                f"the {self.limits.kv_tokens} tokens that this server can hold: shorten the prompt or lower max_tokens"
            )
        self.waiting.append(sequence)

    def abort(self, sequence: Sequence, now: float) -> None:
        """Forget an unfinished sequence and free its blocks, also in the middle of an iteration."""
        if sequence in self.running:
            self.running.remove(sequence)
        else:
            self.waiting.remove(sequence)
        self._release(sequence)
        sequence.finish_reason = "abort"
        sequence.finished_at = now

    def plan(self, now: float) -> Batch:
        """Choose the tokens of the next iteration. Empty only when no sequence is left."""
        batch = Batch()
        budget = self.limits.max_num_batched_tokens
        preempted = self.preemptions
        running = self.running
        index = 0
        while index < len(running) and budget:
            sequence = running[index]
            tokens = min(sequence.pending, budget)
            if self._make_room(sequence, tokens):
                batch.add(sequence, tokens)
                budget -= tokens
                index += 1
        batch.preemptions = self.preemptions - preempted
        if not batch.preemptions:
            self._admit(batch, budget, now)
        return batch

    def commit(self, batch: Batch, now: float) -> list[Output]:
        """End an iteration at `now`: the tokens that came out; finished sequences have left the engine."""
        outputs = []
        for sequence, tokens in batch.tokens.items():
            if sequence.finished_at is not None:
                continue
            sequence.computed += tokens
            if sequence.pending:
                continue
            interval = None if sequence.last_token_at is None else now - sequence.last_token_at
            sequence.generated += 1
            sequence.last_token_at = now
            if interval is None:
                sequence.first_token_at = now
            if sequence.generated == sequence.output_tokens:
                sequence.finished_at = now
                self.running.remove(sequence)
                self._release(sequence)
            outputs.append(Output(sequence, interval))
        return outputs

    def _admit(self, batch: Batch, budget: int, now: float) -> None:
        while self.waiting and budget and len(self.running) < self.limits.max_num_seqs:
            sequence = self.waiting[0]
            tokens = min(sequence.pending, budget)
            if not self._reserve(sequence, tokens):
                return
            self.running.append(self.waiting.popleft())
            if sequence.scheduled_at is None:
                sequence.scheduled_at = now
            batch.add(sequence, tokens)
            budget -= tokens

    def _make_room(self, sequence: Sequence, tokens: int) -> bool:
        """Reserve blocks for a running sequence, preempting from the youngest; False if it had to go itself."""
        while not self._reserve(sequence, tokens):
            victim = self.running.pop()
            self._release(victim)
            victim.computed = 0
            victim.preemptions += 1
            self.preemptions += 1
            self.waiting.appendleft(victim)
            if victim is sequence:
                return False
        return True

    def _reserve(self, sequence: Sequence, tokens: int) -> bool:
        more = -(-(sequence.computed + tokens) // self.limits.block_size) - sequence.blocks
        if self.used_blocks + more > self.kv_blocks:
            return False
        sequence.blocks += more
        self.used_blocks += more
        return True

    def _release(self, sequence: Sequence) -> None:
        self.used_blocks -= sequence.blocks
        sequence.blocks = 0
