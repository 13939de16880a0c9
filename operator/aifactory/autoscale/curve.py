"""How a latency depends on load, learned while serving.

An engine with continuous batching spends each iteration on a fixed part and on tokens. With x tokens per second and w
seconds of work per token, an iteration, and with it every latency that consists of iterations, takes L0 / (1 - w x).
So 1 / latency falls on a straight line with load, which few observations determine. What requests hold for as long as
they take, such as KV cache, fills with load times latency, so load / filled falls on a straight line as well.
"""

from dataclasses import dataclass, replace
from math import exp, inf
from typing import ClassVar

from aifactory.signals.objectives import Signal

_SLOPE_SECONDS = 3600.0
# The prior counts for as much as this many observations of a load that varies by this share.
_PRIOR_OBSERVATIONS = 8.0
_PRIOR_SPREAD = 0.2
# Beyond the highest load that went well the line is believed up to this, and not below that: in small steps, what the
# line does not know is tried.
_BEYOND = 2.0
_STEP = 1.1
# However slow it is, a replica is not taken to carry less than this share of its load: queues make it look worse.
_LEAST = 0.45
_KNOWN = 0.5
STEERED_SHARE = 0.9
"""The part of a target that the latency of the promised share of requests is steered to."""
# A slope below this share of the prior's is no slope: load does not explain this latency.
_FLAT = 0.1


