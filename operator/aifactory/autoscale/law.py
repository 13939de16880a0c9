"""The control law: one pure function from what is seen and remembered to a number of replicas.

Every signal answers for itself how many replicas it needs; the highest answer counts. More replicas are asked for at
once, within limits; fewer only after every signal has agreed for the whole stabilization window, and a few of many not
before it is clear that no more follow.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from aifactory.api.scaling import ScalingSpec
from aifactory.signals.objectives import Objective, Signal
from aifactory.signals.readings import ServiceReadings

from . import explained, limits, sentences, zero
from .backlog import Promise
from .decision import Answer, Cause, Decision, DecisionReason
from .fleet import Fleet
from .memory import Memory
from .moved import Moved
from .offline import seen_offline
from .ratios import measure
from .recommended import Recommended
from .resumed import resumed
from .tick import Tick

# Removing fewer replicas, or a smaller share of them, is a small step.
_SMALL_STEP = 2
_SMALL_SHARE = 0.25
# It waits for at most so many windows.
_SMALL_WINDOWS = 4.0


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
    basis, memory = (zero.awake(given or scaling), objectives), resumed(memory, now)
    if zero.asleep(scaling, fleet):
        memory, _ = memory.opened(basis, fleet, scaling, now)
        rest = memory.rest.unattended(fleet, now)
        decision = zero.sleeping(rest, now)
        return decision, replace(memory, rest=rest, asked=decision.to, informed_at=now)
    memory, moved = memory.opened(basis, fleet, scaling, now)
    decision, memory = _decide(zero.awake(scaling), objectives, fleet, readings, memory, moved, now, promise)
    rest = memory.rest.seen(fleet, readings, now)
    decision = zero.last_replica(scaling, fleet, decision, rest, now)
    return decision, replace(memory, rest=rest, asked=decision.to)


def _decide(
    scaling: ScalingSpec,
    objectives: tuple[Objective, ...],
    fleet: Fleet,
    readings: ServiceReadings | None,
    memory: Memory,
    moved: Moved | None,
    now: float,
    promise: Promise | None,
) -> tuple[Decision, Memory]:
    """Of a service that has a replica, or should have one."""
    memory = memory.short(fleet, now, scaling.behavior)
    if readings is not None and now - readings.time > readings.window_seconds:
        readings = None
    memory = memory.watching(readings)
    fleet = fleet.without(len(limits.stuck(scaling.behavior, memory, now)))
    readings = readings.without(memory.stuck) if readings else None
    offline, memory = seen_offline(promise, readings, fleet, memory)
    found = measure(scaling.behavior, readings, fleet.ready) if readings and fleet.ready else ()
    measures = (offline.measure,) if offline else found
    memory = memory.informed(measures, readings, fleet, now, scaling.behavior)
    if readings and measures:
        memory = memory.averaged(measures, readings, fleet, scaling.behavior)
        memory = memory.alarmed(readings, fleet, now, scaling.behavior)
    attainment = max((one.attainment for one in objectives), default=0.0)
    known = readings is not None and memory.knowledge.load is not None and measures
    expected = memory.knowledge.expected(attainment, now) if known else None
    tick = Tick(scaling, fleet, readings, measures, expected, memory, now, offline)
    law = _Law(tick, tick.answers())
    choice, memory = law.choose(moved)
    if readings is not None and choice.to < fleet.replicas:
        memory = memory.left(tick.work)
    decision = law.decision(choice)
    return offline.explained(decision, scaling.min_replicas, memory.knowledge.load) if offline else decision, memory


@dataclass(frozen=True, slots=True)
class _Choice:
    to: int
    reason: DecisionReason
    signal: Signal | None = None
    limited_by: DecisionReason | None = None
    answer: Answer | None = None
    moved: Moved | None = None


@dataclass(frozen=True, slots=True)
class _Law:
    """From what each signal answers to what is done."""

    tick: Tick
    answers: Mapping[Signal, Answer]

    def choose(self, moved: Moved | None) -> tuple[_Choice, Memory]:
        """Bounds first, then the signals' answers, then what is kept when there are none.

        Replicas that have `moved` are told as a decision where nothing else changes them.
        """
        choice, memory = self._chosen()
        if moved is not None and choice.to == self.tick.fleet.replicas:
            choice = _Choice(choice.to, moved.reason, moved=moved)
        return choice, memory

    def _chosen(self) -> tuple[_Choice, Memory]:
        tick, memory = self.tick, self.tick.memory
        current = tick.fleet.replicas
        bounded = tick.scaling.bounded(current)
        if bounded != current:
            return _Choice(bounded, DecisionReason.BOUNDS_CHANGED), memory
        if not self.answers:
            return self._uninformed(), memory
        signal = max(self.answers, key=lambda name: self.answers[name].replicas)
        answer, work = self.answers[signal], tick.work
        if not tick.offline and tick.troubled():
            memory = memory.regretting(tick.fleet, answer.replicas, work, tick.now, tick.scaling.behavior)
        fitting = memory.fits(work, current, tick.now)
        if fitting > answer.replicas:
            answer = Answer(fitting, Cause.TAKEN_BACK)
        wanted = max(answer.replicas, tick.scaling.min_replicas)
        counts = tick.now + tick.holds
        recommended = memory.recommended.added(wanted, counts, current, tick.now)
        if tick.offline and tick.holds:
            recommended = recommended.added(
                tick.offline.kept, tick.now + tick.offline.promise.returns, current, tick.now
            )
        memory = replace(memory, recommended=recommended)
        if wanted > current:
            return self._up(answer, signal), memory
        found = answer if answer.replicas == wanted else None
        if wanted < current:
            choice = self._down(wanted, memory.recommended, found)
        else:
            choice = _Choice(current, self._steady(), answer=found)
        return choice, memory

    def _up(self, answer: Answer, signal: Signal) -> _Choice:
        tick, current = self.tick, self.tick.fleet.replicas
        most, limit = limits.ceiling(tick.scaling, tick.fleet, tick.memory, tick.now)
        limited_by = limit if most < answer.replicas else None
        if limited_by and most <= current:
            return _Choice(current, limited_by, signal, limited_by, answer)
        return _Choice(min(answer.replicas, most), DecisionReason.SCALE_UP, signal, limited_by, answer)

    def _down(self, wanted: int, recommended: Recommended, answer: Answer | None) -> _Choice:
        """To the highest that was `wanted` in the stabilization window.

        A small step waits until it is the last one on the way to what is wanted, if more may leave at a time, but not
        for ever.
        """
        tick, current, agreed = self.tick, self.tick.fleet.replicas, recommended.highest
        refused = limits.refusal(tick.scaling, tick.fleet, tick.readings, tick.measures, tick.memory, tick.now)
        if refused:
            return _Choice(current, refused, limited_by=refused)
        fewest = limits.floor(tick.scaling, tick.fleet, tick.memory, tick.now)
        small = current - agreed < min(max(_SMALL_STEP, _SMALL_SHARE * current), current - fewest)
        longest = _SMALL_WINDOWS * tick.memory.knowledge.window(tick.scaling.behavior)
        waits = recommended.fewer_for(tick.now) < longest
        if agreed >= current or (small and wanted < agreed and waits):
            return _Choice(current, DecisionReason.STABILIZATION_WINDOW, limited_by=DecisionReason.STABILIZATION_WINDOW)
        limited_by = DecisionReason.SCALE_DOWN_PERIOD if fewest > agreed else None
        if limited_by and fewest >= current:
            return _Choice(current, limited_by, limited_by=limited_by)
        idle = tick.readings is not None and tick.readings.idle
        reason = DecisionReason.IDLE if idle else DecisionReason.SCALE_DOWN
        by = answer if agreed == wanted else None
        return _Choice(max(agreed, fewest), reason, limited_by=limited_by, answer=by)

    def _steady(self) -> DecisionReason:
        """Why the signals ask for just the replicas that are there."""
        tick = self.tick
        if tick.offline and tick.offline.held:
            return DecisionReason.REQUESTS_QUEUED
        answering = [one for one in tick.measures if one.signal in self.answers]
        above = any(tick.above(one) for one in answering)
        if above and tick.memory.shortage_at == tick.now:
            return DecisionReason.GPU_SHORTAGE
        if above and tick.fleet.pending:
            return DecisionReason.SCALING_IN_PROGRESS
        if any(one.missed for one in tick.measures):
            return DecisionReason.OBJECTIVES_MISSED
        if above:
            return DecisionReason.WITHIN_TARGET
        if tick.fleet.replicas == tick.scaling.min_replicas:
            return DecisionReason.AT_MINIMUM
        quiet = all(one.ratio is None or one.ratio < tick.bounds(one).down for one in answering)
        return DecisionReason.CONSOLIDATION_REFUSED if quiet else DecisionReason.WITHIN_TARGET

    def _uninformed(self) -> _Choice:
        """Hold; after a long time, the fallback if it is higher."""
        tick, current, fallback = self.tick, self.tick.fleet.replicas, self.tick.scaling.fallback
        if not tick.fleet.ready:
            return self._unserved()
        blind = tick.now - tick.memory.informed_at
        if fallback and blind >= fallback.after.total_seconds() and fallback.replicas > current:
            most, limit = limits.ceiling(tick.scaling, tick.fleet, tick.memory, tick.now)
            limited_by = limit if most < fallback.replicas else None
            return _Choice(min(most, fallback.replicas), DecisionReason.FALLBACK, limited_by=limited_by)
        return _Choice(current, limits.blindness(tick.readings, tick.measures))

    def _unserved(self) -> _Choice:
        """None serves. Where such replicas have started before, a node may be at fault, and one more gets another."""
        tick, current = self.tick, self.tick.fleet.replicas
        if tick.fleet.overdue < current or not tick.memory.knowledge.started:
            return _Choice(current, DecisionReason.NO_REPLICA_READY)
        most, limit = limits.ceiling(tick.scaling, tick.fleet, tick.memory, tick.now)
        if most <= current:
            return _Choice(current, limit, limited_by=limit)
        answer = Answer(current + 1, Cause.STAND_IN)
        return _Choice(current + 1, DecisionReason.SCALE_UP, answer=answer)

    def decision(self, choice: _Choice) -> Decision:
        """The choice with everything that explains it."""
        tick, fleet, memory = self.tick, self.tick.fleet, self.tick.memory
        recommendations = explained.recommendations(tick, self.answers)
        wanted = max((answer.replicas for answer in self.answers.values()), default=choice.to)
        before, outside = (choice.moved.before, choice.moved.outside) if choice.moved else (fleet.replicas, None)
        message = sentences.message(before, choice.to, choice.reason, choice.signal, recommendations, choice.answer)
        return Decision(
            from_=before,
            to=choice.to,
            reason=choice.reason,
            message=message if outside is None else f"{message}; {sentences.brought_within(outside)}",
            signal=choice.signal,
            limited_by=choice.limited_by,
            recommendations=recommendations,
            infeasible=tuple(one.signal for one in tick.measures if memory.infeasible(one)),
            gpu_shortage=memory.shortage_at == tick.now,
            engine_stalled=limits.stalled(tick.scaling.behavior, memory, tick.now),
            overdue_pods=fleet.overdue,
            stuck_pods=limits.stuck(tick.scaling.behavior, memory, tick.now),
            capacity=explained.capacity(tick),
            forecast=explained.forecast(tick),
            rejected=tuple(explained.rejected(tick, choice.to, wanted, choice.limited_by, choice.answer)),
            answer=choice.answer,
        )
