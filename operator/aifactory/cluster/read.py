"""Kubernetes objects as the plain values of `aifactory.observed`."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from aifactory.observed import Pod, Workload
from aifactory.render import labels

_ENDED = ("Succeeded", "Failed")
_STARTING = ("ContainerCreating", "PodInitializing")


def epoch(text: str | None) -> float | None:
    """Seconds since 1970 of an RFC 3339 time."""
    return datetime.fromisoformat(text).timestamp() if text else None


def pod_of(obj: Mapping[str, Any]) -> Pod:
    """A pod of a model server; one that ended counts as leaving."""
    metadata, status = obj["metadata"], obj.get("status") or {}
    conditions = {condition["type"]: condition for condition in status.get("conditions") or []}
    ready, scheduled = conditions.get("Ready", {}), conditions.get("PodScheduled", {})
    unschedulable = scheduled.get("status") == "False" and scheduled.get("reason") == "Unschedulable"
    containers = [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]
    waiting = _waiting(containers)
    return Pod(
        name=metadata["name"],
        created_at=epoch(metadata.get("creationTimestamp")) or 0.0,
        ready=ready.get("status") == "True",
        ready_at=epoch(ready.get("lastTransitionTime")) if ready.get("status") == "True" else None,
        terminating=metadata.get("deletionTimestamp") is not None or status.get("phase") in _ENDED,
        unschedulable_since=epoch(scheduled.get("lastTransitionTime")) if unschedulable else None,
        unschedulable_message=scheduled.get("message", "") if unschedulable else "",
        waiting_reason=waiting.get("reason", ""),
        waiting_message=waiting.get("message", ""),
        restarts=sum(container.get("restartCount", 0) for container in containers),
        last_exit=next(filter(None, map(_exit, containers)), ""),
        template_hash=(metadata.get("labels") or {}).get("pod-template-hash", ""),
        template=(metadata.get("annotations") or {}).get(labels.TEMPLATE, ""),
    )


def _waiting(containers: Iterable[Mapping[str, Any]]) -> Mapping[str, Any]:
    """What a container waits for; one that cannot start says more than one that has not started yet."""
    waiting = [state["waiting"] for container in containers if "waiting" in (state := container.get("state") or {})]
    return max(waiting, key=lambda state: state.get("reason") not in _STARTING, default={})


def _exit(container: Mapping[str, Any]) -> str:
    """How a container ended last, if it failed."""
    states = (container.get("state") or {}, container.get("lastState") or {})
    ended: Mapping[str, Any] = next((state["terminated"] for state in states if "terminated" in state), {})
    if not ended.get("exitCode"):
        return ""
    last_words = (ended.get("message") or "").strip().splitlines()[-1:]
    return ": ".join([f"{ended.get('reason', 'Error')}, exit code {ended['exitCode']}", *last_words])


def workload_of(deployment: Mapping[str, Any]) -> Workload:
    """A Deployment's numbers and troubles."""
    status = deployment.get("status") or {}
    conditions = {condition["type"]: condition for condition in status.get("conditions") or []}
    failure = conditions.get("ReplicaFailure", {})
    return Workload(
        replicas=deployment["spec"].get("replicas", 1),
        generation=deployment["metadata"].get("generation", 0),
        observed_generation=status.get("observedGeneration", 0),
        updated=status.get("updatedReplicas", 0),
        ready=status.get("readyReplicas", 0),
        available=status.get("availableReplicas", 0),
        total=status.get("replicas", 0),
        progress_deadline_exceeded=conditions.get("Progressing", {}).get("reason") == "ProgressDeadlineExceeded",
        replica_failure=failure.get("message", "") if failure.get("status") == "True" else "",
    )
