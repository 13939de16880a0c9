"""What an engine counts and exposes: latency histograms, tokens and finished requests."""

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import log

from .batching import Sequence
from .edges import BETWEEN_TOKENS_VLLM, FIRST_TOKEN_VLLM, REQUEST_VLLM

# Beside the engine's histograms, inter-token latencies are kept in steps of half a percent for exact percentiles.
STEPS_PER_E = 200
# Beside the latencies of the operator, of which the time between tokens is the mean of each request, an engine has that
# of every token.
TOKENS = "each_token"


class Buckets:
    """A histogram: `counts[i]` observations above edge i-1 and at or below edge i, the last beyond all edges."""

    __slots__ = ("counts", "edges", "total")

    def __init__(self, edges: tuple[float, ...]) -> None:
        self.edges = edges
        self.counts = [0] * (len(edges) + 1)
        self.total = 0.0

    def observe(self, value: float, times: int = 1) -> None:
        """Add `value` (seconds) some times."""
        self.counts[bisect_left(self.edges, value)] += times
        self.total += value * times


@dataclass(frozen=True, slots=True)
class Sample:
    """What one scrape reads. Histograms by name: counts by bucket, and the sum (seconds)."""

    time: float
    histograms: Mapping[str, tuple[tuple[int, ...], float]]
    completed: int
    prompt_tokens: int
    generation_tokens: int
    running: int
    waiting: int
    kv_cache_usage: float


@dataclass(slots=True)
class Counters:
    """Counters of one replica since it started; names as in `MetricDialect`. `intervals` maps a step to tokens."""

    histograms: dict[str, Buckets]
    completed: int = 0
    prompt_tokens: int = 0
    generation_tokens: int = 0
    intervals: dict[int, int] = field(default_factory=dict)

    def finished(self, sequence: Sequence) -> None:
        """A request got its last token."""
        first, last = sequence.first_token_at or 0.0, sequence.finished_at or 0.0
        self.completed += 1
        self.histograms["end_to_end_latency"].observe(last - sequence.arrived_at)
        if sequence.output_tokens > 1:
            self.histograms["inter_token_latency"].observe((last - first) / (sequence.output_tokens - 1))

    def first_token(self, sequence: Sequence, now: float) -> None:
        """A request got its first token at `now` (seconds)."""
        self.histograms["time_to_first_token"].observe(now - sequence.arrived_at)
        self.prompt_tokens += sequence.prompt_tokens
        self.generation_tokens += 1

    def between_tokens(self, first: float, times: int = 1, count: int = 1, growth: float = 0.0) -> None:
        """`times` iterations of `first`, `first + growth`, ... seconds; `count` sequences got a token in each."""
        buckets, mean = self.histograms[TOKENS], first
        if times > 1:
            last, mean = first + growth * (times - 1), first + growth * (times - 1) / 2
        tokens = times * count
        if times == 1 or bisect_left(buckets.edges, first) == bisect_left(buckets.edges, last):
            buckets.observe(mean, tokens)
        else:
            for index in range(times):
                buckets.observe(first + growth * index, count)
        step = round(log(max(1e-09, mean)) * STEPS_PER_E)
        self.intervals[step] = self.intervals.get(step, 0) + tokens
        self.generation_tokens += tokens


class Uncounted(Counters):
    """Stays at zero, for runs of which nobody reads metrics."""

    def finished(self, sequence: Sequence) -> None:
        """Not counted."""

    def first_token(self, sequence: Sequence, now: float) -> None:
        """Not counted."""

    def between_tokens(self, first: float, times: int = 1, count: int = 1, growth: float = 0.0) -> None:
        """Not counted."""


def histogram_edges(own: Mapping[str, tuple[float, ...]]) -> Mapping[str, tuple[float, ...]]:
    """Edges in seconds by histogram: `own`, and for the rest those of vLLM."""
    return {
        "time_to_first_token": FIRST_TOKEN_VLLM,
        "inter_token_latency": BETWEEN_TOKENS_VLLM,
        TOKENS: BETWEEN_TOKENS_VLLM,
        "end_to_end_latency": REQUEST_VLLM,
        **own,
    }


def counters(edges: Mapping[str, tuple[float, ...]], counted: bool = True) -> Counters:
    """Counters at zero, their histograms with `edges`; they stay there unless something is to be `counted`."""
    kind = Counters if counted else Uncounted
    return kind({name: Buckets(values) for name, values in edges.items()})
