"""Models of the load that is to come, from the load that was.

Loads are tokens per second, the highest of each bin of time: (start in epoch seconds, load), oldest first. Every model
is a function of the bins known at a time, so that what it would have said earlier can always be worked out again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from math import expm1, log1p

Bins = Sequence[tuple[float, float]]

# Variances of a minute, relative to that of an observation: load is mostly noise around a level that wanders, and
# changes its slope seldom.
_LEVEL_NOISE = 0.1
_SLOPE_NOISE = 0.005
# A trend does not go on for ever: after this many seconds it has lost two thirds of its slope.
_DAMPING_SECONDS = 600.0
_MINUTE = 60.0
_GAP_SECONDS = 600.0
_DAY = 86400.0
SLOTS = 24
"""The parts of a day."""


class ForecastModel(StrEnum):
    """How the load to come is worked out: as now, as in bursts lately or within the hour, as it grows, as a day ago."""

    CONSTANT = "Constant"
    PEAK = "Peak"
    HOURLY_PEAK = "HourlyPeak"
    TREND = "Trend"
    SEASONAL = "Seasonal"


def highest(bins: Bins, since: float, size: float) -> float:
    """Of the bins of `size` seconds that reach beyond `since`, or else the newest."""
    return max((load for start, load in bins if start + size > since), default=bins[-1][1])


def trend(bins: Bins, horizon: float) -> float:
    """Where a damped local linear trend of the logarithm will be `horizon` seconds after the newest bin.

    A Kalman filter with the state (level, slope per minute). Growth of load is a share of it, hence the logarithm. It
    begins anew where bins are missing for long: nobody knows how load came to what it is then.
    """
    gap = max((at for at in range(1, len(bins)) if bins[at][0] - bins[at - 1][0] > _GAP_SECONDS), default=0)
    bins = bins[gap:]
    time, load = bins[0]
    level, slope = log1p(load), 0.0
    a, b, c = 1.0, 0.0, 0.01
    for start, load in bins[1:]:
        minutes, time = (start - time) / _MINUTE, start
        level += slope * minutes
        a += minutes * (2 * b + minutes * c) + _LEVEL_NOISE * minutes
        b += minutes * c
        c += _SLOPE_NOISE * minutes
        error, gain = log1p(load) - level, 1 / (a + 1)
        level += a * gain * error
        slope += b * gain * error
        a, b, c = a * gain, b * gain, c - b * b * gain
    damped = _DAMPING_SECONDS / _MINUTE * -expm1(-horizon / _DAMPING_SECONDS)
    return max(0.0, expm1(level + slope * damped))


@dataclass(frozen=True, slots=True)
class Season:
    """The highest load of each hour of the day (UTC); that of today replaces that of yesterday.

    `current` and `highest` are the hour that is not over yet; -1 before the first.
    """

    slots: tuple[float | None, ...] = (None,) * SLOTS
    current: int = -1
    highest: float = 0.0

    def seen(self, load: float, now: float) -> "Season":
        """With the load at `now` (epoch seconds)."""
        slot = _slot(now)
        if slot == self.current:
            return replace(self, highest=max(self.highest, load))
        slots = list(self.slots)
        if self.current >= 0:
            slots[self.current] = self.highest
        return Season(tuple(slots), slot, load)

    def forecast(self, time: float) -> float | None:
        """A day before `time` (epoch seconds, within the next day); None if that is not known."""
        return self.slots[_slot(time)]


def _slot(now: float) -> int:
    return int(now % _DAY * SLOTS / _DAY)
