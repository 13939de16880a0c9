"""Numbers of a status as text."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from math import ceil, log10

from aifactory.api.meta import format_duration, format_measured
from aifactory.api.scalingstatus import DecisionStatus, RecommendationStatus, ScalingStatus
from aifactory.api.status import ObjectiveStatus, ReplicasStatus, ThroughputStatus
from aifactory.autoscale.decision import Decision, DecisionReason, Recommendation
from aifactory.observed import Group
from aifactory.signals.objectives import LATENCIES, Signal
from aifactory.signals.readings import ObjectiveReading, Reading, ServiceReadings, State

from . import learned, outlook
from .facts import Facts, RoleFacts

HISTORY = 10
# The number stays because a signal asks for just so many, and not because of a bound.
_KEPT_BY_A_SIGNAL = (
    DecisionReason.OBJECTIVES_MISSED,
    DecisionReason.WITHIN_TARGET,
    DecisionReason.CONSOLIDATION_REFUSED,
    DecisionReason.SCALING_IN_PROGRESS,
    DecisionReason.GPU_SHORTAGE,
)
# What Prometheus says of pods that have left.
_GONE = (State.STALE, State.MISSING)


def timestamp(now: float) -> str:
    """RFC 3339 in UTC, whole seconds."""
    return datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def epoch(text: str | None) -> float | None:
    """Seconds since 1970 of an RFC 3339 time."""
    return datetime.fromisoformat(text).timestamp() if text else None


def replicas(group: Group, before: ReplicasStatus | None = None) -> ReplicasStatus:
    """Counts of the pods of a role; a workload that is lost comes back with the replicas that were wanted `before`."""
    pods = [pod for pod in group.pods if not pod.terminating]
    lost = before.desired if before else 0
    return ReplicasStatus(
        desired=group.workload.replicas if group.workload else lost,
        current=len(pods),
        ready=len(group.serving_pods),
        pending=sum(pod.pending and not pod.unschedulable for pod in pods),
        unschedulable=sum(pod.unschedulable for pod in pods),
    )


def total(roles: Iterable[ReplicasStatus]) -> ReplicasStatus:
    """Counts of some roles together."""
    counts = [role.model_dump() for role in roles]
    return ReplicasStatus(**{name: sum(count[name] for count in counts) for name in ReplicasStatus.model_fields})


def objectives(readings: ServiceReadings, goal: float, serving: bool) -> list[ObjectiveStatus]:
    """Each objective; `goal` is the attainment asked for, 0 to 1. Where nothing is `serving`, no series need be."""
    return [
        ObjectiveStatus(
            objective=item.objective.signal,
            target=item.objective.text,
            state=item.observed.state if serving or item.observed.state not in _GONE else State.IDLE,
            observed=quantity(item.objective.signal, item.observed.value),
            attainment5m=percent(item.attainment_5m, _decimals(goal)),
            attainment1h=percent(item.attainment_1h, _decimals(goal)),
            error_budget=percent(budget_left(item, goal)),
        )
        for item in readings.promises
    ]


def worst_attainment(readings: ServiceReadings, goal: float) -> str | None:
    """The lowest attainment of the last five minutes over all objectives; `goal` is the one asked for, 0 to 1."""
    known = [item.attainment_5m for item in readings.promises if item.attainment_5m is not None]
    return percent(min(known, default=None), _decimals(goal))


def _decimals(goal: float) -> int:
    """Those of a percentage that tells a tenth of what may be missed."""
    return max(1, ceil(round(-log10(1 - goal), 6)) - 1)


def throughput(readings: ServiceReadings) -> ThroughputStatus:
    """Rates and requests in the system."""
    return ThroughputStatus(
        requests_per_second=_rate(readings.completed),
        offered_requests_per_second=_rate(readings.offered),
        input_tokens_per_second=_rate(readings.prompt_tokens),
        output_tokens_per_second=_rate(readings.generation_tokens),
        running=_rate(readings.running),
        waiting=_rate(readings.waiting),
    )


def scaling(facts: Facts, one: RoleFacts) -> ScalingStatus | None:
    """The decision in force, each signal's answer, and the last changes, newest first; None of a role of fixed size."""
    decision, before = one.decision, facts.before.scaling_of(one.role.name)
    if decision is None or not one.scales:
        return before if one.scales else None
    before = before or ScalingStatus()
    now = timestamp(facts.now)
    entry = _entry(decision, now)
    known = before.decision is not None and _same(before.decision, entry)
    if before.decision and known:
        entry = entry.model_copy(update={"time": before.decision.time, "from_": before.decision.from_})
    # What the message says anew is said with the numbers of the same moment.
    shown = before if before.decision and before.decision.message == entry.message else ScalingStatus()
    told = known and before.history[:1] and _same(before.history[0], entry)
    scaled = decision.changes and facts.carried_out(one) and not told
    history = [entry, *before.history] if scaled else list(before.history)
    return ScalingStatus(
        decision=entry,
        recommendations=[_recommendation(item) for item in decision.recommendations],
        capacity=outlook.capacity(decision.capacity, shown.capacity),
        forecast=outlook.forecast(decision.forecast, shown.forecast),
        rejected=outlook.rejected(decision.rejected, shown.rejected),
        last_scale_time=now if scaled else before.last_scale_time,
        history=history[:HISTORY],
        learned=learned.written(one.learned),
        learned_of=one.learned_of or None if one.learned else None,
    )


