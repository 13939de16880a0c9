"""What happened in a run, and the figures that sum it up."""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, chain
from math import ceil, exp, inf
from typing import NamedTuple

from aifactory.api.role import RoleName
from aifactory.signals.objectives import Signal

from .engine.batching import Sequence as Served
from .engine.counters import STEPS_PER_E, Counters
from .scenario import Scenario

WORST_SECONDS = 300.0
_WORST_STEP_SECONDS = 15.0
_BIN_SECONDS = 30.0


class Answer(NamedTuple):
    """One request: when it came (seconds), its latencies (seconds), and whether it was in time for all objectives.

    `first_token` and `last_token` are None for a request that failed. `between_tokens` is the mean of the request, None
    for one token.
    """

    arrived_at: float
    first_token: float | None
    between_tokens: float | None
    good: bool
    last_token: float | None = None


class Moment(NamedTuple):
    """Replicas at a time: asked for, and serving."""

    time: float
    replicas: int
    ready: int


@dataclass(slots=True)
class Scaled:
    """The replicas of one role; times are seconds. `actions` are (time, replicas before, after)."""

    role: RoleName
    actions: list[tuple[float, int, int]] = field(default_factory=list)
    moments: list[Moment] = field(default_factory=list)
    gpu_seconds: float = 0.0


@dataclass(slots=True)
class Record:
    """Everything that a run leaves behind; times are seconds. `scaled` has an entry for each part of the scenario.

    `tokens` are those of the prompts and answers of completed requests, `missed` the requests that were not good.
    """

    scenario: Scenario
    answers: list[Answer] = field(default_factory=list)
    scaled: tuple[Scaled, ...] = field(init=False)
    intervals: Counter[int] = field(default_factory=Counter)
    aborted: int = 0
    tokens: int = 0
    missed: int = 0
    _first: float = field(init=False)
    _between: float = field(init=False)
    _whole: float = field(init=False)

    def __post_init__(self) -> None:
        targets, within = self.scenario.promised, self.scenario.within
        self._first, self._between = (targets.get(signal, inf) for signal in (Signal.TTFT, Signal.ITL))
        self._whole = min(targets.get(Signal.E2E, inf), inf if within is None else within)
        self.scaled = tuple(Scaled(part.role.name) for part in self.scenario.parts)

    @property
    def actions(self) -> list[tuple[float, int, int]]:
        """Of all roles."""
        return sorted(chain.from_iterable(one.actions for one in self.scaled))

    @property
    def moments(self) -> list[Moment]:
        """Replicas of all roles."""
        together = zip(*(one.moments for one in self.scaled), strict=True)
        return [
            Moment(each[0].time, sum(one.replicas for one in each), sum(one.ready for one in each)) for each in together
        ]

    @property
    def attainable(self) -> float:
        """The share of all requests (0 to 1) that are good if those without an answer will be."""
        requests = len(self.scenario.requests)
        return (requests - self.missed) / requests

    @property
    def gpu_seconds(self) -> float:
        """Of all roles."""
        return sum(one.gpu_seconds for one in self.scaled)

    def finished(self, sequence: Served) -> None:
        """A request got its last token."""
        arrived, first, last = sequence.arrived_at, sequence.first_token_at or 0.0, sequence.finished_at or 0.0
        mean = (last - first) / (sequence.output_tokens - 1) if sequence.output_tokens > 1 else None
        good = first - arrived <= self._first and (mean or 0.0) <= self._between and last - arrived <= self._whole
        self.missed += not good
        self.tokens += sequence.prompt_tokens + sequence.output_tokens
        self.answers.append(Answer(arrived, first - arrived, mean, good, last - arrived))

    def failed(self, arrived_at: float) -> None:
        """A request was refused or cut."""
        self.aborted += 1
        self.missed += 1
        self.answers.append(Answer(arrived_at, None, None, good=False))

    def counted(self, counters: Counters) -> None:
        """The counters of an engine that is done."""
        self.intervals.update(counters.intervals)


