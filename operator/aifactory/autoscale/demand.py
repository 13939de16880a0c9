"""The load to provide for.

What counts is the highest load within the time that a replica takes to start: a replica that is asked for when it is
needed comes too late. Several models say what it will be. Each is judged all the time by what it would have said; the
constant one is believed until another has been clearly cheaper. What is provided for lies above the forecast by some of
the shortfalls that it usually has: the more, the longer a replica takes to start, as long as a shortage lasts, and the
more of the error budget is spent. When that runs short, load is expected to come back to what it was earlier in the
hour, with a margin. But nothing is expected to rise further within a horizon than it lately did: what came slowly has
never needed to be foreseen; and load that has been as high before is not expected to rise from there as it did from
below. A service that keeps its promise is not made more expensive.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import exp

from .forecast import Bins, ForecastModel, Season, highest, trend
from .track import MEMORY_SECONDS, Track

_MOST_BIN_SECONDS = 60.0
_BINS_PER_WINDOW = 2.5
_KEPT_BINS = 256
# Tokens per second. No service has more, whatever a counter says.
_HIGHEST = 1e12
# Shortfalls that are added: some always, one more for each such horizon; more for each error budget that is spent.
_LEAST_SHORTFALLS = 0.8
_HORIZON_PER_SHORTFALL = 350.0
_SHORTFALLS_PER_BUDGET = 2.0
_MOST_SHORTFALLS = 3.0
# Whatever was once short, more than so many times the highest load is not provided for.
_MOST_TIMES = 2.0
# Bursts are looked for in so many windows, or in the hour of the error budget.
_PEAK_WINDOWS = 8.0
_HOUR = 3600.0
# The error budget is short from this share on. When it is gone, load is expected to come back after so many windows,
# and this share of it is added, as what replicas carry between bursts is less than what they carry in them.
_SHORT_FROM = 0.5
_MOST_WINDOWS = 24.0
_MOST_MARGIN = 0.08
# To be believed, a model has to have been judged for so many horizons and seconds, but for no more than half of what is
# remembered of it, and to cost at most this share of the constant one.
_PROBATION_HORIZONS = 5.0
_PROBATION_SECONDS = 600.0
_CHEAPER = 0.75


@dataclass(frozen=True, slots=True)
class Expectation:
    """Tokens per second: the forecast, its usual shortfall, and how much to provide for; `error` as of `Track`."""

    model: ForecastModel
    value: float
    shortfall: float
    upper: float
    error: float


@dataclass(frozen=True, slots=True)
class Demand:
    """The highest load of each minute, newest last: (start in epoch seconds, tokens per second).

    Where windows are short, so are minutes. `rise` is the most by which load was higher than it had been a horizon
    before, forgotten within about an hour.
    """

    bins: tuple[tuple[float, float], ...] = ()
    season: Season = field(default_factory=Season)
    tracks: Mapping[ForecastModel, Track] = field(default_factory=dict)
    rise: float = 0.0

    def seen(self, load: float, horizon: float, window: float, now: float) -> "Demand":
        """With the load of this tick. Forecasts are about `horizon` seconds ahead, the constant one from `window`."""
        demand = self._with(load, horizon, window, now)
        return replace(demand, rise=max(demand.rise, demand._rise(horizon, window)))

    def _with(self, load: float, horizon: float, window: float, now: float) -> "Demand":
        size, load = _bin_seconds(window), min(load, _HIGHEST)
        start = now // size * size
        season = self.season.seen(load, now)
        if self.bins and self.bins[-1][0] >= start:
            newest = (self.bins[-1][0], max(load, self.bins[-1][1]))
            return replace(self, bins=(*self.bins[:-1], newest), season=season)
        if not self.bins:
            return replace(self, bins=((start, load),), season=season)
        kept = exp(-(start - self.bins[-1][0]) / _HOUR) * self.rise
        return Demand((*self.bins, (start, load))[-_KEPT_BINS:], season, self._judged(horizon, window), kept)

    def _rise(self, horizon: float, window: float) -> float:
        """By how much the newest load is higher than the constant model said `horizon` seconds before.

        Where nothing was known by then, by how much it is higher than the oldest.
        """
        (start, load), size = self.bins[-1], _bin_seconds(window)
        known = self._before(start - horizon, size) or self.bins[:1]
        return load - highest(known, start - horizon - window, size)

    def _judged(self, horizon: float, window: float) -> Mapping[ForecastModel, Track]:
        """By the bin that has just ended, with what was known `horizon` before it."""
        (start, load), size = self.bins[-1], _bin_seconds(window)
        known = self._before(start - horizon, size)
        if not known:
            return self.tracks
        found = {model: self._forecast(model, known, start - horizon, horizon, window, size) for model in ForecastModel}
        return {
            model: self.tracks.get(model, Track()).judged(forecast, load, size)
            for model, forecast in found.items()
            if forecast is not None
        }

    def _before(self, time: float, size: float) -> Bins:
        """Those that were over by then."""
        return [one for one in self.bins if one[0] + size <= time]

    def _forecast(
        self, model: ForecastModel, known: Bins, now: float, horizon: float, window: float, size: float
    ) -> float | None:
        """What a model says at `now` of the load `horizon` seconds later, from the bins of `size` known then."""
        match model:
            case ForecastModel.CONSTANT:
                return highest(known, now - window, size)
            case ForecastModel.PEAK:
                return highest(known, now - _PEAK_WINDOWS * window, size)
            case ForecastModel.HOURLY_PEAK:
                return highest(known, now - _HOUR, size)
            case ForecastModel.TREND:
                return min(_HIGHEST, trend(known, now + horizon - known[-1][0]))
            case ForecastModel.SEASONAL:
                return self.season.forecast(now + horizon)

    def expected(self, spent: float, horizon: float, window: float, now: float) -> Expectation | None:
        """What to provide for when the share `spent` of the error budget is gone; None before anything was seen."""
        if not self.bins:
            return None
        model, size = self._believed(horizon, window), _bin_seconds(window)
        value = self._forecast(model, self.bins, now, horizon, window, size)
        recent = highest(self.bins, now - window, size)
        value = recent if value is None else value
        track = self.tracks.get(model, Track())
        shortfall = track.shortfall(value)
        short = _short(spent)
        peak = highest(self.bins, now - window * (1 + short * (_MOST_WINDOWS - 1)), size)
        least = min(peak, recent + self.rise)
        usual, shortfalls = _shortfalls(0.0, horizon) * shortfall, _shortfalls(spent, horizon)
        added = min(shortfalls * shortfall, max(usual, self.rise))
        provided = min(value + added, self._utmost(value, shortfalls, now, size))
        upper = (1 + short * _MOST_MARGIN) * max(least, provided)
        return Expectation(model, value, shortfall, min(_MOST_TIMES * max(value, least), upper), track.error)

    def _utmost(self, value: float, shortfalls: float, now: float, size: float) -> float:
        """The highest load of the hour, or the forecast above it, and so many of the shortfalls that this usually has.

        Load that comes and goes rises from below, and not once more from where it already has been.
        """
        top = highest(self.bins, now - _HOUR, size)
        beyond = self.tracks.get(ForecastModel.HOURLY_PEAK, Track()).shortfall(top)
        return max(value, top) + shortfalls * beyond

    def _believed(self, horizon: float, window: float) -> ForecastModel:
        """The cheapest of those that were judged for long enough, if it is cheaper than the constant one by enough."""
        seconds = max(min(_PROBATION_HORIZONS * horizon, MEMORY_SECONDS / 2), _PROBATION_SECONDS)
        enough = seconds / _bin_seconds(window)
        costs = {model: track.cost for model, track in self.tracks.items() if track.weight >= enough}
        most = _CHEAPER * costs.get(ForecastModel.CONSTANT, 0.0)
        cheaper = [model for model in costs if costs[model] < most]
        return min(cheaper, key=lambda model: costs[model], default=ForecastModel.CONSTANT)


def _short(spent: float) -> float:
    """How short the error budget is, 0 to 1."""
    return min(1.0, max(0.0, spent - _SHORT_FROM) / (1 - _SHORT_FROM))


def _shortfalls(spent: float, horizon: float) -> float:
    """How many of them are added."""
    least = _LEAST_SHORTFALLS + horizon / _HORIZON_PER_SHORTFALL
    return min(_MOST_SHORTFALLS, max(least, _SHORTFALLS_PER_BUDGET * spent))


def _bin_seconds(window: float) -> float:
    return min(_MOST_BIN_SECONDS, max(1.0, window / _BINS_PER_WINDOW))
