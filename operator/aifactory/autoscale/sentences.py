"""Decisions in words."""

from datetime import timedelta

from aifactory.api.meta import format_duration, format_figures, format_measured
from aifactory.signals.objectives import LATENCIES, Signal

from .decision import Answer, Cause, DecisionReason, Load, Recommendation
from .ratios import HIGHEST_RATIO

ROOM = "with room for unequal queues"
"""What the ratio of a backlog has in it, which its time has not."""

_WHY = {
    DecisionReason.SCALE_DOWN: "no signal has asked for so many for the whole stabilization window",
    DecisionReason.IDLE: "no requests for the whole stabilization window",
    DecisionReason.WITHIN_TARGET: "every signal is where it should be",
    DecisionReason.OBJECTIVES_MISSED: "an objective is missed, but no signal asks for more replicas",
    DecisionReason.AT_MAXIMUM: "maxReplicas is reached",
    DecisionReason.AT_MINIMUM: "minReplicas is enough",
    DecisionReason.SCHEDULED_MINIMUM: "minReplicas of a schedule is enough",
    DecisionReason.SCHEDULED_MAXIMUM: "maxReplicas of a schedule is reached",
    DecisionReason.BUDGET: "the budget is used up",
    DecisionReason.BOUNDS_CHANGED: "replicas are brought within minReplicas and maxReplicas",
    DecisionReason.ADOPTED_REPLICAS: "someone else changed the replicas of the Deployment, which count from now on",
    DecisionReason.FALLBACK: "signals have been away for so long that the fallback counts",
    DecisionReason.NO_DATA: "signals are missing, without which none is removed; see the states of the recommendations",
    DecisionReason.METRICS_ERROR: "Prometheus does not answer as it should; without signals none is removed",
    DecisionReason.PODS_NOT_SCRAPED: "fewer replicas are wanted, but not every ready pod is scraped by Prometheus",
    DecisionReason.NO_REPLICA_READY: "no replica is ready yet",
    DecisionReason.SCALING_IN_PROGRESS: "pods that were asked for are still starting",
    DecisionReason.ROLLOUT_IN_PROGRESS: "fewer replicas are wanted, but a rollout is on its way",
    DecisionReason.STARTUP_WINDOW: "fewer replicas are wanted, but signals have not been watched without a gap for the "
    "whole stabilization window yet",
    DecisionReason.STABILIZATION_WINDOW: "fewer replicas are wanted, but not for the whole stabilization window yet",
    DecisionReason.SCALE_DOWN_PERIOD: "fewer replicas are wanted, but scaleDown.maxReplicas and "
    "maxPercent allow no fewer in this period",
    DecisionReason.SCALE_UP_PERIOD: "scaleUp.maxReplicas and maxPercent allow no more in this period",
    DecisionReason.CONSOLIDATION_REFUSED: "the load would not fit on fewer replicas",
    DecisionReason.REQUESTS_QUEUED: "fewer would be enough, but none could finish what waits in it in drain.timeout",
    DecisionReason.ARRIVALS_UNKNOWN: "fewer replicas are wanted, but it has not been seen for long enough whether "
    "requests keep coming",
    DecisionReason.PACE_UNKNOWN: "requests wait, and what a full replica completes is being measured first",
    DecisionReason.BURST_QUEUED: "requests that wait will be late, but a further replica would get none of them",
    DecisionReason.PANIC: "fewer replicas are wanted, but load has just been rising steeply",
    DecisionReason.GPU_SHORTAGE: "pods wait for GPUs that no node has free",
    DecisionReason.PODS_NOT_STARTING: "new pods are refused or do not start, and more would not help",
    DecisionReason.ENGINE_STALLED: "requests wait or run but no token comes out, which replicas do not cure",
    DecisionReason.SCALED_TO_ZERO: "nobody asks, and none is needed until somebody does",
    DecisionReason.LAST_REPLICA: "one is enough, and stays until nobody has asked for scaleToZero.after",
    DecisionReason.ACTIVATED: "requests have come that need a replica",
    DecisionReason.ACTIVATOR_NOT_READY: "the activator, which would hold requests without a replica, is not ready",
}


_BY = {
    Cause.EXPECTED_LOAD: "for the load that is expected",
    Cause.PRESENT_LOAD: "for the load that there is",
    Cause.UNPROVEN: "as fewer have not proven yet that they carry the load",
    Cause.TARGET_MISSED: "grown by the ratio, as the target is missed",
    Cause.ABOVE_THRESHOLD: "grown by the ratio, which is above the threshold",
    Cause.WITHIN_THRESHOLDS: "as the ratio is between the thresholds",
    Cause.CONSOLIDATION: "as so many would keep the ratio low enough",
    Cause.QUEUE: "to work off the queue",
    Cause.ONE_AT_A_TIME: "as requests run one at a time, which more would not make faster",
    Cause.SPENT_ELSEWHERE: "as hardly any of that time is spent in these replicas",
    Cause.LEFT_OVER: "as further ones would get nothing of what waits in others",
    Cause.NO_REQUESTS: "the fewest that are allowed, as nobody asks",
    Cause.BACKLOG: "as many as complete in time what is due",
    Cause.STAND_IN: "with those that stand in for others that are stuck or do not start",
    Cause.TAKEN_BACK: "as fewer had to be taken back under such a load",
}
# Answers that keep replicas for which the numbers give no reason.
_KEPT = (Cause.UNPROVEN, Cause.TAKEN_BACK, Cause.STAND_IN)


