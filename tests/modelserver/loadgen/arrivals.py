"""When requests are sent, and how large: nothing here waits or sends."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

STEP = re.compile(r"(?P<rate>\d+(?:\.\d+)?)@(?P<seconds>\d+(?:\.\d+)?)s")


class LoadError(ValueError):
    """A shape or a trace that cannot be read; the message says where and what would do."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """One request, `at` seconds after the start."""

    at: float
    prompt_tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True)
class Step:
    """The rate goes in a straight line from `start` to `end` requests/s within `seconds`."""

    start: float
    end: float
    seconds: float


def parse_shape(text: str, ramp: bool = False) -> list[Step]:
    """Read "2@20s,8@60s": 2 requests/s for 20 s, then 8 for 60 s; with `ramp` each step starts at the rate before it.

    Raises LoadError on anything else.
    """
    steps: list[Step] = []
    for part in text.split(","):
        match = STEP.fullmatch(part.strip())
        if match is None or float(match["seconds"]) == 0:
            raise LoadError(f"shape step {part.strip()!r} is not RATE@SECONDSs: write for example 2@20s,8@60s")
        rate = float(match["rate"])
        steps.append(Step(steps[-1].end if ramp and steps else rate, rate, float(match["seconds"])))
    return steps


def rate_at(steps: list[Step], at: float) -> float:
    """Requests/s that the shape asks for, 0 after its end."""
    for step in steps:
        if at < step.seconds:
            return step.start + (step.end - step.start) * at / step.seconds
        at -= step.seconds
    return 0.0


def poisson(steps: list[Step], seed: int) -> Iterator[float]:
    """Arrival times of a Poisson process with the shape's rate, by thinning (Lewis and Shedler, 1979)."""
    rng = random.Random(seed)
    highest = max(max(step.start, step.end) for step in steps)
    end = sum(step.seconds for step in steps)
    at = 0.0
    while highest and (at := at + rng.expovariate(highest)) < end:
        if rng.random() * highest < rate_at(steps, at):
            yield at
