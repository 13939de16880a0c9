"""Every signal as one number that the law compares with two thresholds: how close the service is to a limit."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf

from aifactory.api.scaling import ScalingBehavior
from aifactory.signals.objectives import LATENCIES, Signal
from aifactory.signals.readings import ObjectiveReading, Reading, ServiceReadings, State

# Beyond twice the limit a latency says "far too slow" and not how much too slow.
HIGHEST_RATIO = 2.0
# Share of the room between base latency and target that must be used up before replicas are added.
_ROOM_BEFORE_UP = 0.3


@dataclass(frozen=True, slots=True)
class Measure:
    """A signal against its limit.

    `ratio` is None without a trustworthy value. For latencies it is value / target. For the others, which grow in
    proportion to load, it is scaled so that the limit itself sits on the scale-up threshold. `vague` marks a percentile
    of fewer observations than it takes to have one: in effect the slowest request. `missed`: the percentile of the
    objective is above its target.
    """

    signal: Signal
    state: State
    value: float | None = None
    target: float | None = None
    ratio: float | None = None
    vague: bool = False
    missed: bool = False

    @property
    def latency(self) -> bool:
        """Rises steeply near saturation, and has a floor that replicas cannot lower."""
        return self.signal in LATENCIES

    @property
    def follows_load(self) -> bool:
        """Load alone says what it will be, however that is: it can be learned."""
        return self.latency or self.signal is Signal.KV_CACHE_USAGE


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Ratios above which replicas are added and below which removing them is considered."""

    up: float
    down: float

    @property
    def middle(self) -> float:
        """What a ratio may be predicted to become without some replicas; any higher and noise would bring them back."""
        return (self.up + self.down) / 2

    @classmethod
    def of(cls, behavior: ScalingBehavior, base: float = 0.0) -> "Thresholds":
        """The configured ones, raised where an unloaded request already takes the share `base` (0-1) of its target."""
        up = max(float(behavior.scale_up.threshold), base + _ROOM_BEFORE_UP * (1 - base))
        return cls(up, max(float(behavior.scale_down.threshold), (base + up) / 2))


def measure(behavior: ScalingBehavior, readings: ServiceReadings, ready: int) -> tuple[Measure, ...]:
    """All signals of a service with `ready` (at least 1) serving replicas, objectives first."""
    return tuple(_measures(behavior, readings, ready))


def _measures(behavior: ScalingBehavior, readings: ServiceReadings, ready: int) -> Iterator[Measure]:
    limit_ratio = float(behavior.scale_up.threshold)
    for objective in readings.objectives:
        yield (
            _throughput(objective, readings, limit_ratio)
            if objective.objective.percentile is None
            else _latency(objective)
        )
    yield _proportional(
        Signal.WAITING_REQUESTS, readings.waiting, float(behavior.waiting_per_replica * ready), limit_ratio
    )
    if behavior.running_per_replica:
        limit = float(behavior.running_per_replica * ready)
        yield _proportional(Signal.RUNNING_REQUESTS, readings.running, limit, limit_ratio)
    yield _proportional(Signal.KV_CACHE_USAGE, readings.kv_cache_usage, float(behavior.kv_cache_usage), limit_ratio)


def _latency(reading: ObjectiveReading) -> Measure:
    objective, value = reading.objective, reading.observed.usable
    if value is None:
        return _nothing(objective.signal, reading.observed, objective.target)
    missed = value > objective.target
    if reading.promised is not None and 0 <= reading.promised < inf:
        value = reading.promised
    needed = 1 / (1 - (objective.percentile or 0) / 100)
    ratio = min(HIGHEST_RATIO, value / objective.target)
    return Measure(objective.signal, State.OK, value, objective.target, ratio, reading.observations < needed, missed)


def _throughput(reading: ObjectiveReading, readings: ServiceReadings, limit_ratio: float) -> Measure:
    """Too little is produced only while requests wait."""
    objective, value, waiting = reading.objective, reading.observed.usable, readings.waiting.usable
    if value is None or waiting is None:
        return _nothing(objective.signal, reading.observed if value is None else readings.waiting, objective.target)
    lacking = objective.target / value if value > 0 else HIGHEST_RATIO
    ratio = min(HIGHEST_RATIO, limit_ratio * lacking) if waiting > 0 else 0.0
    return Measure(objective.signal, State.OK, value, objective.target, ratio)


def _proportional(signal: Signal, reading: Reading, limit: float, limit_ratio: float) -> Measure:
    value = reading.usable
    if value is None:
        return _nothing(signal, reading, limit)
    return Measure(signal, State.OK, value, limit, min(HIGHEST_RATIO, limit_ratio * value / limit))


def _nothing(signal: Signal, reading: Reading, target: float) -> Measure:
    return Measure(signal, State.MISSING if reading.state is State.OK else reading.state, target=target)
