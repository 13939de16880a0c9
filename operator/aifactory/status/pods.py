"""Why pods do not serve, from what the kubelet and the scheduler say of them."""

from collections.abc import Iterable
from dataclasses import dataclass

from aifactory.api.conditions import Reason
from aifactory.observed import Observed, Pod

_WAITING_REASONS = {
    "ErrImagePull": Reason.IMAGE_PULL_FAILED,
    "ImagePullBackOff": Reason.IMAGE_PULL_FAILED,
    "InvalidImageName": Reason.IMAGE_PULL_FAILED,
    "ErrImageNeverPull": Reason.IMAGE_PULL_FAILED,
    "CrashLoopBackOff": Reason.CONTAINER_CRASHING,
    "RunContainerError": Reason.CONTAINER_CRASHING,
    "CreateContainerError": Reason.CONTAINER_CONFIG_INVALID,
    "CreateContainerConfigError": Reason.CONTAINER_CONFIG_INVALID,
}
_ADVICE = {
    Reason.IMAGE_PULL_FAILED: "check spec.runtime.image and spec.runtime.imagePullSecrets",
    Reason.CONTAINER_CRASHING: "read the pod's log; spec.runtime.args and spec.podTemplate.resources are the usual causes",
    Reason.CONTAINER_CONFIG_INVALID: "check the names in spec.runtime.env and spec.podTemplate",
    Reason.SECRET_NOT_FOUND: "create the Secret in the service's namespace; the pods start by themselves then",
    Reason.POD_REJECTED: "check quotas and the pod security level of the namespace",
}


@dataclass(frozen=True, slots=True)
class Trouble:
    """A cause that needs somebody: the reason and a sentence that says what to change."""

    reason: Reason
    message: str


def trouble(observed: Observed) -> Trouble | None:
    """The first cause that keeps new pods from serving, or None. Waiting for GPUs is not one of them."""
    if observed.workload is not None and observed.workload.replica_failure:
        return _trouble(Reason.POD_REJECTED, observed.workload.replica_failure)
    for pod in sorted(observed.pending_pods, key=lambda pod: -pod.created_at):
        reason = _reason(pod)
        if reason is not None:
            return _trouble(reason, f"pod {pod.name}: {pod.waiting_message or pod.waiting_reason}")
    return None


def unschedulable(pods: Iterable[Pod]) -> tuple[Pod, ...]:
    """Pods that no node can take, the oldest wait first."""
    waiting = [pod for pod in pods if pod.unschedulable]
    return tuple(sorted(waiting, key=lambda pod: pod.unschedulable_since or 0.0))


def lacks_gpus(pod: Pod, resource_name: str) -> bool:
    """The scheduler names the accelerator among what is insufficient, or the nodes' labels as not matching."""
    return f"Insufficient {resource_name}" in pod.unschedulable_message


def _reason(pod: Pod) -> Reason | None:
    reason = _WAITING_REASONS.get(pod.waiting_reason)
    if reason is Reason.CONTAINER_CONFIG_INVALID and pod.waiting_message.startswith('secret "'):
        return Reason.SECRET_NOT_FOUND
    return reason


def _trouble(reason: Reason, what: str) -> Trouble:
    return Trouble(reason, f"{what.rstrip('.')[:600]}; {_ADVICE[reason]}")
