"""What was learned as names and numbers, so that it outlives the operator."""

from collections.abc import Mapping
from dataclasses import fields
from itertools import pairwise
from math import isfinite
from statistics import fmean
from typing import Any

from aifactory.signals.objectives import Signal

from .budget import Budget
from .curve import Curve, curve_of
from .demand import Demand
from .forecast import SLOTS, Bins, ForecastModel, Season
from .knowledge import PRIOR_STARTUP_SECONDS, Knowledge
from .track import Track

# Of the loads that were seen, the highest of these ages (seconds) are kept.
_AGES = (0.0, 300.0, 900.0, 1800.0, 3600.0)
_HIGHEST = 1e15
_RISE = "load.rise"
# Of a curve: speed falls as load rises, and neither is ever 0.
_OF_EITHER_SIGN = ("covariance",)
_POSITIVE = ("load", "speed", "proven", "weight", "mean_load", "mean_speed")


def saved(known: Knowledge) -> Mapping[str, float]:
    """All that is worth keeping, by names that `restored` knows: at most 100; nothing if nothing was learned."""
    found: dict[str, float] = {}
    if known.started:
        found["startupSeconds"] = known.startup_seconds
    if known.budget.requests:
        found |= _numbers("budget", known.budget)
    if known.demand.bins:
        found |= _loads(known.demand)
    for signal, curve in known.curves.items():
        found |= _numbers(signal, curve)
    for model, track in known.demand.tracks.items():
        found |= _numbers(f"forecast.{model}", track)
    found |= {f"unloaded.{signal}": seconds for signal, seconds in known.beyond.items()}
    slots = enumerate(known.demand.season.slots)
    return found | {f"season.{hour}": load for hour, load in slots if load is not None}


def restored(values: Mapping[str, float], now: float) -> Knowledge:
    """From what `saved` gave; what is missing or not sensible counts as never learned."""
    sane = {name: value for name, value in values.items() if isfinite(value) and abs(value) < _HIGHEST}
    startup = sane.get("startupSeconds", 0.0)
    curves = {signal: curve for signal in Signal if (curve := _curve(sane, signal, now))}
    budget = _read(sane, "budget", Budget)
    return Knowledge(
        curves=curves,
        demand=_demand(sane, now),
        budget=Budget(now, **budget) if budget else Budget(),
        startup_seconds=startup if startup > 0 else PRIOR_STARTUP_SECONDS,
        beyond={signal: sane[f"unloaded.{signal}"] for signal in curves if sane.get(f"unloaded.{signal}", 0.0) > 0},
    )


def _numbers(name: str, of: Any) -> dict[str, float]:
    return {f"{name}.{field}": getattr(of, field) for field in _names(type(of))}


def _read(values: Mapping[str, float], name: str, kind: type[Any]) -> dict[str, float] | None:
    """The fields of a `kind`; None unless all are there and none is negative that cannot be."""
    own = {field: values[f"{name}.{field}"] for field in _names(kind) if f"{name}.{field}" in values}
    sensible = all(value >= 0 or field in _OF_EITHER_SIGN for field, value in own.items())
    return own if sensible and len(own) == len(_names(kind)) else None


def _names(kind: type[Any]) -> list[str]:
    return [field.name for field in fields(kind) if field.name != "time"]


def _loads(demand: Demand) -> dict[str, float]:
    """The highest load of each age, which is counted from the last one, and how it rose."""
    found = {_RISE: demand.rise}
    now = demand.bins[-1][0]
    for newest, oldest in pairwise(_AGES):
        loads = [load for start, load in demand.bins if newest <= now - start < oldest]
        if loads:
            found[f"load.{oldest:.0f}"] = max(loads)
    return found


def _demand(values: Mapping[str, float], now: float) -> Demand:
    """Of an earlier version, which did not keep the rise, all loads are taken to have come at once."""
    ages = [age for age in reversed(_AGES) if values.get(f"load.{age:.0f}", -1.0) >= 0]
    hours = [values.get(f"season.{hour}", -1.0) for hour in range(SLOTS)]
    bins = tuple((now - age, values[f"load.{age:.0f}"]) for age in ages)
    tracks = {model: _track(values, f"forecast.{model}", bins) for model in ForecastModel}
    return Demand(
        bins=bins,
        season=Season(tuple(load if load >= 0 else None for load in hours)),
        tracks={model: track for model, track in tracks.items() if track},
        rise=max(0.0, values.get(_RISE, max((load for _, load in bins), default=0.0))),
    )


def _track(values: Mapping[str, float], name: str, bins: Bins) -> Track | None:
    """One of an earlier version, which did not keep the loads, is taken to be of those that are known."""
    loads = fmean([load**2 for _, load in bins] or [0.0])
    own = _read({f"{name}.loads": loads, **values}, name, Track)
    return Track(**own) if own else None


def _curve(values: Mapping[str, float], signal: Signal, now: float) -> Curve | None:
    own = _read(values, signal, Curve)
    return curve_of(signal)(time=now, **own) if own and all(own[name] > 0 for name in _POSITIVE) else None
