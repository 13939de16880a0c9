"""What an offline service has to do until when, and how fast its replicas do it.

Requests are taken to be served in the order in which they came, so that those in flight are the newest.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from math import exp, inf
from statistics import fmean

from aifactory.api.scaling import ScalingSpec
from aifactory.api.spec import InferenceServiceSpec
from aifactory.signals.readings import ServiceReadings, State

from .fleet import Fleet

# Requests are spread over replicas at random, and each replica has a queue of its own, some longer than others.
_AIMED_SHARE = 0.6
# What is late, or due before a new replica could help, is to be worked off within this share of the promise.
_LEAST_SHARE = 0.25
# Times of arrival are kept in so many parts of the promise, longer ones for longer promises.
_PARTS = 16
_MOST_PARTS = 64
_LONGEST_PART = 300.0
# Over a longer gap of the readings nobody knows what came.
_GAP_PARTS = 4
# What came is expected to come back for so many stabilization windows, which is an hour by default, and at most that.
_RETURN_WINDOWS = 24
_RETURNS_SECONDS = 3600.0
# Requests that come in so many parts, or readings, without a break are a stream and no burst.
_STREAM_PARTS = 3
# Where the busiest parts are left out, a burst that falls on the edge of two is left out.
_BURST_PARTS = 2
# Requests that have not come for so many parts do not keep coming.
_LATE_PARTS = 4
# What is less is the error of a count.
_A_REQUEST = 0.5
# The pace is a mean over this time (seconds); what was read after a restart counts for as much as this of it.
_PACE_SECONDS = 600.0
_RECALLED_SECONDS = 120.0
_PACE = "backlog.pace"
_CARRIES = "backlog.tokens"
# No service has more requests, and no replica is faster or slower.
_HIGHEST = 1e9
_LOWEST = 1e-6


@dataclass(frozen=True, slots=True)
class Promise:
    """Seconds: a request is completed `within` this time, and a replica that leaves has `drain` to finish its own.

    What came is expected to come back for as long as `returns`.
    """

    within: float
    drain: float
    returns: float = _RETURNS_SECONDS

    @classmethod
    def of(cls, spec: InferenceServiceSpec) -> "Promise | None":
        """None of a service with objectives."""
        found = spec.slo.may_take
        if found is None:
            return None
        return cls(found.total_seconds(), spec.drain.timeout.total_seconds(), min(_returns(spec.scaling)))

    @property
    def aimed(self) -> float:
        """What is planned for, which leaves room for unequal queues."""
        return _AIMED_SHARE * self.within

    @property
    def least(self) -> float:
        """Requests that are due sooner are planned to be completed in this time."""
        return _LEAST_SHARE * self.within

    @property
    def part(self) -> float:
        """Seconds of the bins of arrivals."""
        return max(min(self.within / _PARTS, _LONGEST_PART), self.within / _MOST_PARTS)


@dataclass(frozen=True, slots=True)
class Backlog:
    """When the requests in flight came, and what full replicas complete. Times are epoch seconds.

    `arrived`: requests by the start of the bin in which they came, newest last; `lately`: requests per second that came
    before each of the last readings. Some have waited since `queued_since`: they have `piled` up if that is longer ago
    than any may take. Every replica has had requests waiting since `full_since`, and its pace has been `measured` since
    some time after that. `completed` requests and `tokens`, 0 where they are not counted, in `replica_seconds` of full
    replicas, all forgotten exponentially. A request has had so many tokens `each` lately, 0 if that is not known.
    `ready` replicas served in the last tick.
    """

    time: float | None = None
    in_flight: float = 0.0
    arrived: tuple[tuple[float, float], ...] = ()
    lately: tuple[float, ...] = ()
    queued_since: float | None = None
    piled: bool = False
    full_since: float | None = None
    measured: bool = False
    completed: float = 0.0
    tokens: float = 0.0
    replica_seconds: float = 0.0
    each: float = 0.0
    ready: int = 0

    @property
    def pace(self) -> float | None:
        """Requests per second of a full replica, as long as they are lately; None before one was seen."""
        found = self.completed / self.replica_seconds if self.replica_seconds else 0.0
        if self.each and self.carries is not None:
            found = self.carries / self.each
        return found if _LOWEST < found < _HIGHEST else None

    @property
    def carries(self) -> float | None:
        """Tokens per second of a full replica; None before one was seen."""
        found = self.tokens / self.replica_seconds if self.replica_seconds else 0.0
        return found if _LOWEST < found < _HIGHEST else None

    @property
    def confidence(self) -> float:
        """0 to 1: what was seen of the pace, against a few minutes of one replica."""
        return self.replica_seconds / (self.replica_seconds + _RECALLED_SECONDS)

    def seen(self, readings: ServiceReadings, fleet: Fleet, promise: Promise, each: float = 0.0) -> "Backlog":
        """With what one tick says, and the tokens of a request; nothing where something cannot be read."""
        running, waiting, done, now = (
            readings.running.usable,
            readings.waiting.usable,
            completed(readings),
            readings.time,
        )
        if running is None or waiting is None or done is None:
            return self
        known = replace(self, each=each)
        found, done, before = min(running + waiting, _HIGHEST), min(done, _HIGHEST), self.time
        passed = inf if before is None else now - before
        arrived: tuple[tuple[float, float], ...] = ()
        lately: tuple[float, ...] = ()
        if before is not None and 0 <= passed <= max(_GAP_PARTS * promise.part, readings.window_seconds):
            came = found - self.in_flight + done * passed
            arrived = self._binned(came, before, now, promise)
            lately = (*self.lately, came / passed)[-_STREAM_PARTS:] if passed else self.lately
        known = replace(known, time=now, in_flight=found, arrived=arrived, lately=lately)._queued(waiting, promise)
        if not 0 <= passed <= readings.window_seconds:
            return replace(known, full_since=None, measured=False, ready=0)
        tokens = min(readings.tokens or 0.0, _HIGHEST)
        watched = known._watched(readings, fleet, running, done)._paced(done, tokens, fleet.ready, passed)
        return replace(watched, ready=fleet.ready)

    def _queued(self, waiting: float, promise: Promise) -> "Backlog":
        """Whether requests wait all the time; over a gap of the readings nobody knows."""
        if not waiting or not self.arrived or self.time is None:
            return replace(self, queued_since=None, piled=False)
        since = self.time if self.queued_since is None else self.queued_since
        return replace(self, queued_since=since, piled=self.time - since >= promise.within)

    def _binned(self, came: float, before: float, now: float, promise: Promise) -> tuple[tuple[float, float], ...]:
        """With the requests that came since `before`; however short the promise, as many bins as tell a stream."""
        bins = self.arrived
        if bins and before - bins[-1][0] < promise.part:
            return (*bins[:-1], (bins[-1][0], bins[-1][1] + came))
        every, newest = (*bins, (before, came)), -_STREAM_PARTS - 1
        return (*(one for one in every[:newest] if one[0] > now - promise.within), *every[newest:])

    def _watched(self, readings: ServiceReadings, fleet: Fleet, running: float, done: float) -> "Backlog":
        """Whether all replicas are full, and for long enough that what they complete began when they were.

        A request takes as long as one of those that run is completed after it, by Little's law.
        """
        pods = readings.pods.values()
        full = (
            not fleet.mixed
            and fleet.ready == self.ready
            and 0 < fleet.ready <= len(pods)
            and all(pod.waiting > 0 for pod in pods)
        )
        if not full:
            return replace(self, full_since=None, measured=False)
        since = readings.time if self.full_since is None else self.full_since
        takes = readings.window_seconds + (running / done if done else inf)
        return replace(self, full_since=since, measured=self.measured or readings.time - since >= takes)

    def _paced(self, done: float, tokens: float, ready: int, passed: float) -> "Backlog":
        """With completions of full replicas, or of others that are faster even so."""
        faster = self.pace is not None and ready > 0 and done / ready > self.pace
        if not (self.measured or faster):
            return self
        keep = exp(-passed / _PACE_SECONDS)
        return replace(
            self,
            completed=keep * self.completed + done * passed,
            tokens=keep * self.tokens + tokens * passed,
            replica_seconds=keep * self.replica_seconds + ready * passed,
        )

    def due(self, now: float, promise: Promise) -> Iterator[tuple[float, float]]:
        """(requests, seconds left): so many of those in flight have to be completed in that time. Shortest time last.

        What came before anything was seen counts with the oldest bin.
        """
        newer = 0.0
        for start, count in reversed(self.arrived or ((now, 0.0),)):
            if newer >= self.in_flight:
                return
            yield self.in_flight - newer, start + promise.aimed - now
            newer += max(0.0, count)

    def slowest(self, rate: float, now: float) -> float:
        """Seconds from arrival to completion of the slowest request in flight, at `rate` requests per second.

        The slowest of a bin is its last. What came before anything was seen counts as come just then.
        """
        longest, left, end = 0.0, self.in_flight, now
        for start, count in (*reversed(self.arrived), (-inf, 0.0)):
            if left < _A_REQUEST:
                break
            longest = max(longest, left / rate + now - end)
            left, end = left - max(0.0, count), start
        return longest

    @property
    def watched(self) -> bool:
        """It has been seen for long enough to tell what keeps coming from a burst."""
        return len(self._rates()) >= _STREAM_PARTS

    def stream(self) -> float:
        """Requests per second that keep coming, also in many bursts: the two busiest bins do not count.

        Where there are few bins, the least of the last ones: a burst does not count. All bins do where requests have
        piled up, as each burst came before the last one was worked off.
        """
        rates = self._rates()
        least = min(rates[-_STREAM_PARTS:]) if len(rates) >= _STREAM_PARTS else 0.0
        if self.piled and rates:
            return max(fmean(rates), least)
        rest = sorted(rates)[:-_BURST_PARTS]
        if len(rest) < _STREAM_PARTS:
            return least
        return max(min(fmean(rest), fmean(rates[-_LATE_PARTS:])), least)

    def coming(self) -> float:
        """Requests per second by the time at which a new replica serves: also a stream that has only begun."""
        begun = min(self.lately) if len(self.lately) >= _STREAM_PARTS else 0.0
        return max(self.stream(), begun)

    def _rates(self) -> list[float]:
        """Requests per second of each whole bin, newest last."""
        whole = [(count, after - start) for (start, count), (after, _) in pairwise(self.arrived)]
        return [max(0.0, count) / seconds for count, seconds in whole if seconds > 0]

    def saved(self) -> Mapping[str, float]:
        """What is worth keeping over a restart, by names that `restored` knows."""
        found = {_PACE: self.pace, _CARRIES: self.carries}
        return {name: value for name, value in found.items() if value is not None}

    @classmethod
    def restored(cls, values: Mapping[str, float]) -> "Backlog":
        """From what `saved` gave; a pace that cannot be one counts as never learned."""
        pace, carries = values.get(_PACE, 0.0), values.get(_CARRIES, 0.0)
        if not _LOWEST < pace < _HIGHEST:
            return cls()
        tokens = carries * _RECALLED_SECONDS if _LOWEST < carries < _HIGHEST else 0.0
        return cls(completed=pace * _RECALLED_SECONDS, tokens=tokens, replica_seconds=_RECALLED_SECONDS)


def completed(readings: ServiceReadings) -> float | None:
    """Requests per second; None where that is not known. Some engines count nothing before the first request."""
    none_yet = readings.completed.state is State.MISSING and not readings.running.value and not readings.waiting.value
    return 0.0 if none_yet else readings.completed.usable


def _returns(scaling: ScalingSpec | None) -> Iterator[float]:
    """Seconds, of which the fewest count."""
    yield _RETURNS_SECONDS
    if scaling is not None:
        yield _RETURN_WINDOWS * scaling.behavior.scale_down.stabilization_window.total_seconds()
    if scaling is not None and scaling.to_zero is not None:
        yield scaling.to_zero.after.total_seconds()
