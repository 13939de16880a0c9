"""Decisions in words."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from aifactory.api.meta import format_duration
from aifactory.signals.objectives import LATENCIES, Signal

from .decision import Capacity, Decision, DecisionReason, Forecast, Recommendation

ROOM = "with room for unequal queues"
"""What the ratio of a backlog has in it, which its time has not."""
_BY_LOAD = (DecisionReason.SCALE_UP, DecisionReason.SCALE_DOWN)

_WHY = {
    DecisionReason.SCALE_DOWN: "every signal has fitted on fewer replicas for the whole stabilization window",
    DecisionReason.IDLE: "no requests for the whole stabilization window",
    DecisionReason.WITHIN_TARGET: "every signal is where it should be",
    DecisionReason.AT_MAXIMUM: "maxReplicas is reached",
    DecisionReason.AT_MINIMUM: "minReplicas is enough",
    DecisionReason.SCHEDULED_MINIMUM: "minReplicas of a schedule is enough",
    DecisionReason.SCHEDULED_MAXIMUM: "maxReplicas of a schedule is reached",
    DecisionReason.BUDGET: "the budget is used up",
    DecisionReason.BOUNDS_CHANGED: "replicas were outside minReplicas and maxReplicas",
    DecisionReason.ADOPTED_REPLICAS: "someone else changed the replicas of the Deployment, which count from now on",
    DecisionReason.FALLBACK: "signals have been away for so long that the fallback counts",
    DecisionReason.NO_DATA: "signals are missing; see the states of the recommendations",
    DecisionReason.METRICS_ERROR: "Prometheus does not answer as it should",
    DecisionReason.PODS_NOT_SCRAPED: "fewer replicas are wanted, but not every ready pod is scraped by Prometheus",
    DecisionReason.NO_REPLICA_READY: "no replica is ready yet",
    DecisionReason.SCALING_IN_PROGRESS: "pods that were asked for are still starting",
    DecisionReason.ROLLOUT_IN_PROGRESS: "fewer replicas are wanted, but a rollout is on its way",
    DecisionReason.STARTUP_WINDOW: "fewer replicas are wanted, but the service has not been watched for a window yet",
    DecisionReason.STABILIZATION_WINDOW: "fewer replicas are wanted, but not for the whole stabilization window yet",
    DecisionReason.SCALE_DOWN_PERIOD: "fewer replicas are wanted, but enough were removed in this period",
    DecisionReason.SCALE_UP_PERIOD: "enough replicas were added in this period",
    DecisionReason.CONSOLIDATION_REFUSED: "the load would not fit on fewer replicas",
    DecisionReason.REQUESTS_QUEUED: "fewer would be enough, but none could finish what waits in it in drain.timeout",
    DecisionReason.PACE_UNKNOWN: "requests wait, and what a full replica completes is being measured first",
    DecisionReason.BURST_QUEUED: "requests that wait will be late, but a further replica would get none of them",
    DecisionReason.PANIC: "fewer replicas are wanted, but load has just been rising steeply",
    DecisionReason.GPU_SHORTAGE: "pods wait for GPUs that no node has free",
    DecisionReason.ENGINE_STALLED: "requests wait but no token comes out, which replicas do not cure",
    DecisionReason.SCALED_TO_ZERO: "nobody asks; the next request brings a replica back",
    DecisionReason.LAST_REPLICA: "one is enough, and stays until nobody has asked for scaleToZero.after",
    DecisionReason.ACTIVATED: "requests wait for a replica",
    DecisionReason.ACTIVATOR_NOT_READY: "the activator, which would hold requests without a replica, is not ready",
}


def why(reason: str) -> str:
    """A reason in words; empty where the numbers say it, or for one of another version."""
    return _WHY.get(DecisionReason(reason), "") if reason in set(DecisionReason) else ""


def message(
    from_: int,
    to: int,
    reason: DecisionReason,
    signal: Signal | None,
    recommendations: tuple[Recommendation, ...],
) -> str:
    """One sentence with the numbers, such as `2 -> 4 replicas: timeToFirstToken 620ms against 500ms, ratio 1.24`."""
    return _sentence(from_, to, _causes(reason, signal, recommendations))


def with_load(decision: Decision) -> Decision:
    """A decision that goes by latencies, with the load behind it: first of all where none has reached its target.

    Replicas are added before that, when what is expected is more than those that are there carry.
    """
    by_latency = decision.signal is None or decision.signal in LATENCIES
    if decision.reason not in _BY_LOAD or not by_latency or decision.capacity is None or decision.forecast is None:
        return decision
    causes = _causes(decision.reason, decision.signal, decision.recommendations)
    load = _load(decision.capacity, decision.forecast)
    found = _of(decision.signal, decision.recommendations)
    early = found is not None and found.ratio is not None and found.ratio < 1
    told = [load, *causes] if early else [*causes, load]
    return replace(decision, message=_sentence(decision.from_, decision.to, told))


def _sentence(from_: int, to: int, causes: list[str]) -> str:
    change = f"{from_} -> {to} replicas" if to != from_ else f"{to} replica{'s' * (to != 1)}"
    return f"{change}: {'; '.join(causes)}"


def _causes(reason: DecisionReason, signal: Signal | None, recommendations: tuple[Recommendation, ...]) -> list[str]:
    found = _of(signal, recommendations)
    return [*([_numbers(found)] if found else []), *([_WHY[reason]] if reason in _WHY else [])]


def _of(signal: Signal | None, recommendations: tuple[Recommendation, ...]) -> Recommendation | None:
    return next((recommendation for recommendation in recommendations if recommendation.signal is signal), None)


def _load(capacity: Capacity, forecast: Forecast) -> str:
    """Such as `up to 1010 tokens/s are expected within 18s, one replica carries 605`."""
    horizon = format_duration(timedelta(seconds=round(forecast.horizon_seconds)))
    expected = f"up to {_tokens(forecast.upper)} tokens/s are expected within {horizon}"
    now = f"the load is {_tokens(capacity.load)} tokens/s"
    carried = f"one replica carries {_tokens(capacity.per_replica)}"
    return f"{expected if forecast.upper >= capacity.load else now}, {carried}"


def _tokens(value: float) -> str:
    """Three figures, as in the status."""
    return f"{Decimal(f'{value:.3g}'):f}"


def _numbers(recommendation: Recommendation) -> str:
    signal, value, target = recommendation.signal, recommendation.value, recommendation.target
    if value is None or target is None or recommendation.ratio is None:
        return signal.value
    room = f" {ROOM}" if signal is Signal.BACKLOG else ""
    told = f"{signal} {_quantity(signal, value)} against {_quantity(signal, target)}"
    return f"{told}, ratio {recommendation.ratio:.2f}{room}"


def _quantity(signal: Signal, value: float) -> str:
    if signal is Signal.BACKLOG:
        return format_duration(timedelta(seconds=round(value)))
    if signal in LATENCIES:
        return f"{value * 1000:.0f}ms" if value < 1 else f"{value:.3g}s"
    if signal is Signal.KV_CACHE_USAGE:
        return f"{value:.0%}"
    return f"{value:.0f} tokens/s" if signal is Signal.THROUGHPUT else f"{value:.0f}"
