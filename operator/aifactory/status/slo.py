"""`SLOMet` and `SLOResolution`: whether a service keeps what it promises, and how exactly that can be told."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from aifactory.api.conditions import ConditionType, Reason
from aifactory.api.engine import takes
from aifactory.api.meta import format_duration
from aifactory.api.spec import LatencyBuckets, RuntimeSpec
from aifactory.autoscale.decision import Recommendation
from aifactory.signals.objectives import Signal
from aifactory.signals.readings import ObjectiveReading, ServiceReadings, State

from .conditions import Verdict, worst
from .facts import Facts, RoleFacts
from .numbers import budget_left, percent, quantity

T = ConditionType
_FINER_FIELD = "runtime.latencyBuckets"
_LEAST_OVERDRAWN = 0.0005  # what a percentage with one decimal shows


def verdicts(facts: Facts, readings: ServiceReadings) -> Iterator[Verdict]:
    """The promise of an offline service as far as it can be foretold; other promises by what has been seen.

    Nothing follows what was completed, so that its edge matters only once something is counted as late.
    """
    foretold = worst(verdict for one in facts.roles for verdict in _promise(facts, one))
    promise = foretold or ((_met(readings, facts.roles[0].missed_at),) if readings.promises else ())
    yield from (_with_budget(verdict, readings, float(facts.service.spec.slo.attainment)) for verdict in promise)
    unsupported = [o.objective.signal for o in readings.promises if o.observed.state is State.UNSUPPORTED]
    late = [o for o in readings.completions if o.attainment_1h is not None and o.attainment_1h < 1]
    between = [o for o in (*readings.objectives, *late) if _between_buckets(o)]
    if unsupported:
        message = f"the engine does not measure {', '.join(unsupported)}"
        yield Verdict(T.SLO_RESOLUTION, False, Reason.OBJECTIVE_UNSUPPORTED, message)
    elif between:
        first = between[0]
        message = (
            f"{first.objective.signal} target {_exact(first.objective.target)} lies between the engine's histogram "
            f"edges; attainment is counted at {_exact(first.edge or 0.0)}{_finer(facts.service.spec.runtime)}"
        )
        yield Verdict(T.SLO_RESOLUTION, False, Reason.BETWEEN_BUCKETS, message)


def _promise(facts: Facts, one: RoleFacts) -> Iterator[Verdict]:
    """Of an offline service, whose promise is about requests that have not been completed yet."""
    answers = one.decision.recommendations if one.decision is not None else ()
    backlog = next((found for found in answers if found.signal is Signal.BACKLOG), None)
    if backlog is None or one.readings is None:
        return
    status, reason, message = _in_time(backlog, one.readings)
    yield Verdict(T.SLO_MET, status, reason, facts.about(one, message))


def _in_time(backlog: Recommendation, readings: ServiceReadings) -> tuple[bool | None, Reason, str]:
    value, target = backlog.value, backlog.target or 0.0
    if backlog.state is not State.OK:
        return None, Reason.METRICS_MISSING, f"how long requests will take cannot be told: {backlog.state}"
    if readings.idle:
        return None, Reason.IDLE, "no requests in the window"
    if value is None:
        unknown = "what a replica completes is not known yet; it is measured while requests wait in every replica"
        return None, Reason.PACE_UNKNOWN, unknown
    longest, within = (format_duration(timedelta(seconds=round(seconds))) for seconds in (value, target))
    told = f"requests in flight will have taken up to {longest}"
    if value > target:
        return False, Reason.BACKLOG_LATE, f"{told}; slo.completeWithin is {within}"
    return True, Reason.BACKLOG_IN_TIME, f"{told}, within slo.completeWithin of {within}"


def last_missed(readings: ServiceReadings, before: float | None) -> float | None:
    """When an objective was last seen to be missed (epoch seconds), if it was `before` until now; None if never."""
    return readings.time if _misses(readings) else before


def _seen(readings: ServiceReadings) -> list[ObjectiveReading]:
    return [o for o in readings.promises if o.observed.state is State.OK and o.observed.value is not None]


def _misses(readings: ServiceReadings) -> list[ObjectiveReading]:
    backlog = bool(readings.waiting.value)
    return [o for o in _seen(readings) if _missed(o, backlog)]


def _met(readings: ServiceReadings, missed_at: float | None) -> Verdict:
    """Missed at once; met again after a whole window, so that no request counts for both, nor for many Events."""
    seen, missed, window = _seen(readings), [_told(o) for o in _misses(readings)], readings.window_seconds
    if missed:
        return Verdict(T.SLO_MET, False, Reason.OBJECTIVES_MISSED, f"missed: {', '.join(missed)}")
    if seen and missed_at is not None and 0 <= readings.time - missed_at < window:
        ago, whole = (format_duration(timedelta(seconds=round(x))) for x in (readings.time - missed_at, window))
        message = f"missed {ago} ago; met now, which is told once it has been so for a whole window of {whole}"
        return Verdict(T.SLO_MET, False, Reason.OBJECTIVES_MISSED, message)
    if seen:
        return Verdict(T.SLO_MET, True, Reason.OBJECTIVES_MET, "every objective that is measured is met")
    if any(o.observed.state is State.IDLE for o in readings.promises):
        return Verdict(T.SLO_MET, None, Reason.IDLE, "no requests in the window")
    return Verdict(T.SLO_MET, None, Reason.METRICS_MISSING, "no objective can be read")


def _told(reading: ObjectiveReading) -> str:
    """Such as `timeToFirstToken 620ms (p95 <= 500ms)`."""
    signal = reading.objective.signal
    return f"{signal} {quantity(signal, reading.observed.value)} ({reading.objective.text})"


def _with_budget(verdict: Verdict, readings: ServiceReadings, goal: float) -> Verdict:
    """What is not missed now says so where the hour was worse than the attainment `goal` (0 to 1) allows."""
    left = [(o.objective.signal, budget_left(o, goal) or 0.0) for o in readings.promises]
    spent = [f"{signal} by {percent(-share)}" for signal, share in left if share <= -_LEAST_OVERDRAWN]
    if verdict.status is False or not spent:
        return verdict
    overdrawn = f"{verdict.message}; but the error budget of the last hour is overdrawn: {', '.join(spent)}"
    return replace(verdict, message=overdrawn)


def _missed(reading: ObjectiveReading, backlog: bool) -> bool:
    """Throughput can only be asked for while requests wait."""
    value, target = reading.observed.value or 0.0, reading.objective.target
    return backlog and value < target if reading.objective.signal is Signal.THROUGHPUT else value > target


def _between_buckets(reading: ObjectiveReading) -> bool:
    return bool(reading.edges) and reading.edge is not None and reading.edge < reading.objective.target


def _exact(seconds: float) -> str:
    """As in the spec; edges of less than a millisecond's precision as they are."""
    return f"{seconds * 1000:g}ms" if seconds < 1 else format_duration(timedelta(seconds=seconds))


def _finer(runtime: RuntimeSpec) -> str:
    if not takes(runtime.engine, _FINER_FIELD) or runtime.latency_buckets is LatencyBuckets.OBJECTIVES:
        return ""
    return f"; spec.{_FINER_FIELD}: Objectives makes it exact"