def _same(before: DecisionStatus, after: DecisionStatus) -> bool:
    return (before.to, before.reason) == (after.to, after.reason)


def _entry(decision: Decision, now: str) -> DecisionStatus:
    return DecisionStatus(
        time=now,
        from_=decision.from_,
        to=decision.to,
        reason=decision.reason,
        signal=_limiting(decision),
        cause=decision.answer.cause if decision.answer else None,
        limited_by=decision.limited_by,
        message=f"{decision.message}{_incurable(decision)}",
    )


def _incurable(decision: Decision) -> str:
    """What is missed although none is added, so that nobody reads that all is well."""
    if not decision.infeasible or decision.to > decision.from_:
        return ""
    return f"; too many requests miss {', '.join(decision.infeasible)} even alone on a replica"


def _limiting(decision: Decision) -> Signal | None:
    """The signal that asked for a change, or whose answer keeps the replicas that there are."""
    answer = decision.answer
    if decision.signal is not None or answer is None or decision.reason not in _KEPT_BY_A_SIGNAL:
        return decision.signal
    asked = (answer.replicas, answer.cause)
    return next((one.signal for one in decision.recommendations if (one.replicas, one.cause) == asked), None)


def _recommendation(item: Recommendation) -> RecommendationStatus:
    return RecommendationStatus(
        signal=item.signal,
        state=item.state,
        value=quantity(item.signal, item.value),
        target=_target(item.signal, item.target),
        ratio=_share(item.ratio),
        replicas=item.replicas,
        cause=item.cause,
        adds_above=_share(item.adds_above),
        removes_below=_share(item.removes_below),
    )


def _share(ratio: float | None) -> str | None:
    return None if ratio is None else f"{ratio:.2f}"


def quantity(signal: Signal, value: float | None) -> str | None:
    """A value in the signal's unit: latencies in three figures, times of a backlog to the second."""
    if value is None:
        return None
    if signal is Signal.BACKLOG:
        return format_duration(timedelta(seconds=round(value)))
    if signal in LATENCIES:
        return format_measured(value)
    return percent(value) if signal is Signal.KV_CACHE_USAGE else f"{value:.1f}"


def _target(signal: Signal, value: float | None) -> str | None:
    """As in the spec, to the millisecond."""
    exact = signal in LATENCIES and value is not None
    return format_duration(timedelta(seconds=value or 0.0)) if exact else quantity(signal, value)


def _rate(reading: Reading) -> str | None:
    return None if reading.value is None else f"{reading.value:.1f}"


def percent(value: float | None, decimals: int = 1) -> str | None:
    """A share (0 to 1) as a percentage, never `-0.0%`."""
    return None if value is None else f"{round(value * 100, decimals) + 0.0:.{decimals}f}%"


def budget_left(item: ObjectiveReading, goal: float) -> float | None:
    """Share of the hour's error budget that is left, negative where it is overdrawn; `goal` is the attainment, 0 to 1.

    None where it is not known, or nothing may be missed.
    """
    if item.attainment_1h is None or goal >= 1:
        return None
    return 1 - (1 - item.attainment_1h) / (1 - goal)
