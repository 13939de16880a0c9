"""Every condition but `Ready`. Conditions that name a trouble are present only while it lasts."""

from collections.abc import Iterator

from aifactory.api.conditions import ConditionType, Reason
from aifactory.autoscale.bounds import SCHEDULED, Bounds, bounds_of
from aifactory.autoscale.decision import DecisionReason
from aifactory.observed import Pod
from aifactory.signals.objectives import Signal
from aifactory.signals.readings import ServiceReadings, State

from . import rollout, slo
from .conditions import Verdict, worst
from .exposed import exposed
from .facts import Facts, RoleFacts
from .placing import nowhere
from .pods import Trouble, lacks_gpus, late, trouble, unschedulable
from .ready import ASLEEP, COLD_STARTING
from .routing import routing

T = ConditionType
# Limits that a user or the cluster sets. Others only pace a change, and pass.
_BOUNDS = {
    DecisionReason.AT_MAXIMUM: Reason.AT_MAXIMUM,
    DecisionReason.SCHEDULED_MAXIMUM: Reason.SCHEDULED_MAXIMUM,
    DecisionReason.BUDGET: Reason.BUDGET,
    DecisionReason.GPU_SHORTAGE: Reason.INSUFFICIENT_GPUS,
}
_MOST_NAMES = 5
_ON_THEIR_WAY = "the first samples are on their way"
_FROM_READINGS = frozenset((T.METRICS_AVAILABLE, T.SLO_MET, T.SLO_RESOLUTION))
_FROM_DECISION = frozenset((T.SCALING_ACTIVE, T.SCALING_LIMITED, T.SLO_INFEASIBLE, T.ENGINE_STALLED, T.GPU_SHORTAGE))


def unread(facts: Facts) -> frozenset[ConditionType]:
    """Types that cannot be judged yet, as a process that has just started has read no signals: they stay as written."""
    undecided = any(one.scales and one.decision is None and one.group.workload is not None for one in facts.roles)
    readings = _FROM_READINGS if facts.readings is None and facts.serving else frozenset()
    return readings | (_FROM_DECISION if undecided else frozenset())


def verdicts(facts: Facts) -> Iterator[Verdict]:
    """Conditions in the order in which a reader needs them."""
    yield Verdict(T.ACCEPTED, True, Reason.VALID, "the spec can be acted on")
    yield from _rollout(facts)
    yield from _model(facts)
    yield from exposed(facts)
    yield from routing(facts)
    yield from worst(verdict for one in facts.roles for verdict in _gpu_shortage(facts, one))
    if facts.readings is not None and facts.serving:
        yield _metrics(facts, facts.readings)
        yield from slo.verdicts(facts, facts.readings)
    yield from worst(verdict for one in facts.roles for verdict in _scaling(facts, one))


def _rollout(facts: Facts) -> Iterator[Verdict]:
    if facts.trouble is not None:
        yield Verdict(T.STALLED, True, facts.trouble.reason, facts.trouble.message)
    if facts.held is not None:
        yield Verdict(T.RECONCILING, True, facts.held.reason, facts.held.message)
    elif not facts.observed.exists and not facts.frozen and facts.trouble is None:
        yield Verdict(T.RECONCILING, True, Reason.CREATING, "the workload is being created")
    if facts.held is not None or not facts.observed.exists:
        return
    if canary := list(rollout.verdicts(facts.canary)):
        yield from canary[1:]
        return
    if any(late(one.group, facts.now) for one in facts.roles):
        message = "replicas take longer than spec.runtime.startupTimeout to load"
        yield Verdict(T.PROGRESSING, False, Reason.STARTUP_TIMEOUT, message)
        return
    rolling = any(facts.rolling_out(one) for one in facts.roles)
    if rolling or any(one.workload.available < facts.required(one) for one in facts.roles):
        reason = Reason.ROLLING_OUT if rolling else Reason.WAITING_FOR_REPLICAS
        yield Verdict(T.PROGRESSING, True, reason, "replicas of the current spec are starting")
        if facts.trouble is None:
            yield Verdict(T.RECONCILING, True, reason, "replicas of the current spec are starting")
    else:
        yield Verdict(T.PROGRESSING, True, Reason.ROLLOUT_COMPLETE, "all replicas run the current spec")


