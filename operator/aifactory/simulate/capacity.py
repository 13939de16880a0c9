"""How much one replica can do, found by loading one: what a profiling run before deployment finds."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, inf
from random import Random

from .engine.batching import RequestTooLongError
from .engine.batching import Sequence as Served
from .engine.replica import Replica
from .record import Record
from .scenario import Scenario
from .trace import Request

_REQUESTS = 2000
_BISECTIONS = 8
_LOWEST_RATE = 0.01
_HIGHEST_RATE = 1e5


@dataclass(frozen=True, slots=True)
class Capacity:
    """Of one replica with the requests of a trace.

    `rate` requests per second keep the promise, with so many `in_flight`; it is kept when a share of `enough` (0 to 1)
    of the requests is within all objectives.
    """

    rate: float
    in_flight: float
    enough: float


def profile(scenario: Scenario) -> Capacity:
    """The highest Poisson rate at which one replica attains what the service promises, within half a percent.

    The lengths are drawn from the trace, so many replicas behind a random choice each see such a load. Requests that
    miss an objective even alone are no fault of the load: the promise counts for the others.
    """
    rng = Random("capacity")
    drawn = rng.choices(scenario.requests, k=_REQUESTS)
    gaps = [rng.expovariate(1.0) for _ in drawn]
    enough = scenario.attainment * _attained(scenario, drawn, gaps, _LOWEST_RATE)[0]
    low, high = _LOWEST_RATE, 1.0
    while _attained(scenario, drawn, gaps, high)[0] >= enough and high < _HIGHEST_RATE:
        low, high = high, 2 * high
    for _ in range(_BISECTIONS):
        middle = (low * high) ** 0.5
        attained, _ = _attained(scenario, drawn, gaps, middle)
        low, high = (middle, high) if attained >= enough else (low, middle)
    return Capacity(low, low * _attained(scenario, drawn, gaps, low)[1], enough)


def _attained(scenario: Scenario, drawn: Sequence[Request], gaps: Sequence[float], rate: float) -> tuple[float, float]:
    """The share of good requests, and the mean time (seconds) that a request takes."""
    record, taken, now = Record(scenario), [0.0], 0.0

    def finished(sequence: Served) -> None:
        record.finished(sequence)
        taken[0] += (sequence.finished_at or 0.0) - sequence.arrived_at

    replica = Replica(scenario.engine.timing, scenario.engine.limits, scenario.edges, finished)
    for request, gap in zip(drawn, gaps, strict=True):
        now += gap / rate
        try:
            replica.submit(Served(request.prompt_tokens, request.output_tokens, arrived_at=now))
        except RequestTooLongError:
            record.failed(now)
    replica.run(inf)
    return sum(answer.good for answer in record.answers) / len(drawn), taken[0] / len(drawn)


def demand(scenario: Scenario, bin_seconds: float) -> list[float]:
    """Requests per second of each bin of the trace, each request counted by its work, which is 1 on average.

    Work is engine time: the prompt's tokens, and for each further token a share of a batch and the reading of its
    context.
    """
    timing = scenario.engine.timing
    works = [
        timing.per_prefill_token * request.prompt_tokens
        + request.output_tokens
        * (timing.per_decode + timing.per_kv_token * (request.prompt_tokens + request.output_tokens / 2))
        for request in scenario.requests
    ]
    mean = sum(works) / len(works)
    bins = [0.0] * (int(scenario.end // bin_seconds) + 1)
    for request, work in zip(scenario.requests, works, strict=True):
        bins[int(request.at // bin_seconds)] += work / mean / bin_seconds
    return bins


def needed(scenario: Scenario, capacity: Capacity, bin_seconds: float, headroom: float = 1.0) -> list[int]:
    """Replicas that the load of each bin takes, within the bounds of the service; load counts `headroom` times."""
    low, high = scenario.scaling.min_replicas, scenario.scaling.max_replicas
    return [max(low, min(high, ceil(headroom * rate / capacity.rate))) for rate in demand(scenario, bin_seconds)]
