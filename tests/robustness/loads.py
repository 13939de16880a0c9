"""Requests over time."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from aifactory.simulate.trace import Request

MINUTE = 60.0


@dataclass(frozen=True)
class Load:
    """Requests of `prompt` and `answer` tokens; `rate` is requests per second by time (seconds) until `end`."""

    rate: Callable[[float], float]
    end: float
    prompt: int = 128
    answer: int = 128

    def requests(self, seed: int = 1) -> list[Request]:
        """A Poisson process by thinning, and a last request at the end."""
        rng, at, found = Random(seed), 0.0, list[Request]()
        most = max(self.rate(float(second)) for second in range(int(self.end)))
        while most and (at := at + rng.expovariate(most)) < self.end:
            if rng.random() < self.rate(at) / most:
                found.append(Request(at, self.prompt, self.answer))
        return [*found, Request(self.end, self.prompt, self.answer)]


def steady(rate: float, minutes: float) -> Load:
    return Load(lambda _: rate, minutes * MINUTE)


def ramp(low: float, high: float, begin: float, end: float, minutes: float) -> Load:
    """From `begin` to `end` (minutes) the rate rises or falls in a straight line."""

    def rate(at: float) -> float:
        share = min(1.0, max(0.0, (at / MINUTE - begin) / (end - begin)))
        return low + share * (high - low)

    return Load(rate, minutes * MINUTE)


def steps(*parts: tuple[float, float]) -> Load:
    """(minutes, rate) one after the other."""

    def rate(at: float) -> float:
        for minutes, value in parts:
            if at < minutes * MINUTE:
                return value
            at -= minutes * MINUTE
        return parts[-1][1]

    return Load(rate, sum(minutes for minutes, _ in parts) * MINUTE)
