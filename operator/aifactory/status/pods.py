"""Why pods do not serve, from what the kubelet and the scheduler say of them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from aifactory.api.accelerator import AcceleratorSpec
from aifactory.api.conditions import Reason
from aifactory.observed import Group, Pod, Workload

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
ADVICE: Mapping[Reason, str] = {
    Reason.IMAGE_PULL_FAILED: "check spec.runtime.image and spec.runtime.imagePullSecrets",
    Reason.CONTAINER_CRASHING: "read the pod's log; usual causes are spec.runtime.args and spec.podTemplate.resources",
    Reason.CONTAINER_CONFIG_INVALID: "check the names in spec.runtime.env and spec.podTemplate",
    Reason.SECRET_NOT_FOUND: "create the Secret in the service's namespace; the pods start by themselves then",
    Reason.POD_REJECTED: "check quotas and the pod security level of the namespace",
    Reason.POD_NOT_STARTING: "kubectl describe pod shows why; usual causes are a ConfigMap of spec.podTemplate.volumes "
    "or spec.accelerator.resourceClaimTemplate that is not there, and too little spec.podTemplate.resources.memory",
    Reason.STARTUP_TIMEOUT: "raise spec.runtime.startupTimeout, or read the log of a pod",
}
# What a namespace refuses pods for, by a word of the API server's message, where it is not quotas or security.
_REFUSED = {
    "PriorityClass": "check spec.podTemplate.priorityClassName",
    "RuntimeClass": "check spec.podTemplate.runtimeClassName",
}
# A container that failed this often does so again; between two failures it looks as if it were loading.
_CRASHES = 2
# A scheduler looks at a pod at once, or when another one has taken over from it; it says when it finds no node. The
# kubelet itself waits two minutes for volumes to be attached and mounted before it tries again.
_SCHEDULER_SECONDS = 60.0
_NODE_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Trouble:
    """A cause that needs somebody: the reason and a sentence that says what to change."""

    reason: Reason
    message: str


def trouble(group: Group, now: float, advice: Mapping[Reason, str] = ADVICE) -> Trouble | None:
    """The first cause that keeps new pods from serving, and what to do; None without one, or while GPUs are short.

    `now` is epoch seconds.
    """
    if group.workload is not None and group.workload.replica_failure:
        return _refused(group.workload.replica_failure, advice)
    starting = _starting(group)
    for pod in starting:
        reason = stuck(pod)
        if reason is not None:
            return _trouble(reason, f"pod {pod.culprit or pod.name}: {detail(pod)}", advice)
    if (found := next(filter(None, (unstarted(pod, now) for pod in starting)), None)) is not None:
        return _trouble(Reason.POD_NOT_STARTING, found, advice)
    if late(group, now):
        return _trouble(Reason.STARTUP_TIMEOUT, "replicas load for longer than spec.runtime.startupTimeout", advice)
    return None


def late(group: Group, now: float) -> bool:
    """New replicas load for longer than they may; those that have no node, or that it has not started, do not load.

    `now` is epoch seconds.
    """
    one = group.workload
    exceeded = one is not None and (one.progress_deadline_exceeded or (one.due_at is not None and one.due_at < now))
    return exceeded and not any(pod.unschedulable or pod.unstarted_since is not None for pod in _starting(group))


def failing(group: Group, now: float, allowed: float) -> Trouble | None:
    """As `trouble`, but pods that crash again and again count though they serve in between.

    Neither a quota does nor pods that may still start, until the `allowed` seconds for it are over.
    """
    found = trouble(group, now)
    if found is not None and not _may_pass(found, group, now - allowed):
        return found
    crashed = next((pod for pod in group.serving_pods if pod.restarts >= _CRASHES), None)
    return _trouble(Reason.CONTAINER_CRASHING, f"pod {crashed.name}: {detail(crashed)}", ADVICE) if crashed else None


def _may_pass(found: Trouble, group: Group, begun: float) -> bool:
    """Not what began before `begun` (epoch seconds): a Deployment gives up what is new, and not what is added later."""
    over_quota = found.reason is Reason.POD_REJECTED and "exceeded quota" in found.message
    one = group.workload or Workload(replicas=0)
    since = (one.refused_since, *(pod.unstarted_since for pod in _starting(group)))
    exceeded = one.progress_deadline_exceeded or any(time is not None and time < begun for time in since)
    return (over_quota or found.reason is Reason.POD_NOT_STARTING) and not exceeded


def current(group: Group) -> tuple[Pod, ...]:
    """Pods of the template that is rolled out: those that are as many as the workload says, or that came last."""
    templates: defaultdict[str, list[Pod]] = defaultdict(list)
    for pod in group.pods:
        templates[pod.template_hash].append(pod)
    updated = group.workload.updated if group.workload else 0

    def rank(pods: list[Pod]) -> tuple[bool, float]:
        count = sum(not pod.terminating for pod in pods)
        return 0 < count == updated, min(pod.created_at for pod in pods)

    found: list[Pod] = max(templates.values(), key=rank, default=[])
    return tuple(found)


def _starting(group: Group) -> list[Pod]:
    """Pods of the template that is rolled out which do not serve yet, newest first; others are being replaced."""
    return sorted((pod for pod in current(group) if pod.pending), key=lambda pod: -pod.created_at)


def unschedulable(pods: Iterable[Pod]) -> tuple[Pod, ...]:
    """Pods that no node can take, the oldest wait first."""
    waiting = [pod for pod in pods if pod.unschedulable]
    return tuple(sorted(waiting, key=lambda pod: pod.unschedulable_since or 0.0))


def lack(accelerator: AcceleratorSpec) -> str:
    """What the scheduler says of nodes without a free GPU: its plugins NodeResourcesFit, and DynamicResources."""
    if accelerator.resource_claim_template:
        return "cannot allocate all claims"
    return f"Insufficient {accelerator.resource_name}"


def lacks_gpus(pod: Pod, accelerator: AcceleratorSpec) -> bool:
    """The scheduler names the accelerator among what is insufficient, or the claim among what cannot be had.

    Other resources, labels, taints and volumes may keep a pod away too, which more GPUs do not change.
    """
    return lack(accelerator) in pod.unschedulable_message


def comes_free(pod: Pod, accelerator: AcceleratorSpec) -> bool:
    """What the pod waits for is among what leaving pods give back, unlike labels, taints and volumes."""
    return "Insufficient " in pod.unschedulable_message or lacks_gpus(pod, accelerator)


def stuck(pod: Pod) -> Reason | None:
    """Why a container of the pod cannot run, None if nothing is known to keep it from that."""
    reason = _WAITING_REASONS.get(pod.waiting_reason)
    if reason is Reason.CONTAINER_CONFIG_INVALID and pod.waiting_message.startswith('secret "'):
        return Reason.SECRET_NOT_FOUND
    return Reason.CONTAINER_CRASHING if reason is None and pod.restarts >= _CRASHES else reason


def unstarted(pod: Pod, now: float) -> str | None:
    """Who has not begun with a pod for too long at `now` (epoch seconds); None while it may just be about to."""
    if pod.unstarted_since is None:
        return None
    waits, name = now - pod.unstarted_since, pod.culprit or pod.name
    if not pod.scheduled:
        return f"pod {name}: the scheduler has not looked at it" if waits > _SCHEDULER_SECONDS else None
    return f"pod {name}: its node cannot start its containers" if waits > _NODE_SECONDS else None


def detail(pod: Pod) -> str:
    """What the kubelet says of it."""
    if pod.last_exit and pod.waiting_reason in ("", "CrashLoopBackOff"):
        return f"container failed with {pod.last_exit}"
    return pod.waiting_message or pod.waiting_reason or f"{pod.restarts} restarts"


def _refused(said: str, advice: Mapping[Reason, str]) -> Trouble:
    other = next((field for word, field in _REFUSED.items() if word in said), None)
    return _trouble(Reason.POD_REJECTED, said, {**advice, Reason.POD_REJECTED: other} if other else advice)


def _trouble(reason: Reason, what: str, advice: Mapping[Reason, str]) -> Trouble:
    return Trouble(reason, f"{what.rstrip('.')[:600]}; {advice[reason]}")
