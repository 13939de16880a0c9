"""What the law remembers of a service from tick to tick, a value with methods that return new ones. Epoch seconds."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import ceil, exp

from aifactory.api.scaling import ScalingBehavior, ScalingSpec
from aifactory.signals.objectives import Objective, Signal
from aifactory.signals.readings import ServiceReadings, State

from .averages import Averages
from .backlog import Backlog
from .fleet import Fleet
from .knowledge import Knowledge
from .moved import Moved
from .ratios import Measure
from .recommended import MOST_ENTRIES, Recommended
from .saved import restored, saved
from .zero import Rest

Basis = tuple[ScalingSpec, tuple[Objective, ...]]

# The base latency follows slower prompts with this time constant; faster ones count at once.
_BASE_SECONDS = 300.0
# A scale-down that was taken back is tried again after this many windows, then after twice that, and so on, or when
# load is this much lower: what was learned must have been wrong, and would cost the objective every time.
_TAKEN_BACK_WINDOWS = 6
_REGRET_WINDOWS = 12
_LONGEST_REGRET = 86_400.0
_REGRET_SHARE = 0.9
# Load that is this much higher than at the scale-down is the cause of the replicas that come back.
_GROWN = 1.05
_BASE = "base."


@dataclass(frozen=True, slots=True)
class Change:
    """Replicas of the Deployment changed by `by`, noticed at `time`."""

    time: float
    by: int


@dataclass(frozen=True, slots=True)
class Regret:
    """A scale-down that had to be taken back at `time` though load had not grown; not to be repeated for `seconds`.

    `work` of one replica (as of `ServiceReadings.work`) was too much.
    """

    time: float
    seconds: float
    work: float


@dataclass(frozen=True, slots=True)
class Memory:
    """All of it, bounded in size. It was decided last at `decided_at`, `tick` seconds after the time before.

    `watched_since`: beginning of the unbroken watch that a scale-down needs. `changes` newest last. `base`: seconds
    that an unloaded request takes. `left_work`: the work for which replicas were last removed. `stalled_since`:
    requests wait, no token comes out; replicas were `stalled_replicas` then. `stuck` pods do so on their own, since
    when. `claimed` is the number that somebody else has set since the last tick.
    """

    basis: Basis | None = None
    decided_at: float | None = None
    tick: float = 0.0
    watched_since: float = 0.0
    blind_since: float | None = None
    informed_at: float = 0.0
    replicas: int | None = None
    asked: int | None = None
    claimed: int | None = None
    changes: tuple[Change, ...] = ()
    recommended: Recommended = field(default_factory=Recommended)
    averages: Averages = field(default_factory=Averages)
    base: Mapping[Signal, float] = field(default_factory=dict)
    knowledge: Knowledge = field(default_factory=Knowledge)
    regret: Regret | None = None
    left_work: float | None = None
    light_since: float | None = None
    panic_until: float = 0.0
    stalled_since: float | None = None
    stalled_replicas: int = 0
    stuck: Mapping[str, float] = field(default_factory=dict)
    shortage_at: float | None = None
    rest: Rest = field(default_factory=Rest)
    backlog: Backlog = field(default_factory=Backlog)

    def opened(self, basis: Basis, fleet: Fleet, bounds: ScalingSpec, now: float) -> tuple["Memory", Moved | None]:
        """At the beginning of a tick: what changed since the last; and whether replicas did, but not by a decision."""
        memory, other = self._about(fleet)
        window = self.knowledge.window(basis[0].behavior)
        kept = max(_longest_period(basis[0].behavior), _TAKEN_BACK_WINDOWS * window)
        changed = self.replicas is not None and fleet.replicas != self.replicas
        moved = None
        if self.replicas is not None and fleet.replicas not in (self.replicas, self.asked):
            moved = Moved.to(fleet.replicas, self.replicas, bounds, self.claimed)
        others = moved is not None and moved.others
        afresh = self.decided_at is None or others or other or self.basis != basis
        log = (*self.changes, Change(now, fleet.replicas - (self.replicas or 0))) if changed else self.changes
        memory = replace(
            memory,
            basis=basis,
            decided_at=now,
            watched_since=now if afresh else self.watched_since,
            informed_at=now if self.decided_at is None else self.informed_at,
            replicas=fleet.replicas,
            claimed=None,
            changes=_merged(tuple(change for change in log if now - change.time < kept)),
            recommended=self.recommended.at(now) if self.basis == basis else Recommended(),
        )
        return memory, moved

    def _about(self, fleet: Fleet) -> tuple["Memory", bool]:
        """Without what was learned of other replicas than there are now, and whether there was any."""
        knowledge = self.knowledge.about(fleet)
        if knowledge is self.knowledge:
            return self, False
        memory = replace(self, knowledge=knowledge)
        if self.knowledge.capability in ("", knowledge.capability):
            return memory, False
        return replace(memory, base={}, regret=None, left_work=None, backlog=Backlog()), True

    def informed(
        self,
        measures: tuple[Measure, ...],
        readings: ServiceReadings | None,
        fleet: Fleet,
        now: float,
        behavior: ScalingBehavior,
    ) -> "Memory":
        """Whether signals are known; to be without one, a pod or any token for an averaging window breaks the watch."""
        known = any(measure.state in (State.OK, State.IDLE) for measure in measures) or not fleet.ready
        informed_at = now if known else self.informed_at
        partial = readings is not None and (fleet.unseen(readings.pods) or readings.silenced)
        if not measures or self.knowledge.unread(measures, readings) or partial:
            blind_since = now if self.blind_since is None else self.blind_since
            return replace(self, informed_at=informed_at, blind_since=blind_since)
        missed = self.blind_since is not None and now - self.blind_since > behavior.averaging_window.total_seconds()
        watched_since = now if missed else self.watched_since
        return replace(self, informed_at=informed_at, blind_since=None, watched_since=watched_since)

    def averaged(
        self, measures: tuple[Measure, ...], readings: ServiceReadings, fleet: Fleet, behavior: ScalingBehavior
    ) -> "Memory":
        """With this tick's readings in the averages, and what they teach."""
        now, running, waiting, ready = readings.time, readings.running.usable, readings.waiting.usable, fleet.ready
        in_flight = None if running is None or not ready else (running + (waiting or 0.0)) / ready
        ratios = {measure.signal: measure.ratio for measure in measures if measure.ratio is not None}
        averages = self.averages.at(now, behavior.averaging_window.total_seconds(), ratios, in_flight)
        load, gap = averages.in_flight, now - (self.averages.time or now) > readings.window_seconds
        light = load is not None and load <= fleet.alone and not waiting
        light_since = (now if gap or self.light_since is None else self.light_since) if light else None
        settled = light_since is not None and now - light_since >= readings.window_seconds
        own = tuple(one for one in measures if not averages.elsewhere(one, readings, fleet))
        base = self._base(own, settled, now - (self.averages.time or now))
        return replace(
            self,
            knowledge=self.knowledge.taught(own, self._judged(measures, readings), fleet, base),
            averages=averages,
            light_since=light_since,
            base=base,
        )

    def infeasible(self, one: Measure) -> bool:
        """Replicas cannot keep it: one request alone already misses it, or what was learned says so of any load."""
        return self.slow_alone(one) or self.knowledge.unreachable(one)

    def alone(self, one: Measure) -> float | None:
        """Share of its target that a latency takes unloaded, 0 if not known yet; None for the other signals."""
        return self.base.get(one.signal, 0.0) / (one.target or 1.0) if one.latency else None

    def slow_alone(self, one: Measure) -> bool:
        """One request alone already misses it, and nothing was learned of others."""
        return (self.alone(one) or 0.0) >= 1.0 and one.signal not in self.knowledge.curves

    def _judged(self, measures: tuple[Measure, ...], readings: ServiceReadings) -> ServiceReadings:
        """With the objectives that replicas can keep: others would spend a budget that nobody has."""
        never = {one.signal for one in measures if self.infeasible(one)}
        kept = tuple(one for one in readings.objectives if one.objective.signal not in never)
        return replace(readings, objectives=kept) if never else readings

    def _base(self, measures: tuple[Measure, ...], settled: bool, seconds: float) -> Mapping[Signal, float]:
        base = dict(self.base)
        for measure in (measure for measure in measures if measure.latency and measure.value is not None):
            value, known = measure.value or 0.0, base.get(measure.signal)
            if known is not None and (settled or value < known):
                weight = 1.0 if value < known else 1 - exp(-max(0.0, seconds) / _BASE_SECONDS)
                base[measure.signal] = known + weight * (value - known)
            elif settled:
                base[measure.signal] = value
        return base

    def alarmed(self, readings: ServiceReadings, fleet: Fleet, now: float, behavior: ScalingBehavior) -> "Memory":
        """With panic and stall as of this tick."""
        waiting, tokens = readings.waiting, readings.generation_tokens
        completed, offered = readings.completed.usable, readings.offered.usable
        load = self.averages.in_flight or 0.0
        burst = offered is not None and completed is not None and offered > behavior.scale_up.panic_factor * completed
        hold = behavior.scale_up.panic_hold.total_seconds()
        stuck = readings.live_tokens and bool(waiting.usable) and tokens.usable == 0
        unsure = waiting.state.unknown or tokens.state.unknown
        begun = stuck and self.stalled_since is None
        return replace(
            self,
            panic_until=now + hold if burst and load > 1 else self.panic_until,
            stalled_since=now if begun else self.stalled_since if stuck or unsure else None,
            stalled_replicas=fleet.replicas if begun else self.stalled_replicas,
        )

    def watching(self, readings: ServiceReadings | None) -> "Memory":
        """With the pods that are stuck now, while others make tokens; without readings those of before."""
        if readings is None:
            return self
        begins = bool(readings.generation_tokens.usable)
        found = [pod for pod in sorted(readings.silent) if begins or pod in self.stuck]
        alone = len(found) == len(readings.pods)
        stuck = {} if alone else {pod: self.stuck.get(pod, readings.time) for pod in found}
        return self if stuck == self.stuck else replace(self, stuck=stuck)

    def learned(self) -> Mapping[str, float]:
        """What a restart should not lose: short names to numbers, at most 100."""
        base = {f"{_BASE}{signal}": seconds for signal, seconds in self.base.items()}
        return {**saved(self.knowledge), **self.backlog.saved(), **base}

    def restored(self, values: Mapping[str, float], now: float, capability: str = "") -> "Memory":
        """With what `learned` gave before a restart, of replicas with the fingerprint `capability`.

        Names that are not known and values that cannot be are ignored.
        """
        base = {signal: values.get(f"{_BASE}{signal}", 0.0) for signal in Signal}
        return replace(
            self,
            base={**self.base, **{signal: value for signal, value in base.items() if value > 0}},
            knowledge=replace(restored(values, now), capability=capability),
            backlog=Backlog.restored(values),
        )

    def short(self, fleet: Fleet, now: float, behavior: ScalingBehavior) -> "Memory":
        """With GPU shortage as of this tick."""
        since = fleet.unschedulable_since
        waited = since is not None and now - since >= behavior.gpu_shortage_after.total_seconds()
        return replace(self, shortage_at=now) if waited else self

    def left(self, work: float | None) -> "Memory":
        """With the work (as of `ServiceReadings.work`) for which replicas were removed."""
        return replace(self, left_work=work)

    def regretting(
        self, fleet: Fleet, wanted: int, work: float | None, now: float, behavior: ScalingBehavior
    ) -> "Memory":
        """If more are wanted soon after a scale-down though work has not grown, it was too much for a replica."""
        window = self.knowledge.window(behavior)
        lately = [change for change in self.changes if now - change.time <= _TAKEN_BACK_WINDOWS * window]
        taken_back = wanted > fleet.replicas and fleet.ready and lately and lately[-1].by < 0
        if not taken_back or not work or self.left_work is None or work > _GROWN * self.left_work:
            return self
        before = self.regret
        again = before is not None and now - before.time <= 2 * before.seconds
        seconds = min(2 * before.seconds, _LONGEST_REGRET) if before and again else _REGRET_WINDOWS * window
        too_much = work / fleet.ready
        knowledge = self.knowledge.disproved(_REGRET_SHARE * too_much)
        return replace(self, regret=Regret(now, seconds, too_much), knowledge=knowledge)

    def fits(self, work: float | None, replicas: int, now: float) -> int:
        """The replicas that keep clear of what was too much before, at most the present ones."""
        regret = self.regret
        fitting = _REGRET_SHARE * regret.work if regret and now - regret.time <= regret.seconds else 0.0
        return ceil(min(work / fitting, replicas)) if work and fitting else 0

    def changed(self, seconds: float, now: float, direction: int) -> int:
        """Replicas added (direction 1) or removed (-1) in the last `seconds`."""
        return sum(
            abs(change.by) for change in self.changes if now - change.time < seconds and change.by * direction > 0
        )


def _longest_period(behavior: ScalingBehavior) -> float:
    return max(behavior.scale_up.period, behavior.scale_down.period).total_seconds()


def _merged(changes: tuple[Change, ...]) -> tuple[Change, ...]:
    """Bounded: in the oldest surplus, changes of one direction count as one at their latest time."""
    if len(changes) <= MOST_ENTRIES:
        return changes
    surplus = changes[: len(changes) - MOST_ENTRIES + 2]
    ups, downs = [c for c in surplus if c.by > 0], [c for c in surplus if c.by < 0]
    merged = [Change(group[-1].time, sum(change.by for change in group)) for group in (ups, downs) if group]
    return (*sorted(merged, key=lambda change: change.time), *changes[len(surplus) :])
