"""Made-up loads beside the recorded ones: shapes of which each is hard in another way."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import pairwise
from math import cos, exp, log, pi, sqrt
from random import Random

from aifactory.simulate.trace import Request

Rate = Callable[[float], float]

HOUR = 3600.0
# Requests per second that about one replica of the bench's service carries.
_REPLICA = 6.0
_STEP_SECONDS = 5.0
# Tokens of a chat: mean, coefficient of variation, most.
_PROMPT = (1000.0, 1.0, 8000)
_ANSWER = (200.0, 0.8, 1500)


def requests(shape: str, seed: int) -> list[Request]:
    """An hour of Poisson arrivals at the rate of a shape, with lognormal lengths."""
    rate, random = SHAPES[shape](Random(f"{seed} rate")), Random(f"{seed} requests")
    found = [
        Request(at, _tokens(random, *_PROMPT), _tokens(random, *_ANSWER))
        for begin, end in pairwise(_marks())
        for at in _arrivals(random, _REPLICA * rate(begin), begin, end)
    ]
    return [Request(one.at - found[0].at, one.prompt_tokens, one.output_tokens) for one in found]


def _marks() -> list[float]:
    return [_STEP_SECONDS * index for index in range(round(HOUR / _STEP_SECONDS) + 1)]


def _arrivals(random: Random, rate: float, begin: float, end: float) -> Iterator[float]:
    at = begin
    while rate > 0 and (at := at + random.expovariate(rate)) < end:
        yield at


def _tokens(random: Random, mean: float, variation: float, most: int) -> int:
    spread = log(1 + variation**2)
    return max(1, min(most, int(random.lognormvariate(log(mean) - spread / 2, sqrt(spread)))))


def _steady(_: Random) -> Rate:
    return lambda _: 6.0


def _ramp(_: Random) -> Rate:
    return lambda now: 2 + 8 * now / HOUR


def _day(_: Random) -> Rate:
    """The half of a day that rises and falls."""
    return lambda now: 2 + 4 * (1 - cos(2 * pi * now / HOUR))


def _steps(_: Random) -> Rate:
    """Threefold for a quarter of an hour, twice."""
    return lambda now: 9.0 if now // 900 % 2 else 3.0


def _spikes(_: Random) -> Rate:
    """Nearly fourfold for 90 s every 20 minutes."""
    return lambda now: 15.0 if 600 <= now % 1200 < 690 else 4.0


def _on_off(_: Random) -> Rate:
    """Five minutes of load, five of none."""
    return lambda now: 0.0 if now // 300 % 2 else 6.0


def _gamma(random: Random, mean: float, seconds: float, order: float) -> Rate:
    """Drawn anew again and again: the lower the order, the wilder."""
    drawn = [mean * random.gammavariate(order, 1 / order) for _ in range(round(HOUR / seconds) + 1)]
    return lambda now: drawn[int(now // seconds)]


def _wandering(random: Random) -> Rate:
    """A level that drifts by some percent each half minute and comes back slowly."""
    levels = [0.0]
    while len(levels) <= HOUR / 30:
        levels.append(0.97 * levels[-1] + random.gauss(0.0, 0.1))
    return lambda now: 5 * exp(levels[int(now // 30)])


SHAPES: Mapping[str, Callable[[Random], Rate]] = {
    "steady": _steady,
    "ramp": _ramp,
    "day": _day,
    "wandering": _wandering,
    "on and off": _on_off,
    "steps": _steps,
    "spikes": _spikes,
    "noise": partial(_gamma, mean=6.0, seconds=30.0, order=4.0),
    "bursts": partial(_gamma, mean=5.0, seconds=10.0, order=1.0),
}
"""Rates by name, in replicas' worth of requests per second, for random numbers of their own."""