@dataclass(frozen=True, slots=True)
class Figures:
    """The sum of a run. Attainments are shares (0 to 1) of requests within all latency objectives at once.

    Of an offline service they are those of requests that were completed in time. `worst` is that of the worst five
    minutes. Percentiles by percent: of the time to first and to last token over requests, of the time between tokens
    over tokens, in seconds. `tokens` are those of prompts and answers of completed requests.
    """

    attainment: float
    worst: float
    gpu_hours: float
    good_requests: int
    first_token: Mapping[int, float]
    between_tokens: Mapping[int, float]
    actions_per_hour: float
    aborted: int
    last_token: Mapping[int, float] = field(default_factory=dict)
    tokens: int = 0

    @property
    def tokens_per_gpu_hour(self) -> float:
        """Tokens of prompts and answers for each hour of a GPU."""
        return self.tokens / self.gpu_hours if self.gpu_hours else 0.0

    @property
    def goodput_per_gpu_hour(self) -> float:
        """Requests within all objectives, for each hour of a GPU."""
        return self.good_requests / self.gpu_hours if self.gpu_hours else 0.0


PERCENTS = (50, 95, 99)


def figures(record: Record) -> Figures:
    """The figures of a run."""
    good = len(record.answers) - record.missed
    first_tokens = sorted(answer.first_token for answer in record.answers if answer.first_token is not None)
    last_tokens = sorted(answer.last_token for answer in record.answers if answer.last_token is not None)
    hours = record.scenario.end / 3600
    return Figures(
        attainment=good / len(record.answers),
        worst=worst_share(record.answers, record.scenario.end),
        gpu_hours=record.gpu_seconds / 3600,
        good_requests=good,
        first_token={percent: _percentile(first_tokens, percent) for percent in PERCENTS},
        between_tokens={percent: _of_steps(record.intervals, percent) for percent in PERCENTS},
        actions_per_hour=len(record.actions) / hours if hours else 0.0,
        aborted=record.aborted,
        last_token={percent: _percentile(last_tokens, percent) for percent in PERCENTS},
        tokens=record.tokens,
    )


def worst_share(answers: Sequence[Answer], end: float) -> float:
    """The lowest share of good answers among the requests that arrived in any five minutes of the trace."""
    ordered = sorted((answer.arrived_at, answer.good) for answer in answers)
    times = [at for at, _ in ordered]
    good = [0, *accumulate(int(met) for _, met in ordered)]
    worst = good[-1] / len(ordered)
    for step in range(int(max(0.0, end - WORST_SECONDS) // _WORST_STEP_SECONDS) + 1):
        start = step * _WORST_STEP_SECONDS
        low, high = bisect_left(times, start), bisect_right(times, start + WORST_SECONDS)
        if high > low:
            worst = min(worst, (good[high] - good[low]) / (high - low))
    return worst


def slowest(record: Record) -> tuple[list[float], list[float]]:
    """Seconds, and the 95th percentile of the time to first token of the requests that arrived in each bin from there.

    Of an offline service it is that to the last token.
    """
    whole, seconds = record.scenario.within is not None, bin_seconds(record.scenario)
    taken = [(one.arrived_at, one.last_token if whole else one.first_token) for one in record.answers]
    bins: dict[int, list[float]] = {}
    for at, latency in taken:
        if latency is not None:
            bins.setdefault(int(at // seconds), []).append(latency)
    ordered = {index: sorted(found) for index, found in sorted(bins.items())}
    return [index * seconds for index in ordered], [_percentile(found, 95) for found in ordered.values()]


def bin_seconds(scenario: Scenario) -> float:
    """How long what is drawn over time is summed up: half a minute, and of more than two hours a 240th."""
    return max(_BIN_SECONDS, scenario.end / 240)


def _percentile(ordered: Sequence[float], percent: int) -> float:
    """Nearest rank."""
    return ordered[max(0, ceil(percent / 100 * len(ordered)) - 1)] if ordered else 0.0


def _of_steps(intervals: Counter[int], percent: int) -> float:
    """The percentile of intervals that are kept in steps of half a percent."""
    rank, seen = percent / 100 * intervals.total(), 0
    for step in sorted(intervals):
        seen += intervals[step]
        if seen >= rank:
            return exp(step / STEPS_PER_E)
    return 0.0
