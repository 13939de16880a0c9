"""What one decision looks at, and what each signal answers."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from aifactory.api.scaling import ScalingSpec
from aifactory.signals.objectives import Signal
from aifactory.signals.readings import ServiceReadings, State

from . import carrying, sizing
from .decision import Answer, Cause
from .demand import Expectation
from .fleet import Fleet
from .memory import Memory
from .offline import Offline
from .ratios import Measure, Thresholds


@dataclass(frozen=True, slots=True)
class Tick:
    """`measures` is empty when nothing can be read; `memory` is with what they say."""

    scaling: ScalingSpec
    fleet: Fleet
    readings: ServiceReadings | None
    measures: tuple[Measure, ...]
    expected: Expectation | None
    memory: Memory
    now: float
    offline: Offline | None = None

    def answers(self) -> Mapping[Signal, Answer]:
        """Replicas that each signal needs; those that know nothing, or that replicas cannot help, are left out."""
        found = ((one.signal, self._answer(one)) for one in self.measures)
        return {signal: answer for signal, answer in found if answer is not None}

    def by_load(self) -> int | None:
        """Replicas that all latencies together ask for because of the load; None where none goes by it."""
        found = [self._by_load(one) for one in self.measures if not self._silent(one)]
        return max((answer.replicas for answer in found if answer is not None), default=None)

    def _silent(self, one: Measure) -> bool:
        return (one.ratio is None and one.state is not State.IDLE) or self.memory.slow_alone(one)

    def _answer(self, one: Measure) -> Answer | None:
        if self._silent(one):
            return None
        if self.offline:
            return Answer(self.offline.replicas, Cause.BACKLOG)
        if self._learned(one):
            return self._carried(one)
        if one.ratio is None:
            return Answer(self.scaling.min_replicas, Cause.NO_REQUESTS)
        base = self.memory.alone(one)
        bounds = Thresholds.of(self.scaling.behavior, base or 0.0)
        if self.rising(one) > bounds.up:
            return self._more(one, bounds)
        highest = max(one.ratio, self.memory.averages.ratios[one.signal])
        if highest < bounds.down:
            fewest = sizing.fewest(self.fleet, highest, bounds, base)
            return Answer(min(self.fleet.replicas, fewest), Cause.CONSOLIDATION)
        return Answer(self.fleet.replicas, Cause.WITHIN_THRESHOLDS)

    def _learned(self, one: Measure) -> bool:
        known = carrying.tells(one, self.memory.knowledge)
        return known and self.readings is not None and self.expected is not None and self.offline is None

    def _by_load(self, one: Measure) -> Answer | None:
        """By what was learned; requests that run one at a time get no faster by more replicas."""
        if not self._learned(one) or self.readings is None or self.expected is None:
            return None
        found = carrying.carried(one, self.readings, self.fleet, self.memory.knowledge, self.expected)
        return None if found is None else self._useful(found, one)

    def _carried(self, one: Measure) -> Answer | None:
        """By load; what misses its target all the same adds more, unless replicas that help are on their way."""
        found, rising = self._by_load(one), self.rising(one)
        most = 1.0 if one.latency else self.bounds(one).up
        missed = (one.missed or not one.latency) and rising > most
        if found is None or self.readings is None or not missed or self.memory.infeasible(one):
            return found
        grown = sizing.grown(self.fleet, rising, most)
        if grown <= found.replicas or carrying.awaited(one, self.readings, self.fleet, self.memory.knowledge):
            return found
        return self._useful(Answer(grown, Cause.TARGET_MISSED), one)

    def _useful(self, answer: Answer, one: Measure) -> Answer:
        """More replicas only where they would make a latency less."""
        if answer.replicas <= self.fleet.replicas or self.readings is None:
            return answer
        if self.memory.averages.elsewhere(one, self.readings, self.fleet):
            return Answer(self.fleet.replicas, Cause.SPENT_ELSEWHERE)
        return Answer(self.fleet.replicas, Cause.ONE_AT_A_TIME) if self._alone() else answer

    def _alone(self) -> bool:
        """Requests run one at a time, so that more replicas would not make them faster."""
        waiting, in_flight = self.readings.waiting.usable if self.readings else None, self.memory.averages.in_flight
        return in_flight is not None and in_flight <= self.fleet.alone and not waiting

    @property
    def _left_over(self) -> bool:
        """What waits came before replicas that have none of it, and no more comes: others would get none either."""
        if self.readings is None or not self.readings.waiting.usable:
            return False
        completed, offered = self.readings.completed.usable, self.readings.offered.usable
        idle = any(not pod.waiting for pod in self.readings.pods.values())
        return idle and completed is not None and offered is not None and offered <= completed

    def _more(self, one: Measure, bounds: Thresholds) -> Answer:
        if one.signal is Signal.WAITING_REQUESTS and self.readings:
            if self._left_over:
                return Answer(self.fleet.replicas, Cause.LEFT_OVER)
            completed, offered = self.readings.completed.usable or 0.0, self.readings.offered.usable or 0.0
            seconds = self.scaling.behavior.scale_up.period.total_seconds()
            growth = offered - completed
            wanted = sizing.draining(self.fleet, one.value or 0.0, one.target or 0.0, completed, growth, seconds)
            return Answer(wanted, Cause.QUEUE)
        grown = Answer(sizing.grown(self.fleet, self.rising(one), bounds.up), Cause.ABOVE_THRESHOLD)
        found = self._useful(grown, one) if one.latency else grown
        most = max(self.fleet.replicas, self.fleet.ready + 1)
        return replace(found, replicas=min(found.replicas, most)) if one.vague else found

    @property
    def holds(self) -> float:
        """Seconds for which what is asked for counts: no start-ups where load is looked for in as many."""
        looked_back = any(self._learned(one) for one in self.measures)
        stabilization = self.scaling.behavior.scale_down.stabilization_window.total_seconds()
        return stabilization if looked_back else self.memory.knowledge.window(self.scaling.behavior)

    @property
    def work(self) -> float | None:
        """What is asked for, as of `ServiceReadings.work`: a burst that waits is more than what comes out."""
        work, asked = self.readings.work if self.readings else None, self.memory.knowledge.load
        return work if work is None or asked is None else max(work, asked)

    def troubled(self) -> bool:
        """Something is above its limit, and not only expected to be."""
        return any(self.above(one) for one in self.measures)

    def above(self, one: Measure) -> bool:
        """A signal is above the threshold at which replicas are added."""
        return self.rising(one) > self.bounds(one).up

    def bounds(self, one: Measure) -> Thresholds:
        """The thresholds of a signal."""
        return Thresholds.of(self.scaling.behavior, self.memory.alone(one) or 0.0)

    def rising(self, one: Measure) -> float:
        """What has to be above the threshold: the average and the value now, so that neither noise nor the past counts.

        In panic the value now is enough.
        """
        if one.ratio is None:
            return 0.0
        return (
            one.ratio if self.now < self.memory.panic_until else min(one.ratio, self.memory.averages.ratios[one.signal])
        )
