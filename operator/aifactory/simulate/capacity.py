"""How much one replica can do, found by loading one: what a profiling run before deployment finds."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from math import ceil, inf
from random import Random

from .engine.batching import RequestTooLongError
from .engine.replica import Replica
from .record import Record
from .scenario import Scenario

_REQUESTS = 2000
_BISECTIONS = 8
_LOWEST_RATE = 0.01
_HIGHEST_RATE = 1e5
_ROUNDING = 1e-9


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
    miss an objective even alone are no fault of the load: the promise counts for the others. Where requests may wait,
    the rate is that of a replica that always has some waiting.
    """
    rng = Random("capacity")
    drawn = replace(scenario, requests=tuple(rng.choices(scenario.requests, k=_REQUESTS)))
    gaps = [rng.expovariate(1.0) for _ in drawn.requests]
    enough = scenario.attainment * _attained(drawn, gaps, _LOWEST_RATE)[0]
    if scenario.within is not None:
        rate, in_flight = _full(drawn)
        return Capacity(rate, in_flight, enough)
    low, high = _LOWEST_RATE, 1.0
    while _attained(drawn, gaps, high, enough)[0] >= enough and high < _HIGHEST_RATE:
        low, high = high, 2 * high
    for _ in range(_BISECTIONS):
        middle = (low * high) ** 0.5
        attained, _ = _attained(drawn, gaps, middle, enough)
        low, high = (middle, high) if attained >= enough else (low, middle)
    return Capacity(low, low * _attained(drawn, gaps, low)[1], enough)


def _full(scenario: Scenario) -> tuple[float, float]:
    """Requests per second of a replica that gets all at once, and how many it computes at a time on average."""
    record, last = _served(scenario, [0.0] * len(scenario.requests), 1.0)
    done = [answer for answer in record.answers if answer.first_token is not None and answer.last_token is not None]
    computed = sum((answer.last_token or 0.0) - (answer.first_token or 0.0) for answer in done)
    return (len(done) / last, max(1.0, computed / last)) if done else (_LOWEST_RATE, 1.0)


def _attained(scenario: Scenario, gaps: Sequence[float], rate: float, enough: float = 0.0) -> tuple[float, float]:
    """The share of good requests, and the mean time (seconds) that a request takes.

    Once the share must be below `enough`, the rest are not served.
    """
    record, _ = _served(scenario, gaps, rate, enough)
    taken = sum(answer.last_token or 0.0 for answer in record.answers)
    return record.attainable, taken / len(scenario.requests)


def _served(scenario: Scenario, gaps: Sequence[float], rate: float, enough: float = 0.0) -> tuple[Record, float]:
    """What one replica makes of requests, each so many `gaps` (1 / rate) after the last, and when it is done.

    It ends early when the share of good ones must be below `enough`.
    """
    record, now = Record(scenario), 0.0
    engine = scenario.engine
    replica = Replica(engine.timing, engine.limits, scenario.edges, record.finished, counted=False)
    for request, gap in zip(scenario.requests, gaps, strict=True):
        now += gap / rate
        try:
            replica.submit(scenario.sequence(request, now))
        except RequestTooLongError:
            record.failed(now)
        if record.attainable < enough:
            return record, now
    replica.run(inf)
    return record, replica.now


def demand(scenario: Scenario, bin_seconds: float, spread: float = 0.0) -> list[float]:
    """Requests per second of each bin of the trace, each request counted by its work, which is 1 on average.

    Work is engine time: the prompt's tokens, and for each further token a share of a batch and the reading of its
    context. That of each request is spread over so many seconds from when it comes.
    """
    timing = scenario.engine.timing
    per_prompt_token = timing.per_prefill_token if scenario.prefill is None else 0.0
    works = [
        per_prompt_token * request.prompt_tokens
        + request.output_tokens
        * (timing.per_decode + timing.per_kv_token * (request.prompt_tokens + request.output_tokens / 2))
        for request in scenario.requests
    ]
    mean = sum(works) / len(works)
    bins, wide = [0.0] * (int(scenario.end // bin_seconds) + 1), int(spread // bin_seconds) + 1
    changes = [0.0] * (len(bins) + wide)
    for request, work in zip(scenario.requests, works, strict=True):
        first, rate = int(request.at // bin_seconds), work / mean / bin_seconds / wide
        changes[first] += rate
        changes[first + wide] -= rate
    return [max(0.0, rate) for rate in accumulate(changes)][: len(bins)]


def needed(scenario: Scenario, capacity: Capacity, bin_seconds: float) -> list[int]:
    """Replicas that the load of each bin takes, within the bounds of the service.

    Of an offline service, the work of a request is spread over the time that it may take.
    """
    return replicas_for(demand(scenario, bin_seconds, scenario.within or 0.0), scenario, capacity, 1.0)


def replicas_for(load: Sequence[float], scenario: Scenario, capacity: Capacity, headroom: float) -> list[int]:
    """As `needed`, of loads as `demand` gives them, which count `headroom` times."""
    low, high = scenario.scaling.min_replicas, scenario.scaling.max_replicas
    return [max(low, min(high, ceil(headroom * rate / capacity.rate - _ROUNDING))) for rate in load]
