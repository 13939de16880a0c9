"""What the law has learned about a service: what a replica carries, how load behaves, how long a start takes."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from math import ceil, inf

from aifactory.api.scaling import ScalingBehavior
from aifactory.signals.objectives import Signal
from aifactory.signals.readings import ServiceReadings

from .budget import Budget
from .curve import STEERED_SHARE, Curve, curve_of
from .demand import Demand, Expectation
from .fleet import Fleet
from .lengths import Lengths
from .ratios import Measure

# A start takes this long until one was seen.
PRIOR_STARTUP_SECONDS = 120.0
# A replica that was removed too early comes back after a start: windows are longer than that.
_STARTS_PER_WINDOW = 1.25
# Seconds. No request is faster or slower, whatever a histogram says.
_FASTEST = 1e-6
_SLOWEST = 1e6
# What misses its target without any load may take so many times as long: replicas are then half busy. It does until it
# would take less than this share of the target.
_OUT_OF_REACH = 2.0
_IN_REACH = 0.75
# Load that is so many times what it was in the last reading rises steeply.
_STEEP = 2.0


@dataclass(frozen=True, slots=True)
class Knowledge:
    """All of it. `serving` replicas have been ready without change since `serving_since` (epoch seconds).

    No number of replicas keeps the targets of the signals `beyond`, which take so many seconds without any load. At
    `queued_at` requests got their first tokens that had waited for longer than that; `late_with` so many replicas
    first tokens began to be late, None if they are not. `load` is asked for now (tokens per second), None if not
    known; a replica has just `carried` so much of it. One that is asked for now carries load that is seen after
    `horizon_seconds`. Curves and start-up time are those of replicas with the fingerprint `capability`, empty if not
    known. `starts` are the seconds that the pods that exist took to become ready for the first time, None as long as
    they did not, 0 if that says nothing of others.
    """

    curves: Mapping[Signal, Curve] = field(default_factory=dict)
    demand: Demand = field(default_factory=Demand)
    lengths: Lengths = field(default_factory=Lengths)
    load: float | None = None
    budget: Budget = field(default_factory=Budget)
    startup_seconds: float = PRIOR_STARTUP_SECONDS
    horizon_seconds: float = PRIOR_STARTUP_SECONDS
    starts: Mapping[str, float | None] = field(default_factory=dict)
    carried: float | None = None
    serving: int = 0
    serving_since: float = 0.0
    queued_at: float = -inf
    beyond: Mapping[Signal, float] = field(default_factory=dict)
    late_with: int | None = None
    capability: str = ""

    def about(self, fleet: Fleet) -> "Knowledge":
        """What holds of replicas as they are now: other ones begin anew, once all of those before are gone."""
        now = fleet.capability
        if not now or fleet.rolling_out or now == self.capability:
            return self
        known = replace(self, capability=now)
        return replace(known, curves={}, startup_seconds=PRIOR_STARTUP_SECONDS, serving=0) if self.capability else known

    def doubtful(self, fleet: Fleet) -> bool:
        """Not all of the replicas that serve may be those that it is about."""
        replaced = fleet.rolling_out and fleet.capability != self.capability
        return fleet.mixed or (replaced and bool(self.capability))

    def taught(
        self, measures: tuple[Measure, ...], readings: ServiceReadings, fleet: Fleet, alone: Mapping[Signal, float]
    ) -> "Knowledge":
        """With what one tick says, and the latencies (seconds) of requests that were `alone`."""
        now, lengths = readings.time, self.lengths.seen(readings)
        load = lengths.asked(readings)
        starts = self._starts(fleet)
        startup = _ninetieth(filter(None, starts.values())) or self.startup_seconds
        late = max((one.value or 0.0 for one in measures if one.signal is Signal.TTFT and one.missed), default=None)
        before = replace(self, queued_at=now) if self._queued(late, fleet, now) else self
        known = replace(
            before,
            startup_seconds=startup,
            starts=starts,
            budget=self.budget.seen(readings.objectives, readings.window_seconds, now),
            curves=before._curves(measures, readings, fleet),
            lengths=lengths,
            load=load,
            carried=(readings.tokens or 0.0) / fleet.ready,
            late_with=None if late is None else self.late_with or fleet.ready,
            serving=fleet.ready,
            serving_since=self.serving_since if fleet.ready == self.serving else now,
        )
        found = ((one.signal, known._out_of_reach(one, alone.get(one.signal, 0.0))) for one in measures)
        known = replace(known, beyond={signal: unloaded for signal, unloaded in found if unloaded})
        if load is None:
            return known
        horizon = startup + readings.window_seconds / 2
        demand = self.demand.seen(load, horizon, known.lookback, now)
        return replace(known, demand=demand, horizon_seconds=horizon)

    def _starts(self, fleet: Fleet) -> Mapping[str, float | None]:
        """With those of new pods. Later a pod may not be ready for a while, which makes its start no longer.

        Of those that served before anything was seen nobody knows that: they took no longer than starts are known to.
        """
        known = bool(self.starts) or not self.started
        longest = inf if known else self.startup_seconds
        first = {pod: None if start is None else min(start, longest) for pod, start in fleet.starts.items()}
        return {pod: start if (before := self.starts.get(pod)) is None else before for pod, start in first.items()}

    def _curves(self, measures: tuple[Measure, ...], readings: ServiceReadings, fleet: Fleet) -> Mapping[Signal, Curve]:
        """With latencies under the load of a replica, if all are alike and have served for the whole window.

        Where load rises steeply, latencies are already those of more than its mean over the window. The tokens of pods
        that are not scraped are missing, and their latencies are not.
        """
        now, tokens = readings.time, readings.tokens
        unlike = self.doubtful(fleet) or len(readings.silent) > fleet.stuck
        if not tokens or not self.settled(readings, fleet) or unlike or fleet.unseen(readings.pods):
            return self.curves
        curves, load = dict(self.curves), tokens / fleet.ready
        if self.carried is not None and load > _STEEP * self.carried:
            return self.curves
        for one in (one for one in measures if one.follows_load and (one.value or 0.0) > _FASTEST and not one.vague):
            known, value, target = curves.get(one.signal), min(one.value or 0.0, _SLOWEST), self.aim(one)
            curves[one.signal] = (
                known.observed(load, value, target, now) if known else curve_of(one.signal).begin(load, value, now)
            )
        return curves

    def unread(self, measures: tuple[Measure, ...], readings: ServiceReadings | None) -> bool:
        """Something by which replicas are removed cannot be read; tokens are, where it was learned what they cost."""
        if readings is None or any(one.state.unknown for one in measures):
            return True
        return bool(self.curves) and any(one.state.unknown for one in readings.counters)

    def settled(self, readings: ServiceReadings, fleet: Fleet) -> bool:
        """The window of the readings is about the replicas that serve now, and about requests that came to them."""
        since = max(self.serving_since, self.queued_at + readings.window_seconds)
        return fleet.ready == self.serving and readings.time - since >= readings.window_seconds

    def _queued(self, late: float | None, fleet: Fleet, now: float) -> bool:
        """Requests are late, by so many seconds, that came when fewer replicas served, and stayed in their queues."""
        return late is not None and fleet.ready == self.serving and now - self.serving_since < late

    def relieved(self, readings: ServiceReadings, fleet: Fleet) -> bool:
        """Requests are late that waited before replicas came, and no more come than are completed."""
        offered, completed = readings.offered.usable, readings.completed.usable
        counted = offered is not None and completed is not None and offered <= completed
        return counted and self.late_with is not None and fleet.ready > self.late_with

    def window(self, behavior: ScalingBehavior) -> float:
        """Seconds for which all signals have to agree before replicas are removed."""
        asked = behavior.scale_down.stabilization_window.total_seconds()
        return max(asked, self.lookback) if asked else 0.0

    @property
    def lookback(self) -> float:
        """Seconds from which load is expected to come back: a replica that it would have kept does not start sooner."""
        return _STARTS_PER_WINDOW * self.startup_seconds

    def _out_of_reach(self, one: Measure, alone: float) -> float | None:
        """The seconds that it takes without any load, if that misses the target; None if not.

        What requests took that were `alone` says so where the slope is not known.
        """
        curve, before = self.curves.get(one.signal), self.beyond.get(one.signal)
        if curve is None or not one.target:
            return None
        seen = min((seconds for seconds in (before, alone) if seconds), default=0.0)
        unloaded = seen if curve.unloaded is None else curve.unloaded
        return unloaded if unloaded > (_IN_REACH if before else 1.0) * one.target else None

    def unreachable(self, one: Measure) -> bool:
        """A latency that would miss its target without any load: no number of replicas keeps it."""
        return one.signal in self.beyond

    def aim(self, one: Measure) -> float:
        """The latency (seconds) to stay below: the target, or what replicas can do where it is out of their reach."""
        return _OUT_OF_REACH * self.beyond[one.signal] if self.unreachable(one) else one.target or 0.0

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
        if curve is None or not one.target:
            return None
        aim = self.aim(one)
        limit = of(curve, aim)
        return max(limit or 0.0, carried) if (one.value or 0.0) <= STEERED_SHARE * aim else limit

    @property
    def started(self) -> bool:
        """Replicas like these have started before."""
        return self.startup_seconds != PRIOR_STARTUP_SECONDS

    def later(self, seconds: float) -> "Knowledge":
        """The same, as old as it is, when the clock shows so much more."""
        return replace(
            self,
            curves={signal: replace(curve, time=curve.time + seconds) for signal, curve in self.curves.items()},
            demand=replace(self.demand, bins=tuple((start + seconds, load) for start, load in self.demand.bins)),
            lengths=replace(self.lengths, time=self.lengths.time + seconds),
            budget=replace(self.budget, time=self.budget.time + seconds),
            serving_since=self.serving_since + seconds,
            queued_at=self.queued_at + seconds,
        )

    def disproved(self, load: float) -> "Knowledge":
        """Without proof that a replica carries more than `load` (tokens per second)."""
        curves = {signal: replace(curve, proven=min(curve.proven, load)) for signal, curve in self.curves.items()}
        return replace(self, curves=curves)

    def expected(self, attainment: float, now: float) -> Expectation | None:
        """The load to provide for, if `attainment` (0 to 1) is promised; None before any load was seen."""
        return self.demand.expected(self.budget.spent(attainment), self.horizon_seconds, self.lookback, now)


def _ninetieth(seconds: Iterable[float]) -> float | None:
    """The 90th percentile of those that were seen, of fewer than ten the longest; None of none."""
    ordered = sorted(seconds)
    return ordered[ceil(0.9 * len(ordered)) - 1] if ordered else None
