"""The law of an offline service: as few replicas as complete every request in time, which keeps them full.

Each request is due some time after it came. The replicas needed are the fewest that, at their pace, have completed by
every due time what is due until then: the algorithm Optimal Available of Yao, Demers and Shenker, A scheduling model
for reduced CPU energy, FOCS 1995, with replicas in place of the speed of a processor. One that is added takes over
nothing that waits elsewhere, only its share of what comes: it is asked for by the longest queue, as late as that will
not be too long when it serves, and as many as what comes then takes.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from aifactory.signals.objectives import Signal
from aifactory.signals.readings import ServiceReadings, State

from . import sentences
from .backlog import Backlog, Promise, completed
from .decision import Alternative, Capacity, Decision, DecisionReason
from .fleet import Fleet
from .memory import Memory
from .ratios import Measure
from .sizing import rounded_up

# A new replica gets nothing of the queues of others: it is of use only while at least this share of what the others
# complete keeps coming.
_COMING_SHARE = 0.5
# A queue that is too long shrinks at least at half of its pace: it gets this share of what it completes.
_SLOWEST_INFLOW = 0.5
_HIGHEST_RATIO = 100.0
_MOST_SECONDS = 1e6
# Of a decision that leaves everything as it is because nothing asks for more.
_CONTENT = (
    DecisionReason.WITHIN_TARGET,
    DecisionReason.AT_MINIMUM,
    DecisionReason.CONSOLIDATION_REFUSED,
    DecisionReason.REQUESTS_QUEUED,
)
Due = tuple[float, float]
"""Requests, and the seconds in which they have to be completed."""


def needed_now(due: Iterable[Due], pace: float, least: float) -> float:
    """The fewest replicas that complete in time what is due, if all of them serve now.

    `pace`: requests per second of one. What is due sooner than in `least` seconds may take that long.
    """
    return max((requests / (pace * max(left, least)) for requests, left in due), default=0.0)


@dataclass(frozen=True, slots=True)
class Offline:
    """What one decision looks at: an offline service in one tick. A replica starts in `startup` seconds."""

    promise: Promise
    backlog: Backlog
    readings: ServiceReadings
    fleet: Fleet
    startup: float

    @property
    def measure(self) -> Measure:
        """Seconds that the slowest request in flight will have taken, against the promise; None before that is known.

        The ratio is that of the replicas that all of it takes to those that there are, with the room that is planned
        for unequal queues, and 0 before that is known; above 1 more are needed.
        """
        readings, within = self.readings, self.promise.within
        for one in (readings.running, readings.waiting):
            if one.usable is None:
                return Measure(Signal.BACKLOG, State.MISSING if one.state is State.OK else one.state, target=within)
        if completed(readings) is None:
            state = readings.completed.state
            return Measure(Signal.BACKLOG, State.MISSING if state is State.OK else state, target=within)
        pace = self.backlog.pace
        if pace is None:
            return Measure(Signal.BACKLOG, State.OK, None, within, 0.0)
        slowest = self.backlog.slowest(pace * self.fleet.ready, readings.time)
        ratio = max(self.needed(pace) / self.fleet.ready, self._longest(pace, self.startup) / self.promise.aimed)
        value = min(_MOST_SECONDS, max(slowest, self._longest(pace)))
        return Measure(Signal.BACKLOG, State.OK, value, within, min(_HIGHEST_RATIO, ratio))

    @property
    def replicas(self) -> int:
        """As many as are needed, and not fewer while requests wait that nobody else would take over."""
        return max(1, self._wanted, self._queued) + self.fleet.lost

    @property
    def held(self) -> bool:
        """Fewer would be enough, but requests wait in those that are there."""
        return self._wanted < self._queued == self._there

    @property
    def _there(self) -> int:
        return self.fleet.ready + self.fleet.pending

    @property
    def _wanted(self) -> int:
        """While nobody knows what a full replica completes, one fewer is tried as long as nothing waits.

        With fewer, the one with the longest queue would get more of what comes.
        """
        pace, there = self.backlog.pace, self._there
        if pace is None:
            return there if self.readings.waiting.usable else there - 1
        backlog, needed = self.backlog, self.needed(pace)
        grown = rounded_up(self._steady(pace, backlog.coming()))
        late = needed > there or self._longest(pace, self.startup) > self.promise.aimed
        if grown > there and late and self._useful(pace):
            return grown
        if self._longest(pace) > self.promise.within and backlog.stream() > 0:
            return there
        busy = sum(pod.in_flight > 0 for pod in self.readings.pods.values())
        return min(there, max(min(rounded_up(needed), busy), rounded_up(self._steady(pace, backlog.stream()))))

    def _useful(self, pace: float) -> bool:
        """A further replica would get something to do, and more than one that is there and has no queue."""
        full = all(pod.waiting > 0 for pod in self.readings.pods.values()) and bool(self.readings.waiting.usable)
        return full and self.backlog.coming() >= _COMING_SHARE * self.fleet.ready * pace

    def _longest(self, pace: float, ahead: float = 0.0) -> float:
        """Seconds that the longest queue takes, so many seconds `ahead`."""
        fullest = max((pod.in_flight for pod in self.readings.pods.values()), default=0.0)
        return fullest / pace + max(0.0, self.backlog.coming() / (pace * self._there) - 1) * ahead

    def _steady(self, pace: float, coming: float) -> float:
        """Replicas for so many requests per second, each with its share: more where the longest queue has to shrink.

        With the inflow of n replicas it is to be as short as planned after the time that is planned for.
        """
        excess = max(0.0, self._longest(pace) / self.promise.aimed - 1)
        return coming / (pace * max(_SLOWEST_INFLOW, 1 - excess))

    @property
    def kept(self) -> int:
        """With fewer, should what comes now stop and come back, queues would be too long before others serve."""
        pace = self.backlog.pace
        starting = self.startup / (self.startup + self.promise.aimed)
        return rounded_up(starting * self.backlog.stream() / pace) if pace else 0

    @property
    def _queued(self) -> int:
        """Replicas that have more waiting than they could finish if they had to leave."""
        pace = self.backlog.pace or 0.0
        pods = self.readings.pods.values()
        return min(self._there, sum(pod.waiting > 0 and pod.in_flight > self.promise.drain * pace for pod in pods))

    def needed(self, pace: float) -> float:
        """Replicas, not rounded."""
        return needed_now(self._due, pace, self.promise.least)

    @property
    def _due(self) -> list[Due]:
        """What is in flight, and what will be by the time at which a new replica serves."""
        coming = self.backlog.in_flight + self.backlog.coming() * self.startup
        now = self.readings.time
        return [*self.backlog.due(now, self.promise), (coming, self.promise.aimed + self.startup)]

    def explained(self, decision: Decision, fewest: int, load: float | None) -> Decision:
        """The decision with what a replica completes of a `load` (tokens per second), and what one fewer would do."""
        decision = self._told(decision)
        pace, carries = self.backlog.pace, self.backlog.carries
        if pace is None:
            return decision
        capacity = None
        if carries is not None and load is not None:
            capacity = Capacity(carries, load, self.backlog.confidence, Signal.BACKLOG)
        wanted = any(one.replicas < decision.to for one in decision.rejected)
        fewer = tuple(self._fewer(decision.to - 1, pace)) if decision.to > max(1, fewest) and not wanted else ()
        return replace(decision, capacity=capacity, rejected=(*decision.rejected, *fewer))

    def _told(self, decision: Decision) -> Decision:
        """Where requests wait or will be late and nothing is added, why."""
        reason = self._excuse
        if reason is None or self.fleet.pending:
            return decision
        signal = None if reason is DecisionReason.PACE_UNKNOWN else Signal.BACKLOG
        if decision.reason in _CONTENT and not decision.changes:
            decision = replace(decision, reason=reason, signal=signal)
        elif decision.reason is not DecisionReason.SCALE_DOWN:
            return decision
        text = sentences.message(decision.from_, decision.to, reason, signal, decision.recommendations)
        return replace(decision, message=text)

    @property
    def _excuse(self) -> DecisionReason | None:
        """Why nothing is added though requests wait or will be late; None where neither is so."""
        value = self.measure.value
        if self.backlog.pace is None:
            return DecisionReason.PACE_UNKNOWN if self.readings.waiting.usable else None
        return DecisionReason.BURST_QUEUED if value is not None and value > self.promise.within else None

    def _fewer(self, replicas: int, pace: float) -> Iterator[Alternative]:
        needed = max(self.needed(pace), self._steady(pace, self.backlog.coming()))
        if rounded_up(needed) > replicas:
            reason = DecisionReason.CONSOLIDATION_REFUSED
            yield Alternative(replicas, reason, Signal.BACKLOG, min(_HIGHEST_RATIO, needed / replicas))


def seen_offline(
    promise: Promise | None, readings: ServiceReadings | None, fleet: Fleet, memory: Memory
) -> tuple[Offline | None, Memory]:
    """What this law looks at, with what this tick says remembered; None where it does not decide.

    That is so of services with objectives and of engines that do not count completed requests, of which nobody knows
    how long a request takes.
    """
    if promise is None or readings is None or not fleet.ready or readings.completed.state is State.UNSUPPORTED:
        return None, memory
    backlog = memory.backlog.seen(readings, fleet, promise, memory.knowledge.lengths.each)
    memory = replace(memory, backlog=backlog)
    return Offline(promise, memory.backlog, readings, fleet, memory.knowledge.startup_seconds), memory
