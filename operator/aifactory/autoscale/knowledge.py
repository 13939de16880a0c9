"""What the law has learned about a service: what a replica carries, how load behaves, how long a start takes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from itertools import pairwise
from math import isfinite

from aifactory.api.scaling import ScalingBehavior
from aifactory.signals.objectives import Signal
from aifactory.signals.readings import ServiceReadings

from .budget import Budget
from .curve import Curve
from .demand import Demand, Expectation
from .fleet import Fleet
from .ratios import Measure

# A start takes this long until one was seen.
_PRIOR_STARTUP_SECONDS = 120.0
# A replica that was removed too early comes back after a start: windows are longer than that.
_STARTS_PER_WINDOW = 1.25
# The part of a target that the latency of the promised share of requests is steered to.
STEERED_SHARE = 0.9
# Of the loads that were seen, the highest of these ages (seconds) are kept over a restart.
_AGES = (0.0, 300.0, 900.0, 1800.0, 3600.0)
_HIGHEST = 1e15
# Seconds. No request is faster or slower, whatever a histogram says.
_FASTEST = 1e-6
_SLOWEST = 1e6


@dataclass(frozen=True, slots=True)
class Knowledge:
    """All of it. `serving` replicas have been ready without change since `serving_since` (epoch seconds)."""

    curves: Mapping[Signal, Curve] = field(default_factory=dict)
    demand: Demand = field(default_factory=Demand)
    budget: Budget = field(default_factory=Budget)
    startup_seconds: float = _PRIOR_STARTUP_SECONDS
    serving: int = 0
    serving_since: float = 0.0

    def taught(
        self, measures: tuple[Measure, ...], readings: ServiceReadings, fleet: Fleet, behavior: ScalingBehavior
    ) -> "Knowledge":
        """With what one tick says."""
        now, load = readings.time, readings.load
        startup = self.startup_seconds if fleet.startup_seconds is None else fleet.startup_seconds
        known = replace(
            self,
            startup_seconds=startup,
            budget=self.budget.seen(readings.objectives, readings.window_seconds, now),
            curves=self._curves(measures, readings, fleet.ready),
            serving=fleet.ready,
            serving_since=self.serving_since if fleet.ready == self.serving else now,
        )
        if load is None:
            return known
        horizon = startup + readings.window_seconds / 2
        return replace(known, demand=self.demand.seen(load, horizon, known.window(behavior), now))

    def _curves(self, measures: tuple[Measure, ...], readings: ServiceReadings, ready: int) -> Mapping[Signal, Curve]:
        """With latencies under the load of a replica, if all of them have served for the whole window."""
        now, tokens = readings.time, readings.tokens
        settled = ready == self.serving and now - self.serving_since >= readings.window_seconds
        if not tokens or not settled:
            return self.curves
        curves, load = dict(self.curves), tokens / ready
        for one in (one for one in measures if one.latency and (one.value or 0.0) > _FASTEST and not one.vague):
            known, latency, target = curves.get(one.signal), min(one.value or 0.0, _SLOWEST), one.target or 0.0
            curves[one.signal] = (
                known.observed(load, latency, target, now) if known else Curve.begin(load, latency, now)
            )
        return curves

    def window(self, behavior: ScalingBehavior) -> float:
        """Seconds for which all signals have to agree before replicas are removed."""
        asked = behavior.scale_down.stabilization_window.total_seconds()
        return max(asked, _STARTS_PER_WINDOW * self.startup_seconds) if asked else 0.0

    def limit(self, one: Measure, carried: float = 0.0) -> float | None:
        """Tokens per second of one replica at which a latency comes near its target, as far as it is trusted.

        While it is below, `carried` at least, which is the load of a replica now. None where load does not matter, or
        nothing is known.
        """
        return self._limit(one, carried, Curve.limit)

    def line(self, one: Measure, carried: float) -> float | None:
        """The same by the line alone."""
        return self._limit(one, carried, Curve.line)

    def _limit(self, one: Measure, carried: float, of: Callable[[Curve, float], float | None]) -> float | None:
        curve = self.curves.get(one.signal)
        if curve is None or not one.target or one.value is None:
            return None
        target = STEERED_SHARE * one.target
        limit = of(curve, target)
        return max(limit or 0.0, carried) if one.value <= target else limit

    def disproved(self, load: float) -> "Knowledge":
        """Without proof that a replica carries more than `load` (tokens per second)."""
        curves = {signal: replace(curve, proven=min(curve.proven, load)) for signal, curve in self.curves.items()}
        return replace(self, curves=curves)

    def expected(self, attainment: float, behavior: ScalingBehavior, now: float) -> Expectation | None:
        """The load to provide for, if `attainment` (0 to 1) is promised."""
        return self.demand.expected(self.budget.spent(attainment), self.window(behavior), now)

    def saved(self) -> Mapping[str, float]:
        """All that is worth keeping over a restart, by names that `restored` knows; nothing if nothing was learned."""
        found: dict[str, float] = {}
        if self.startup_seconds != _PRIOR_STARTUP_SECONDS:
            found["startupSeconds"] = self.startup_seconds
        if self.budget.requests:
            found |= {f"budget.{name}": getattr(self.budget, name) for name in _BUDGET}
        if self.demand.bins:
            found |= {f"demand.{name}": getattr(self.demand, name) for name in _DEMAND} | self._loads()
        for signal, curve in self.curves.items():
            found |= {f"{signal}.{name}": getattr(curve, name) for name in _CURVE}
        return found

    def _loads(self) -> dict[str, float]:
        """The highest load of each age, which is counted from the last one."""
        found: dict[str, float] = {}
        now = self.demand.bins[-1][0]
        for newest, oldest in pairwise(_AGES):
            loads = [load for start, load in self.demand.bins if newest <= now - start < oldest]
            if loads:
                found[f"demand.{oldest:.0f}"] = max(loads)
        return found

    @classmethod
    def restored(cls, values: Mapping[str, float], now: float) -> "Knowledge":
        """From what `saved` gave; what is missing or not sensible counts as never learned."""
        sane = {name: value for name, value in values.items() if isfinite(value) and abs(value) < _HIGHEST}
        ages = [age for age in reversed(_AGES) if sane.get(f"demand.{age:.0f}", -1.0) >= 0]
        bins = [(now - age, sane[f"demand.{age:.0f}"]) for age in ages]
        own = {name: sane[f"demand.{name}"] for name in _DEMAND if sane.get(f"demand.{name}", -1.0) >= 0}
        spent = [sane.get(f"budget.{name}", 0.0) for name in _BUDGET]
        curves = {signal: curve for signal in Signal if (curve := _curve(sane, signal, now))}
        startup = sane.get("startupSeconds", 0.0)
        return cls(
            curves=curves,
            demand=Demand(tuple(bins), **own),
            budget=Budget(now, *spent) if min(spent) >= 0 else Budget(),
            startup_seconds=startup if startup > 0 else _PRIOR_STARTUP_SECONDS,
        )


_BUDGET = ("requests", "missed")
_DEMAND = ("square", "weight")
_CURVE = tuple(each.name for each in fields(Curve) if each.name != "time")


def _curve(values: Mapping[str, float], signal: Signal, now: float) -> Curve | None:
    own = {name: values[f"{signal}.{name}"] for name in _CURVE if f"{signal}.{name}" in values}
    positive = ("load", "speed", "proven", "weight", "mean_load")
    sensible = len(own) == len(_CURVE) and all(own[name] > 0 for name in positive) and own["variance"] >= 0
    return Curve(time=now, **own) if sensible else None
