"""`Ready`, computed in this one place."""

from aifactory.api.conditions import ConditionType, Reason
from aifactory.api.role import RoleName
from aifactory.observed import Pod

from . import rollout
from .conditions import Verdict, worst
from .facts import Facts, RoleFacts
from .placing import nowhere, shortage
from .pods import comes_free, current, trouble, unschedulable

# Until the place of a pod that has ended is given to another one: the scheduler looks again within ten seconds.
_PLACE_SECONDS = 30.0
_MOST_NAMES = 5
ASLEEP = "no replica runs; the next request is held until one serves"
COLD_STARTING = "requests are held while the first replica loads the model"


def ready(facts: Facts) -> Verdict:
    """True: the replicas asked for serve the current spec. Unknown: on the way there. False: somebody should look.

    The role that is furthest from it counts; a canary counts before all of them.
    """
    canary = next(rollout.verdicts(facts.canary), None)
    return canary or worst(Verdict(ConditionType.READY, *_judge(facts, one)) for one in facts.roles)[0]


def _judge(facts: Facts, one: RoleFacts) -> tuple[bool | None, Reason, str]:
    status, reason, message = _state(facts, one)
    return status, reason, facts.about(one, message)


def _state(facts: Facts, one: RoleFacts) -> tuple[bool | None, Reason, str]:
    available, total = one.workload.available, facts.required(one)
    serving = f"{available} of {total} required replicas serve"
    kept = f"; still serving: {available} of {one.workload.replicas}" if available else ""
    cause = facts.refused or facts.trouble_of(one)
    if cause is not None:
        return False, cause.reason, cause.message + kept
    if facts.held is not None:
        return facts.held.status, facts.held.reason, facts.held.message + kept
    if one.group.workload is None:
        return _absent(facts)
    if facts.rolling_out(one):
        return _rolling_out(facts, one)
    if facts.frozen and available >= total:
        return _frozen(facts, facts.frozen, available)
    if facts.asleep(one):
        return _asleep(facts)
    if total == 0 and one.workload.replicas == 0:
        return True, Reason.SCALED_TO_ZERO, "0 replicas are asked for; no request is answered"
    if available >= total:
        return True, Reason.AVAILABLE, "all required replicas serve"
    waiting = unschedulable(one.group.pods)
    if waiting:
        return False, shortage(one.role, waiting), f"{serving}; {nowhere(one.role, waiting[0])}"
    if facts.cold(one) and not any(pod.restarts for pod in one.group.pending_pods):
        return None, Reason.COLD_STARTING, f"{serving}; {COLD_STARTING}"
    if any(pod.restarts for pod in one.group.pending_pods) or _was_ready(facts):
        return False, Reason.WAITING_FOR_REPLICAS, serving
    return None, Reason.MODEL_LOADING, f"{serving}; the model is loading"


def _frozen(facts: Facts, reason: Reason, available: int) -> tuple[bool | None, Reason, str]:
    """As it should be, unless clients do not find what serves; what else is missing has no part in that."""
    told, names = f"spec.mode is {facts.service.spec.mode}: nothing is changed", ", ".join(facts.missing[:_MOST_NAMES])
    if f"Service/{facts.service.metadata.name}" in facts.missing:
        return False, reason, f"{told}, though without its Service no request is answered; missing: {names}"
    return True, reason, f"{told}; serving: {available}" + (f"; missing: {names}" if names else "")


def _rolling_out(facts: Facts, one: RoleFacts) -> tuple[bool | None, Reason, str]:
    """On its way, unless a new pod waits for what no replica that leaves will give back."""
    new = () if one.workload.lagging else current(one.group)
    run = min(sum(pod.ready and not pod.terminating for pod in new), one.workload.replicas)
    told = f"{run} of {one.workload.replicas} replicas run the current spec; serving: {one.workload.available}"
    waiting = unschedulable(new)
    if not waiting:
        return None, Reason.ROLLING_OUT, told
    lasting = [pod for pod in waiting if not _soon(facts, one, pod)]
    told = f"{told}; {nowhere(one.role, next(iter(lasting), waiting[0]))}"
    return (False, shortage(one.role, lasting), told) if lasting else (None, Reason.ROLLING_OUT, told)


def _soon(facts: Facts, one: RoleFacts, pod: Pod) -> bool:
    """The pod may get the place of a replica that finishes its requests."""
    seconds = facts.now - (pod.unschedulable_since or facts.now)
    patience = one.role.spec.drain.timeout.total_seconds() + _PLACE_SECONDS
    return seconds < patience and comes_free(pod, one.role.spec.accelerator)


def _asleep(facts: Facts) -> tuple[bool | None, Reason, str]:
    """Healthy, as long as somebody holds the request that ends it."""
    activator = facts.observed.group(RoleName.ACTIVATOR)
    if activator.serving_pods:
        return True, Reason.SCALED_TO_ZERO, ASLEEP
    cause = trouble(activator, facts.now)
    why = f": {cause.message}" if cause else ""
    return False, Reason.ACTIVATOR_NOT_READY, f"no replica runs, and no activator holds requests{why}"


def _absent(facts: Facts) -> tuple[bool | None, Reason, str]:
    if facts.frozen:
        return None, facts.frozen, f"spec.mode is {facts.service.spec.mode}: nothing is created"
    return None, Reason.CREATING, "the workload is being created"


def _was_ready(facts: Facts) -> bool:
    """This spec was served, and nothing but the loss of replicas happened since."""
    before = next((one for one in facts.before.conditions if one.type == ConditionType.READY), None)
    lost = before is not None and (before.status == "True" or before.reason == Reason.WAITING_FOR_REPLICAS)
    return lost and not facts.changed