def why(reason: str) -> str:
    """A reason in words; empty where the numbers say it, or for one of another version."""
    return _WHY.get(DecisionReason(reason), "") if reason in set(DecisionReason) else ""


def by(cause: str) -> str:
    """A cause in words that follow a number of replicas; empty for one of another version."""
    return _BY.get(Cause(cause), "") if cause in set(Cause) else ""


def brought_within(outside: int) -> str:
    """What became of a number of replicas that somebody else has set."""
    return f"they were set to {outside}, and brought within minReplicas and maxReplicas"


def message(
    from_: int,
    to: int,
    reason: DecisionReason,
    signal: Signal | None,
    recommendations: tuple[Recommendation, ...],
    answer: Answer | None = None,
) -> str:
    """One sentence with the numbers, such as `2 -> 4 replicas: timeToFirstToken 620ms against 500ms, ratio 1.24`.

    An `answer` that was reckoned from load comes first of what asks for more replicas, and last of what allows fewer.
    """
    change = f"{from_} -> {to} replicas" if to != from_ else f"{to} replica{'s' * (to != 1)}"
    found = next((one for one in recommendations if one.signal is signal), None)
    numbers = [_numbers(found)] if found else []
    asked = _asked(reason, found is not None, answer, to)
    told = [*asked, *numbers] if answer and answer.load else [*numbers, *asked]
    causes = [*told, _WHY.get(reason, "")] if found else [_WHY.get(reason, ""), *told]
    return f"{change}: {'; '.join(cause for cause in causes if cause)}"


def _asked(reason: DecisionReason, more: bool, answer: Answer | None, to: int) -> list[str]:
    """What an answer goes by, where a reader of the decision needs it: not where all is well."""
    if answer is None:
        return []
    kept, refused = answer.cause in _KEPT, reason is DecisionReason.CONSOLIDATION_REFUSED and answer.load is not None
    matters = reason is not DecisionReason.AT_MINIMUM if kept else refused or reason is DecisionReason.SCALE_DOWN
    if not more and not matters and reason is not DecisionReason.SCALE_UP:
        return []
    load = [_load(answer.load, answer.cause, to if refused else 0)] if answer.load else []
    return [*load, _BY[answer.cause]] if kept or not load else load


def _load(load: Load, cause: Cause, kept: int = 0) -> str:
    """Such as `room is kept for 1010 tokens/s within 18s, one replica carries 605`; of some `kept`, what fewer do."""
    told = f"the load is {format_figures(load.tokens)} tokens/s"
    if load.horizon_seconds is not None:
        horizon = format_duration(timedelta(seconds=round(load.horizon_seconds)))
        told = f"room is kept for {format_figures(load.tokens)} tokens/s within {horizon}"
    carries = "is trusted with" if cause is Cause.UNPROVEN else "carries"
    nothing = f", not counting {load.lost} stuck or not started" if load.lost else ""
    fewer = kept - load.lost - 1
    less = f", {fewer} would carry {format_figures(fewer * load.each)}" if fewer > 1 else ""
    return f"{told}, one replica {carries} {format_figures(load.each)}{nothing}{less}"


def _numbers(recommendation: Recommendation) -> str:
    signal, value, target = recommendation.signal, recommendation.value, recommendation.target
    if value is None or target is None or recommendation.ratio is None:
        return signal.value
    room = f" {ROOM}" if signal is Signal.BACKLOG else ""
    told = f"{signal} {_quantity(signal, value)} against {_quantity(signal, target)}"
    ratio = f"{recommendation.ratio:.2f}"
    return f"{told}, ratio {ratio}{_averaged(signal, value, target, ratio)}{room}"


def _averaged(signal: Signal, value: float, target: float, ratio: str) -> str:
    """Why a ratio is another than that of the two numbers beside it."""
    if signal is Signal.BACKLOG or not value or not target:
        return ""
    now = target / value if signal is Signal.THROUGHPUT else value / target
    if f"{now:.2f}" == ratio:
        return ""
    return f" (average, cut off at {HIGHEST_RATIO:g})" if now > HIGHEST_RATIO else " (average)"


def _quantity(signal: Signal, value: float) -> str:
    if signal is Signal.BACKLOG:
        return format_duration(timedelta(seconds=round(value)))
    if signal in LATENCIES:
        return format_measured(value)
    if signal is Signal.KV_CACHE_USAGE:
        return f"{value:.0%}"
    return f"{value:.0f} tokens/s" if signal is Signal.THROUGHPUT else f"{value:.0f}"