def _model(facts: Facts) -> Iterator[Verdict]:
    if not facts.observed.exists:
        if facts.held is not None:
            yield Verdict(T.MODEL_READY, False, facts.held.reason, facts.held.message)
        return
    absent = [one for one in facts.roles if not one.group.serving_pods]
    if not absent:
        yield Verdict(T.MODEL_READY, True, Reason.AVAILABLE, "the model is loaded and answers")
    elif facts.asleep(absent[0]):
        yield Verdict(T.MODEL_READY, False, Reason.SCALED_TO_ZERO, ASLEEP)
    elif facts.cold(absent[0]):
        yield Verdict(T.MODEL_READY, False, Reason.COLD_STARTING, COLD_STARTING)
    elif all(one.workload.replicas == 0 for one in absent):
        yield Verdict(T.MODEL_READY, False, Reason.SCALED_TO_ZERO, facts.about(absent[0], "0 replicas are asked for"))
    else:
        message = facts.about(absent[0], "no replica has the model loaded yet")
        yield Verdict(T.MODEL_READY, False, Reason.MODEL_LOADING, message)


def _gpu_shortage(facts: Facts, one: RoleFacts) -> Iterator[Verdict]:
    accelerator = one.role.spec.accelerator
    homeless = unschedulable(one.group.pods)
    waiting = [pod for pod in homeless if lacks_gpus(pod, accelerator)]
    known = one.decision is not None and one.decision.gpu_shortage
    if (known and not homeless) or (waiting and (known or not one.scales)):
        message = nowhere(one.role, waiting[0]) if waiting else "pods wait for a node"
        yield Verdict(T.GPU_SHORTAGE, True, Reason.INSUFFICIENT_GPUS, facts.about(one, message))


def _metrics(facts: Facts, readings: ServiceReadings) -> Verdict:
    if readings.error:
        return Verdict(T.METRICS_AVAILABLE, False, Reason.PROMETHEUS_UNREACHABLE, readings.error)
    settled = list(_settled(facts))
    unknown = [missing for one in facts.roles if one.role.dialects for missing in _unknown(one)]
    if unknown and not settled:
        return Verdict(T.METRICS_AVAILABLE, None, Reason.METRICS_MISSING, _ON_THEIR_WAY)
    silent = sorted(pod.name for pod, seen in settled if pod.name not in seen.pods)
    if silent:
        return Verdict(
            T.METRICS_AVAILABLE,
            False,
            Reason.PODS_NOT_SCRAPED,
            f"Prometheus has no fresh sample of {', '.join(silent[:_MOST_NAMES])}",
        )
    if unknown:
        signal, state = unknown[0]
        reason = Reason.METRICS_STALE if state is State.STALE else Reason.METRICS_MISSING
        return Verdict(T.METRICS_AVAILABLE, False, reason, f"{signal} cannot be read: {state}")
    return Verdict(T.METRICS_AVAILABLE, True, Reason.METRICS_READ, "every replica reports")


def _unknown(one: RoleFacts) -> list[tuple[Signal, State]]:
    """Signals of a role that should be there and are not: its objectives, then what else the law looks at."""
    objectives = one.readings.objectives if one.readings is not None else ()
    others = one.decision.recommendations if one.decision is not None else ()
    found = [(item.objective.signal, item.observed.state) for item in objectives]
    found += [(item.signal, item.state) for item in others]
    return [(signal, state) for signal, state in found if state.unknown]


def _settled(facts: Facts) -> Iterator[tuple[Pod, ServiceReadings]]:
    """Pods that have served for long enough to be measured, with the readings of their role."""
    for one in facts.roles:
        if (seen := one.readings) is not None and one.role.dialects:
            found = (pod for pod in one.group.serving_pods if _ready_for(facts, pod) > seen.window_seconds)
            yield from ((pod, seen) for pod in found)


