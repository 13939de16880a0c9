"""What keeps a service from being as asked for, and what to change."""

from collections.abc import Iterable, Iterator, Mapping

from aifactory.api.conditions import ConditionType, Reason
from aifactory.api.inferenceservice import InferenceService
from aifactory.api.scaling import ScalingMode
from aifactory.api.spec import Mode
from aifactory.api.status import Condition, InferenceServiceStatus
from aifactory.autoscale.decision import DecisionReason
from aifactory.autoscale.sentences import why
from aifactory.runtimes import roles

from .words import overdrawn

T, R = ConditionType, Reason
_BAD_WHEN_TRUE = (T.STALLED, T.GPU_SHORTAGE, T.SCALING_LIMITED, T.SLO_INFEASIBLE, T.ENGINE_STALLED)
# A service that nobody asks, or that is to have no replica, is as it should be.
_AS_ASKED = (R.SCALED_TO_ZERO,)
_FROZEN = (R.PLAN_ONLY, R.PAUSED)
_MISSED = (R.OBJECTIVES_MISSED, R.BACKLOG_LATE)
_ON_THEIR_WAY = (DecisionReason.SCALE_UP, DecisionReason.SCALING_IN_PROGRESS)
# Where a message says what is, and not what to change.
_ADVICE: Mapping[str, str] = {
    R.AT_MAXIMUM: "raise spec.scaling.maxReplicas if there are GPUs for more",
    R.SCHEDULED_MAXIMUM: "raise maxReplicas of the schedule",
    R.BUDGET: "raise spec.scaling.budget",
    R.INSUFFICIENT_GPUS: "add nodes with GPUs, lower accelerator.count or replicas, or see accelerator.resourceName",
    R.UNSCHEDULABLE: "see what the scheduler says: labels, taints and volumes that the spec asks for have to be there",
    R.PROMETHEUS_UNREACHABLE: "set AIFACTORY_PROMETHEUS_URL of the operator to a Prometheus that it can reach",
    R.METRICS_MISSING: "see that Prometheus scrapes the pods and keeps the labels of the scrape job that is documented",
    R.METRICS_STALE: "see that Prometheus scrapes the pods, and how often",
    R.PODS_NOT_SCRAPED: "see why Prometheus does not reach these pods: its targets page says it",
    R.HOLDING: "see MetricsAvailable and the states of the signals",
    R.RECOMMEND_ONLY: "set spec.scaling.mode to Apply",
    R.PLAN_ONLY: "set spec.mode to Active",
    R.PAUSED: "set spec.mode to Active",
    R.STARTUP_TIMEOUT: "raise runtime.startupTimeout, or look at the engine's log",
    R.CONTAINER_CRASHING: "look at the log of the container",
    R.NO_TOKENS: "read the log of the engine, then delete its pods one by one: each is replaced",
    R.PODS_STUCK: "read the log of that pod, then delete it: another one takes its place",
    R.CANARY_ROLLED_BACK: "change the spec to try again",
}


def obstacles(status: InferenceServiceStatus, service: InferenceService | None) -> Iterator[str]:
    """Conditions that are not as they should be; those of one cause are told once."""
    if not status.conditions:
        return
    found: dict[str, list[Condition]] = {}
    spent = any(overdrawn(one.error_budget) for one in status.slo)
    for condition in status.conditions:
        if not _stands_in_the_way(condition) and not (spent and condition.type == T.SLO_MET):
            continue
        found.setdefault(condition.reason, []).append(_shortened(condition, status))
    if not found:
        yield "Nothing stands in the way."
        return
    yield "In the way:"
    for reason, conditions in found.items():
        # A service that is left alone may well be ready.
        wrong = [one for one in conditions if reason not in _FROZEN or one.status != "True"]
        yield f"  {_named(wrong)} ({reason}): {_said(wrong)}" if wrong else f"  {reason}: {_said(conditions)}"
        if reason == R.OBJECTIVES_MISSED and R.BASE_LATENCY_ABOVE_OBJECTIVE in found:
            yield f"    -> see {T.SLO_INFEASIBLE}"
        elif advice := _advice(reason, status, service):
            yield f"    -> {advice}"


def _stands_in_the_way(condition: Condition) -> bool:
    bad = "True" if condition.type in _BAD_WHEN_TRUE else "False"
    return condition.reason in _FROZEN or (condition.status == bad and condition.reason not in _AS_ASKED)


def _advice(reason: str, status: InferenceServiceStatus, service: InferenceService | None) -> str:
    if reason == R.OBJECTIVES_MET:
        return f"requests that were too late count for an hour: if this comes again and again, {_always_more(service)}"
    if reason not in _MISSED:
        return _ADVICE.get(reason, "")
    less = "; or raise slo.completeWithin, or send less at once" * (reason == R.BACKLOG_LATE)
    return _more(status, service) + less


def _always_more(service: InferenceService | None) -> str:
    """How there come to be more replicas before they are missed."""
    if service is None:
        return "raise minReplicas, or replicas where they are fixed"
    modes = _reporting(service)
    if not modes:
        return "raise replicas"
    if None in modes:
        return "raise minReplicas"
    return f"keep more replicas than there were: mode {modes.pop()} leaves their number to you"


def _more(status: InferenceServiceStatus, service: InferenceService | None) -> str:
    """How there come to be more replicas."""
    modes = _reporting(service) if service else {None}
    if not modes:
        return "raise replicas, or set spec.scaling so that they follow the objectives"
    if None not in modes:
        return f"see how many replicas the decision in force asks for: mode {modes.pop()} does not add them"
    decisions = [scaling.decision for scaling in (status.scaling, *(role.scaling for role in status.roles)) if scaling]
    if any(decision.reason in _ON_THEIR_WAY for decision in decisions if decision):
        return "wait: more replicas have been asked for"
    return "see above why each signal asks for no more replicas"


def _reporting(service: InferenceService) -> set[Mode | ScalingMode | None]:
    """The modes in which decisions are only reported of roles whose replicas are not fixed, None of others of them."""
    return {role.spec.reporting for role in roles(service) if role.spec.scaling}


def _shortened(condition: Condition, status: InferenceServiceStatus) -> Condition:
    """Without the numbers of the decision in force, which are told with it."""
    for scaling in (status.scaling, *(role.scaling for role in status.roles)):
        decision = scaling.decision if scaling else None
        if decision and decision.limited_by and decision.message and condition.message.endswith(decision.message):
            about = condition.message.removesuffix(decision.message)
            return condition.model_copy(update={"message": about + why(decision.limited_by)})
    return condition


def _named(conditions: Iterable[Condition]) -> str:
    return ", ".join(f"{one.type} is {one.status}" for one in conditions)


def _said(conditions: Iterable[Condition]) -> str:
    """Their messages, without those that another one contains."""
    messages = list(dict.fromkeys(one.message.removesuffix(".") for one in conditions))
    return "; ".join(one for one in messages if not any(one != other and one in other for other in messages))
