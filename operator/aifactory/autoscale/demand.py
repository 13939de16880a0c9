"""The load that is to come, from the load that was.

What counts is the highest load within the time that a replica takes to start: a replica that is asked for when it is
needed comes too late. It is expected to be as high as lately, and beyond that by the usual shortfall of this very
expectation, which is measured all the time. How far "lately" goes back and how many shortfalls are added depends on how
much of the error budget is spent: a service that keeps its promise is not made more expensive.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import exp, sqrt

CONSTANT = "Constant"

_MOST_BIN_SECONDS = 60.0
_BINS_PER_WINDOW = 2.5
_KEPT_BINS = 64
_SHORTFALL_SECONDS = 3600.0
# Before anything is known, the expectation is taken to have been right for this many minutes.
_PRIOR_BINS = 15.0
# Shortfalls that are added: some always, more for each error budget that is spent, and at most so many.
_LEAST_SHORTFALLS = 0.7
_SHORTFALLS_PER_BUDGET = 2.0
_MOST_SHORTFALLS = 4.0
# Whatever was once short, more than so many times the highest load is not provided for.
_MOST_TIMES = 2.0
# Windows that are looked back for each error budget that is spent: at least one, at most so many.
_WINDOWS_PER_BUDGET = 2.0
_MOST_WINDOWS = 8.0


@dataclass(frozen=True, slots=True)
class Expectation:
    """Tokens per second: the highest of the last `seconds`, and with the shortfall that has to be reckoned with."""

    model: str
    seconds: float
    value: float
    upper: float


@dataclass(frozen=True, slots=True)
class Demand:
    """The highest load of each minute, newest last: (start in epoch seconds, tokens per second).

    Where windows are short, so are minutes. `square` is the mean square of the shortfalls (tokens per second), over
    `weight` minutes.
    """

    bins: tuple[tuple[float, float], ...] = ()
    square: float = 0.0
    weight: float = _PRIOR_BINS

    def seen(self, load: float, horizon: float, window: float, now: float) -> "Demand":
        """With the load of this tick. The expectation is about `horizon` seconds ahead, from the last `window`."""
        size = _bin_seconds(window)
        start = now // size * size
        if self.bins and self.bins[-1][0] >= start:
            highest = (self.bins[-1][0], max(load, self.bins[-1][1]))
            return replace(self, bins=(*self.bins[:-1], highest))
        judged = self._judged(horizon, window) if self.bins else self
        return replace(judged, bins=(*self.bins, (start, load))[-_KEPT_BINS:])

    def _judged(self, horizon: float, window: float) -> "Demand":
        """With the shortfall of the minute that has just ended, against what could be expected `horizon` before."""
        (start, load), size = self.bins[-1], _bin_seconds(window)
        known = [one for one in self.bins if one[0] + size <= start - horizon] or self.bins[:1]
        lack = max(0.0, load - _highest(known, start - horizon - window, size))
        weight = exp(-size / _SHORTFALL_SECONDS) * self.weight + 1
        return replace(self, square=self.square + (lack**2 - self.square) / weight, weight=weight)

    def expected(self, spent: float, window: float, now: float) -> Expectation | None:
        """What to provide for when the share `spent` of the error budget is gone; None before anything was seen."""
        if not self.bins:
            return None
        seconds = window * min(_MOST_WINDOWS, max(1.0, _WINDOWS_PER_BUDGET * spent))
        times = min(_MOST_SHORTFALLS, max(_LEAST_SHORTFALLS, _SHORTFALLS_PER_BUDGET * spent))
        value = _highest(self.bins, now - seconds, _bin_seconds(window))
        upper = min(_MOST_TIMES * value, value + times * self.shortfall)
        return Expectation(CONSTANT, seconds, value, upper)

    @property
    def shortfall(self) -> float:
        """By how much (tokens per second, root mean square) the load has been higher than expected."""
        return sqrt(self.square)


def _bin_seconds(window: float) -> float:
    return min(_MOST_BIN_SECONDS, max(1.0, window / _BINS_PER_WINDOW))


def _highest(bins: Sequence[tuple[float, float]], since: float, size: float) -> float:
    """Of the bins of `size` seconds that reach beyond `since`, or else the newest."""
    return max((load for start, load in bins if start + size > since), default=bins[-1][1])