def _ready_for(facts: Facts, pod: Pod) -> float:
    """Seconds; a pod that has just become ready has not been scraped yet, which is no news."""
    return facts.now - (pod.ready_at or 0.0)


def _scaling(facts: Facts, one: RoleFacts) -> Iterator[Verdict]:
    decision = one.decision
    if not one.scales or decision is None:
        return
    status, reason, message = _activity(facts, one)
    yield Verdict(T.SCALING_ACTIVE, status, reason, facts.about(one, message) if not status else message)
    if (bounds := bounds_of(one.role, facts.now)) and bounds.unaffordable is not None:
        message = _unaffordable(bounds, bounds.unaffordable)
        yield Verdict(T.SCALING_LIMITED, True, Reason.BUDGET_BELOW_MINIMUM, facts.about(one, message))
    elif decision.limited_by in _BOUNDS:
        yield Verdict(T.SCALING_LIMITED, True, _BOUNDS[decision.limited_by], facts.about(one, decision.message))
    elif decision.limited_by is DecisionReason.PODS_NOT_STARTING:
        cause = trouble(one.group, facts.now) or Trouble(Reason.STARTUP_TIMEOUT, decision.message)
        yield Verdict(T.SCALING_LIMITED, True, cause.reason, facts.about(one, cause.message))
    if decision.infeasible:
        message = (
            f"too many requests miss {', '.join(decision.infeasible)} even alone on a replica: more replicas do not "
            "help; another GPU, a higher target or a lower slo.attainment does"
        )
        yield Verdict(T.SLO_INFEASIBLE, True, Reason.BASE_LATENCY_ABOVE_OBJECTIVE, message)
    if decision.engine_stalled:
        message = "requests wait but no token comes out; look at the engine's log"
        yield Verdict(T.ENGINE_STALLED, True, Reason.NO_TOKENS, facts.about(one, message))
    elif decision.stuck_pods:
        names = ", ".join(decision.stuck_pods[:_MOST_NAMES])
        message = f"{names}: requests run there but no token comes out; neither it nor its requests count for scaling"
        yield Verdict(T.ENGINE_STALLED, True, Reason.PODS_STUCK, facts.about(one, message))


def _unaffordable(bounds: Bounds, fewest: int) -> str:
    if fewest == 1:
        return "spec.scaling.budget is too small for one replica, which runs all the same: raise the budget"
    field = "spec.scaling.minReplicas"
    if bounds.asked_by is not DecisionReason.AT_MINIMUM:
        field = f"{SCHEDULED[bounds.asked_by]} of schedule {', '.join(bounds.schedules)}"
    return (
        f"spec.scaling.budget is too small for {fewest} replicas, the fewest by {field}; "
        f"{bounds.high} may run: raise the budget or lower {field}"
    )


def _activity(facts: Facts, one: RoleFacts) -> tuple[bool | None, Reason, str]:
    """Whether replicas follow the objectives."""
    readings = one.readings
    unknown = readings is None or bool(readings.error) or bool(_unknown(one))
    if facts.frozen:
        return False, facts.frozen, f"spec.mode is {facts.service.spec.mode}: decisions are only reported"
    if one.role.spec.recommends:
        return False, Reason.RECOMMEND_ONLY, "spec.scaling.mode is Recommend: decisions are only reported"
    if facts.asleep(one):
        return True, Reason.SCALED_TO_ZERO, ASLEEP
    if not one.group.serving_pods:
        return None, Reason.MODEL_LOADING, "no replica serves yet"
    if readings is not None and not readings.error and unknown and not any(_settled(facts)):
        return None, Reason.METRICS_MISSING, _ON_THEIR_WAY
    if unknown:
        return False, Reason.HOLDING, "signals are missing: replicas are held, never lowered"
    return True, Reason.FOLLOWING_OBJECTIVES, "replicas follow the objectives"
