"""`Ready`, computed in this one place."""

from aifactory.api.conditions import ConditionType, Reason

from .conditions import Verdict
from .facts import Facts
from .pods import lacks_gpus, unschedulable


def ready(facts: Facts) -> Verdict:
    """True: the replicas asked for serve the current spec. Unknown: on the way there. False: somebody should look."""
    status, reason, message = _judge(facts)
    return Verdict(ConditionType.READY, status, reason, message)


def _judge(facts: Facts) -> tuple[bool | None, Reason, str]:
    available, total = facts.workload.available, facts.required
    serving = f"{available} of {total} required replicas serve"
    if facts.trouble is not None:
        kept = f"; still serving: {available} of {facts.workload.replicas}" if available else ""
        return False, facts.trouble.reason, facts.trouble.message + kept
    if facts.observed.workload is None:
        return _absent(facts)
    if facts.rolling_out:
        updated = f"{facts.workload.updated} of {facts.workload.replicas} replicas run the current spec"
        return None, Reason.ROLLING_OUT, f"{updated}; serving: {available}"
    if facts.frozen and available >= total:
        return True, facts.frozen, f"spec.mode is {facts.service.spec.mode}: nothing is changed; serving: {available}"
    if total == 0 and facts.workload.replicas == 0:
        return True, Reason.SCALED_TO_ZERO, "0 replicas are asked for; no request is answered"
    if available >= total:
        return True, Reason.AVAILABLE, "all required replicas serve"
    waiting = unschedulable(facts.observed.pods)
    if waiting:
        return False, _shortage(facts), f"{serving}; {waiting[0].unschedulable_message}"
    if any(pod.restarts for pod in facts.observed.pending_pods) or _was_ready(facts):
        return False, Reason.WAITING_FOR_REPLICAS, serving
    return None, Reason.MODEL_LOADING, f"{serving}; the model is loading"


def _absent(facts: Facts) -> tuple[bool | None, Reason, str]:
    if facts.frozen:
        return None, facts.frozen, f"spec.mode is {facts.service.spec.mode}: nothing is created"
    return None, Reason.CREATING, "the workload is being created"


def _shortage(facts: Facts) -> Reason:
    waiting = unschedulable(facts.observed.pods)
    accelerator = facts.service.spec.accelerator
    return Reason.INSUFFICIENT_GPUS if any(lacks_gpus(pod, accelerator) for pod in waiting) else Reason.UNSCHEDULABLE


def _was_ready(facts: Facts) -> bool:
    """This spec was served, and nothing but the loss of replicas happened since."""
    before = next((one for one in facts.before.conditions if one.type == ConditionType.READY), None)
    lost = before is not None and (before.status == "True" or before.reason == Reason.WAITING_FOR_REPLICAS)
    return lost and not facts.changed