@dataclass(frozen=True, slots=True)
class Curve:
    """Exponentially weighted moments of load (tokens per second of one replica) and 1 / latency (per second).

    The latency is that of the promised share of requests. `proven` is the highest load at which it was kept. The slope
    is remembered for an hour, the level, which follows the lengths of requests, for a shorter time. Until load has
    varied, a replica is taken to be this busy: most engines are kept near it, and too high is safe.
    """

    _LEVEL_SECONDS: ClassVar[float] = 120.0
    _PRIOR_BUSY: ClassVar[float] = 0.6

    time: float
    load: float
    speed: float
    proven: float
    weight: float = 1.0
    mean_load: float = 0.0
    mean_speed: float = 0.0
    variance: float = 0.0
    covariance: float = 0.0

    @classmethod
    def begin(cls, load: float, value: float, now: float) -> "Curve":
        """From one observation, a load (tokens per second) and the value under it, at `now` (epoch seconds)."""
        speed = cls.speed_of(load, value)
        return cls(now, load, speed, load, mean_load=load, mean_speed=speed)

    @classmethod
    def speed_of(cls, load: float, value: float) -> float:
        """What falls on a straight line with load, of one observation."""
        return 1 / value

    def observed(self, load: float, value: float, target: float, now: float) -> "Curve":
        """With one more observation; `target` is what has to be kept.

        However long nothing was observed, the level does not follow one alone: the first request may be a slow one.
        """
        passed, speed = max(0.0, now - self.time), self.speed_of(load, value)
        level = 1 - exp(-min(1.0, passed / self._LEVEL_SECONDS))
        keep = exp(-passed / _SLOPE_SECONDS)
        weight = keep * self.weight + 1
        from_load, from_speed = load - self.mean_load, speed - self.mean_speed
        kept = keep * self.weight / weight
        return replace(
            self,
            time=now,
            load=self.load + level * (load - self.load),
            speed=self.speed + level * (speed - self.speed),
            weight=weight,
            mean_load=self.mean_load + from_load / weight,
            mean_speed=self.mean_speed + from_speed / weight,
            variance=kept * (self.variance + from_load**2 / weight),
            covariance=kept * (self.covariance + from_load * from_speed / weight),
        )._proved(load, value, target)

    def _proved(self, load: float, value: float, target: float) -> "Curve":
        """A load is proven by one observation, and disproved by those of some time."""
        if self.at(self.load) > target:
            return replace(self, proven=min(self.proven, self.load))
        return replace(self, proven=max(self.proven, load)) if value <= target else self

    @property
    def confidence(self) -> float:
        """0 to 1: the part of the slope that was seen and not assumed."""
        seen = self.weight * self.variance
        return seen / (seen + self._prior_weight) if seen else 0.0

    @property
    def slope(self) -> float:
        """By how much the speed falls for each token per second, at least 0.

        A speed that falls with the load does so for another reason, such as a queue that grows, and says no more of
        load than one that stays.
        """
        seen = max(0.0, -self.covariance / self.variance) if self.variance else 0.0
        return self.confidence * seen + (1 - self.confidence) * self._prior_slope

    @property
    def known(self) -> bool:
        """More of the slope was seen than is assumed."""
        return self.confidence >= _KNOWN

    @property
    def unloaded(self) -> float | None:
        """Seconds without any load; None while more of the slope is assumed than was seen."""
        return 1 / (self.speed + self.slope * self.load) if self.known else None

    def line(self, target: float) -> float | None:
        """Tokens per second of one replica at which the value comes near `target`; infinite if at no load.

        None if it is above already, and load does not explain it.
        """
        room, falls = self._room(target), self.slope + self._needed_more(target)
        if falls <= _FLAT * self._prior_slope:
            return inf if room >= 0 else None
        found = self.load + room / falls
        if room >= 0:
            return max(found, _STEP * self._shown)
        return max(_LEAST * self.load, found, self._shown if self.at(self.load) <= target else 0.0)

    def limit(self, target: float) -> float | None:
        """As `line`, but not far beyond what went well: what a replica may be trusted with."""
        line = self.line(target)
        if line is None or self._room(target) < 0:
            return line
        return min(line, _BEYOND * self.proven)

    def at(self, load: float) -> float:
        """The value that is predicted for a load; infinite beyond what a replica can carry."""
        speed = self._speed_at(load)
        return 1 / speed if speed > 0 else inf

    def _speed_at(self, load: float) -> float:
        return self.speed - self.slope * (load - self.load)

    @property
    def _shown(self) -> float:
        """The load of which it was shown that it goes well, whatever the line says."""
        return self.proven

    def _room(self, target: float) -> float:
        """The speed above what it takes to stay near the target at the present load."""
        return self.speed - self.speed_of(self.load, STEERED_SHARE * target)

    def _needed_more(self, target: float) -> float:
        """By how much more speed it takes for each token per second more."""
        return 0.0

    @property
    def _prior_slope(self) -> float:
        """Of an engine that is busy for so much of its time at the usual load."""
        busy = self._PRIOR_BUSY
        return self.mean_speed / self.mean_load * busy / (1 - busy) if self.mean_load else 0.0

    @property
    def _prior_weight(self) -> float:
        return _PRIOR_OBSERVATIONS * (_PRIOR_SPREAD * max(self.mean_load, self.proven)) ** 2


@dataclass(frozen=True, slots=True)
class Filling(Curve):
    """How full something is that requests hold (0 to 1), as a curve; the speed is the load that would fill it.

    It is read at a moment, and not from all requests of a window; and it may well be filled by requests that hardly
    slow each other down.
    """

    _LEVEL_SECONDS: ClassVar[float] = 300.0
    _PRIOR_BUSY: ClassVar[float] = 0.5

    @classmethod
    def speed_of(cls, load: float, value: float) -> float:
        """Tokens per second for all of it."""
        return load / value

    def at(self, load: float) -> float:
        """The share that is predicted for a load; infinite beyond what a replica can carry."""
        speed = self._speed_at(load)
        return load / speed if speed > 0 else inf

    def _needed_more(self, target: float) -> float:
        return 1 / (STEERED_SHARE * target)

    @property
    def _shown(self) -> float:
        """None: it fills only once requests have come for as long as they take, and a burst is over before."""
        return 0.0


def curve_of(signal: Signal) -> type[Curve]:
    """The kind of curve on which the values of a signal fall."""
    return Filling if signal is Signal.KV_CACHE_USAGE else Curve
