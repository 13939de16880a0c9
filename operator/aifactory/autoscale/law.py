"""The control law: one pure function from what is seen and remembered to a number of replicas.

Every signal answers for itself how many replicas it needs; the highest answer counts. More replicas are asked for at
once, within limits; fewer only after every signal has agreed for the whole stabilization window.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from aifactory.api.scaling import ScalingSpec
from aifactory.signals.objectives import Objective, Signal
from aifactory.signals.readings import ServiceReadings, State

from . import carrying, explained, limits, sentences, sizing, zero
from .backlog import Promise
from .decision import Decision, DecisionReason, Recommendation
from .demand import Expectation
from .fleet import Fleet
from .memory import Memory
from .offline import Offline, seen_offline
from .ratios import Measure, Thresholds, measure


def decide_replicas(
    scaling: ScalingSpec,
    objectives: tuple[Objective, ...],
    fleet: Fleet,
    readings: ServiceReadings | None,
    memory: Memory,
    now: float,
    given: ScalingSpec | None = None,
    promise: Promise | None = None,
) -> tuple[Decision, Memory]:
    """Replicas from now on, within minReplicas and maxReplicas, and what to remember.

    `readings` is None when there is no snapshot. `now` is epoch seconds; memory begins as `Memory()`. `given` is the
    spec as written, where `scaling` has other bounds for now: only a change of what is written begins a new watch.
    `promise` is what an offline service has in place of objectives.
    """
    basis = (zero.awake(given or scaling), objectives)
    if zero.asleep(scaling, fleet):
        memory, _ = memory.opened(basis, fleet, now)
        rest = memory.rest.unattended(fleet, now)
        decision = zero.sleeping(rest, now)
        return decision, replace(memory, rest=rest, asked=decision.to)
    memory, adopted = memory.opened(basis, fleet, now)
    decision, memory = _decide(zero.awake(scaling), objectives, fleet, readings, memory, adopted, now, promise)
    memory = replace(memory, rest=memory.rest.seen(fleet, readings, now))
    decision = zero.last_replica(scaling, fleet, decision, memory.rest, now)
    return decision, replace(memory, asked=decision.to)


def _decide(
    scaling: ScalingSpec,
    objectives: tuple[Objective, ...],
    fleet: Fleet,
    readings: ServiceReadings | None,
    memory: Memory,
    adopted: bool,
    now: float,
    promise: Promise | None,
) -> tuple[Decision, Memory]:
    """Of a service that has a replica, or should have one; `adopted` if someone else changed its replicas."""
    memory = memory.short(fleet, now, scaling.behavior)
    if readings is not None and now - readings.time > readings.window_seconds:
        readings = None
    memory = memory.watching(readings)
    fleet = fleet.without(len(limits.stuck(scaling.behavior, memory, now)))
    readings = readings.without(memory.stuck) if readings else None
    offline, memory = seen_offline(promise, readings, fleet, memory)
    found = measure(scaling.behavior, readings, fleet.ready) if readings and fleet.ready else ()
    measures = (offline.measure,) if offline else found
    memory = memory.informed(measures, fleet, now, scaling.behavior)
    if readings and measures:
        memory = memory.averaged(measures, readings, fleet, scaling.behavior)
        memory = memory.alarmed(readings, fleet, now, scaling.behavior)
    attainment = max((one.attainment for one in objectives), default=0.0)
    known = readings is not None and memory.knowledge.load is not None and measures
    expected = memory.knowledge.expected(attainment, now) if known else None
    tick = _Tick(scaling, fleet, readings, measures, expected, now, offline)
    answers = tick.answers(memory)
    choice, memory = tick.choose(answers, memory, adopted)
    if readings is not None and choice.to < fleet.replicas:
        memory = memory.left(readings.work)
    decision = tick.decision(choice, answers, memory)
    return offline.explained(decision, scaling.min_replicas, memory.knowledge.load) if offline else decision, memory


@dataclass(frozen=True, slots=True)
class _Choice:
    to: int
    reason: DecisionReason
    signal: Signal | None = None
    limited_by: DecisionReason | None = None


@dataclass(frozen=True, slots=True)
class _Tick:
    """What one decision looks at; `measures` is empty when nothing can be read."""

    scaling: ScalingSpec
    fleet: Fleet
    readings: ServiceReadings | None
    measures: tuple[Measure, ...]
    expected: Expectation | None
    now: float
    offline: Offline | None = None

    def choose(self, answers: Mapping[Signal, int], memory: Memory, adopted: bool) -> tuple[_Choice, Memory]:
        """Bounds first, then the signals' answers, then what is kept when there are none."""
        current = self.fleet.replicas
        bounded = min(max(current, self.scaling.min_replicas), self.scaling.max_replicas)
        if bounded != current:
            return _Choice(bounded, DecisionReason.BOUNDS_CHANGED), memory
        if not answers:
            return self._uninformed(memory), memory
        signal = max(answers, key=lambda name: answers[name])
        work = self.readings.work if self.readings else None
        if not self.offline and self._troubled(memory):
            memory = memory.regretting(self.fleet, answers[signal], work, self.now, self.scaling.behavior)
        wanted = max(answers[signal], memory.fits(work, current, self.now), self.scaling.min_replicas)
        memory = memory.recommending(wanted, self.now)
        if wanted > current:
            return self._up(wanted, signal, memory), memory
        choice = self._down(wanted, memory) if wanted < current else _Choice(current, self._steady(answers, memory))
        if adopted and choice.to == current:
            choice = _Choice(current, DecisionReason.ADOPTED_REPLICAS)
        return choice, memory

    def answers(self, memory: Memory) -> Mapping[Signal, int]:
        """Replicas that each signal needs; those that know nothing, or that replicas cannot help, are left out."""
        found = ((one.signal, self._answer(one, memory)) for one in self.measures)
        return {signal: answer for signal, answer in found if answer is not None}

    def _answer(self, one: Measure, memory: Memory) -> int | None:
        idle = one.state is State.IDLE
        if (one.ratio is None and not idle) or self._infeasible(one, memory):
            return None
        if self.offline:
            return self.offline.replicas
        if self.readings and self.expected and one.signal in memory.knowledge.curves:
            return self._carried(one, self.readings, self.expected, memory)
        if one.ratio is None:
            return self.scaling.min_replicas
        base = self._base(one, memory)
        bounds = Thresholds.of(self.scaling.behavior, base or 0.0)
        if self._rising(one, memory) > bounds.up:
            return self._more(one, bounds, memory)
        highest = max(one.ratio, memory.averages.ratios[one.signal])
        if highest < bounds.down:
            return min(self.fleet.replicas, sizing.fewest(self.fleet, highest, bounds, base))
        return self.fleet.replicas

    def _carried(self, one: Measure, readings: ServiceReadings, expected: Expectation, memory: Memory) -> int | None:
        """By what was learned; requests that run one at a time get no faster by more replicas."""
        replicas = carrying.replicas(one, readings, self.fleet, memory.knowledge, expected)
        if replicas is None:
            return None
        rising = self._rising(one, memory)
        if one.missed and rising > 1.0 and not carrying.awaited(one, readings, self.fleet, memory.knowledge):
            replicas = max(replicas, sizing.grown(self.fleet, rising, 1.0))
        return min(replicas, self.fleet.replicas) if self._alone(memory) else replicas

    def _alone(self, memory: Memory) -> bool:
        """Requests run one at a time, so that more replicas would not make them faster."""
        waiting, in_flight = self.readings.waiting.usable if self.readings else None, memory.averages.in_flight
        return in_flight is not None and in_flight <= self.fleet.alone and not waiting

    def _troubled(self, memory: Memory) -> bool:
        """Something is above its limit, and not only expected to be."""
        found = ((self._rising(one, memory), self._base(one, memory)) for one in self.measures)
        return any(rising > Thresholds.of(self.scaling.behavior, base or 0.0).up for rising, base in found)

    def _rising(self, one: Measure, memory: Memory) -> float:
        """What has to be above the threshold: the average and the value now, so that neither noise nor the past counts.

        In panic the value now is enough.
        """
        if one.ratio is None:
            return 0.0
        return one.ratio if self.now < memory.panic_until else min(one.ratio, memory.averages.ratios[one.signal])

    def _more(self, one: Measure, bounds: Thresholds, memory: Memory) -> int:
        if one.signal is Signal.WAITING_REQUESTS and self.readings:
            completed, offered = self.readings.completed.usable or 0.0, self.readings.offered.usable or 0.0
            seconds = self.scaling.behavior.scale_up.period.total_seconds()
            return sizing.draining(
                self.fleet, one.value or 0.0, one.target or 0.0, completed, offered - completed, seconds
            )
        if one.latency and self._alone(memory):
            return self.fleet.replicas
        wanted = sizing.grown(self.fleet, self._rising(one, memory), bounds.up)
        return min(wanted, max(self.fleet.replicas, self.fleet.ready + 1)) if one.vague else wanted

    def _up(self, wanted: int, signal: Signal, memory: Memory) -> _Choice:
        most, limit = limits.ceiling(self.scaling, self.fleet, memory, self.now)
        limited_by = limit if most < wanted else None
        if limited_by and most <= self.fleet.replicas:
            return _Choice(self.fleet.replicas, limited_by, signal, limited_by)
        return _Choice(min(wanted, most), DecisionReason.SCALE_UP, signal, limited_by)

    def _down(self, wanted: int, memory: Memory) -> _Choice:
        current = self.fleet.replicas
        refused = limits.refusal(self.scaling, self.fleet, self.readings, self.measures, memory, self.now)
        if refused:
            return _Choice(current, refused, limited_by=refused)
        agreed = max(wanted, memory.highest_recommended())
        if agreed >= current:
            return _Choice(current, DecisionReason.STABILIZATION_WINDOW, limited_by=DecisionReason.STABILIZATION_WINDOW)
        fewest = limits.floor(self.scaling, self.fleet, memory, self.now)
        limited_by = DecisionReason.SCALE_DOWN_PERIOD if fewest > agreed else None
        if limited_by and fewest >= current:
            return _Choice(current, limited_by, limited_by=limited_by)
        idle = self.readings is not None and self.readings.idle
        reason = DecisionReason.IDLE if idle else DecisionReason.SCALE_DOWN
        return _Choice(max(agreed, fewest), reason, limited_by=limited_by)

    def _steady(self, answers: Mapping[Signal, int], memory: Memory) -> DecisionReason:
        """Why the signals ask for just the replicas that are there."""
        if self.offline and self.offline.held:
            return DecisionReason.REQUESTS_QUEUED
        bounds = {
            one.signal: Thresholds.of(self.scaling.behavior, self._base(one, memory) or 0.0) for one in self.measures
        }
        if any(self._rising(one, memory) > bounds[one.signal].up for one in self.measures if one.signal in answers):
            if memory.shortage_at == self.now:
                return DecisionReason.GPU_SHORTAGE
            return DecisionReason.SCALING_IN_PROGRESS if self.fleet.pending else DecisionReason.WITHIN_TARGET
        if self.fleet.replicas == self.scaling.min_replicas:
            return DecisionReason.AT_MINIMUM
        ratios = {one.signal: one.ratio for one in self.measures if one.ratio is not None and one.signal in answers}
        quiet = all(ratio < bounds[signal].down for signal, ratio in ratios.items())
        return DecisionReason.CONSOLIDATION_REFUSED if quiet else DecisionReason.WITHIN_TARGET

    def _uninformed(self, memory: Memory) -> _Choice:
        """Hold; after a long time, the fallback if it is higher."""
        current, fallback = self.fleet.replicas, self.scaling.fallback
        if not self.fleet.ready:
            return _Choice(current, DecisionReason.NO_REPLICA_READY)
        if fallback and self.now - memory.informed_at >= fallback.after.total_seconds() and fallback.replicas > current:
            most, limit = limits.ceiling(self.scaling, self.fleet, memory, self.now)
            limited_by = limit if most < fallback.replicas else None
            return _Choice(min(most, fallback.replicas), DecisionReason.FALLBACK, limited_by=limited_by)
        return _Choice(current, limits.blindness(self.readings, self.measures))

    @staticmethod
    def _base(one: Measure, memory: Memory) -> float | None:
        """Share of its target that a latency takes unloaded, 0 if not known yet; None for the other signals."""
        return memory.base.get(one.signal, 0.0) / (one.target or 1.0) if one.latency else None

    def _infeasible(self, one: Measure, memory: Memory) -> bool:
        return (self._base(one, memory) or 0.0) >= 1.0

    def decision(self, choice: _Choice, answers: Mapping[Signal, int], memory: Memory) -> Decision:
        """The choice with everything that explains it."""
        averages = memory.averages.ratios
        recommendations = tuple(
            Recommendation(
                one.signal, one.state, one.value, one.target, averages.get(one.signal), answers.get(one.signal)
            )
            for one in self.measures
        )
        return Decision(
            from_=self.fleet.replicas,
            to=choice.to,
            reason=choice.reason,
            message=sentences.message(self.fleet.replicas, choice.to, choice.reason, choice.signal, recommendations),
            signal=choice.signal,
            limited_by=choice.limited_by,
            recommendations=recommendations,
            infeasible=tuple(one.signal for one in self.measures if self._infeasible(one, memory)),
            gpu_shortage=memory.shortage_at == self.now,
            engine_stalled=limits.stalled(self.scaling.behavior, memory, self.now),
            overdue_pods=self.fleet.overdue,
            stuck_pods=limits.stuck(self.scaling.behavior, memory, self.now),
            capacity=explained.capacity(self.measures, self.readings, memory.knowledge),
            forecast=explained.forecast(self.measures, memory.knowledge, self.expected),
            rejected=tuple(
                explained.rejected(
                    choice.to,
                    max(answers.values(), default=choice.to),
                    choice.limited_by,
                    self.scaling.min_replicas,
                    self.measures,
                    self.expected,
                    memory.knowledge,
                )
            ),
        )
