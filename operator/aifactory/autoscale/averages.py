"""Averages of the signals, which neither noise nor the past moves far."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import exp

from aifactory.signals.objectives import Signal
from aifactory.signals.readings import ServiceReadings

from .fleet import Fleet
from .ratios import Measure

# The mean is some part of the latency of the slowest that are promised; below this one the rest was spent elsewhere.
_LEAST_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class Averages:
    """Exponential averages; those of signals with nothing to say are forgotten."""

    time: float | None = None
    ratios: Mapping[Signal, float] = field(default_factory=dict)
    in_flight: float | None = None  # requests per ready replica

    def at(self, now: float, window: float, ratios: Mapping[Signal, float], in_flight: float | None) -> "Averages":
        """With the values of this tick; the time constant is half the window, as noisy as a plain mean over it."""
        keep = 0.0 if self.time is None else exp(-max(0.0, now - self.time) / (window / 2))

        def mixed(old: float | None, new: float) -> float:
            return new if old is None else keep * old + (1 - keep) * new

        return Averages(
            now,
            {signal: mixed(self.ratios.get(signal), ratio) for signal, ratio in ratios.items()},
            None if in_flight is None else mixed(self.in_flight, in_flight),
        )

    def elsewhere(self, one: Measure, readings: ServiceReadings, fleet: Fleet) -> bool:
        """Hardly anything of a latency is spent in these replicas, by Little's law: prompts wait for decode."""
        offered = readings.offered.usable
        if not fleet.serial or not one.latency or not offered or self.in_flight is None:
            return False
        return self.in_flight * fleet.ready < _LEAST_SHARE * (one.value or 0.0) * offered
