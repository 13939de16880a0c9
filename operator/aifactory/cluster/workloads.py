"""What keeps the pods of a role, in numbers: a Deployment, a LeaderWorkerSet, or a set of StatefulSets."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from aifactory.api.role import RoleName
from aifactory.observed import ChildId, Pod, Workload
from aifactory.render import labels, naming
from aifactory.render.drift import HASH_ANNOTATION
from aifactory.render.nodes import replica_of
from aifactory.render.template import capability, given
from aifactory.render.workload import PULL_SECONDS
from aifactory.status.numbers import epoch

# All pods of the newest template have served; from then on a Deployment has no progress deadline.
_SERVED = "NewReplicaSetAvailable"

_Children = Mapping[ChildId, Mapping[str, Any]]


def workload(service: str, role: RoleName, children: _Children, pods: Iterable[Pod]) -> Workload | None:
    """The newest one of a role of the service of this name; earlier ones are counted as replicas to be replaced.

    `pods` are those of the role, replicas of several pods folded.
    """
    every = tuple(pods)
    found = sorted(_found(service, role, children, every), key=lambda one: one[0])
    if not found:
        return None
    (_, newest), former = found[-1], [one for _, one in found[:-1]]
    return replace(
        newest,
        available=newest.available + sum(one.available for one in former),
        total=newest.total + sum(one.total for one in former),
    )


def _found(service: str, role: RoleName, children: _Children, pods: tuple[Pod, ...]) -> Iterable[tuple[str, Workload]]:
    """Workloads with the time they were created."""
    deployment = children.get(("Deployment", naming.workload(service, role)))
    if deployment:
        yield _created(deployment), workload_of(deployment)
    groups = children.get(("LeaderWorkerSet", naming.nodes(service, role)))
    if groups:
        yield _created(groups), _of_groups(groups, pods)
    shared = children.get(("Service", naming.nodes(service, role)))
    if shared:
        yield _created(shared), _of_stateful_sets(shared, role, children, pods)


def _created(obj: Mapping[str, Any]) -> str:
    time: str = obj["metadata"].get("creationTimestamp") or ""
    return time


def _of_groups(groups: Mapping[str, Any], pods: tuple[Pod, ...]) -> Workload:
    status, spec = groups.get("status") or {}, groups["spec"]
    true = {one["type"]: one["lastTransitionTime"] for one in status.get("conditions") or [] if one["status"] == "True"}
    leader = spec.get("leaderWorkerTemplate", {}).get("leaderTemplate")
    return Workload(
        replicas=spec.get("replicas", 1),
        generation=groups["metadata"].get("generation", 0),
        observed_generation=status.get("observedGeneration", 0),
        updated=status.get("updatedReplicas", 0),
        ready=status.get("readyReplicas", 0),
        available=status.get("readyReplicas", 0),
        total=status.get("replicas", 0),
        # Its pods say less: they are made anew when the model does not load in time.
        due_at=_due(leader, epoch(true.get("Progressing")), pods),
        # Of all but the number of replicas, which is as good: hardly anything else of it changes.
        template=(groups["metadata"].get("annotations") or {}).get(HASH_ANNOTATION, ""),
        capability=capability(leader) if leader else "",
    )


def _of_stateful_sets(
    shared: Mapping[str, Any], role: RoleName, children: _Children, pods: tuple[Pod, ...]
) -> Workload:
    wanted = shared["metadata"].get("annotations") or {}
    sets = [
        child
        for (kind, _), child in children.items()
        if kind == "StatefulSet" and child["metadata"]["labels"].get(labels.ROLE) == role
    ]
    templates = {replica_of(one): one["metadata"]["labels"].get(labels.TEMPLATE) for one in sets}
    asked = wanted.get(labels.REPLICAS, "0")
    ready = sum(pod.ready and not pod.terminating for pod in pods if pod.grouped)
    leader = _leader(sets, wanted.get(labels.TEMPLATE))
    starting = [pod.placed_at for pod in pods if pod.grouped and pod.pending]
    return Workload(
        replicas=int(asked) if asked.isdecimal() else len(templates),
        updated=sum(template == wanted.get(labels.TEMPLATE) for template in templates.values()),
        ready=ready,
        available=ready,
        total=len(templates),
        due_at=_due(leader, max(starting, default=None), pods),
        capability=capability(leader) if leader else "",
    )


def _leader(sets: Iterable[Mapping[str, Any]], digest: str | None) -> Mapping[str, Any] | None:
    """The template of a leader of those given this one; any stands for all."""
    alike = (one["spec"]["template"] for one in sets if one["metadata"]["labels"].get(labels.TEMPLATE) == digest)
    return next((one for one in alike if labels.ROLE in one["metadata"]["labels"]), None)


def _due(leader: Mapping[str, Any] | None, begun: float | None, pods: tuple[Pod, ...]) -> float | None:
    """When replicas that began to start then should be ready, as a Deployment's progress deadline has it.

    A replica that became ready since is progress. None while none starts, or where nothing says how long it may take.
    """
    containers = (leader or {}).get("spec", {}).get("containers") or ()
    probe = next((one["startupProbe"] for one in containers if "startupProbe" in one), None)
    if begun is None or probe is None:
        return None
    progress = max((pod.ready_at or 0.0 for pod in pods if pod.grouped and pod.ready), default=0.0)
    allowed: int = probe["periodSeconds"] * probe["failureThreshold"] + PULL_SECONDS
    return max(begun, progress) + allowed


def workload_of(deployment: Mapping[str, Any]) -> Workload:
    """A Deployment's numbers and troubles."""
    status = deployment.get("status") or {}
    conditions = {condition["type"]: condition for condition in status.get("conditions") or []}
    failure, template = conditions.get("ReplicaFailure", {}), deployment["spec"].get("template")
    refused, progress = failure.get("status") == "True", conditions.get("Progressing", {}).get("reason")
    both = (deployment["metadata"].get("annotations") or {}).get(labels.REPLICAS, "")
    return Workload(
        replicas=deployment["spec"].get("replicas", 1),
        generation=deployment["metadata"].get("generation", 0),
        observed_generation=status.get("observedGeneration", 0),
        updated=status.get("updatedReplicas", 0),
        ready=status.get("readyReplicas", 0),
        available=status.get("availableReplicas", 0),
        total=status.get("replicas", 0),
        progress_deadline_exceeded=progress == "ProgressDeadlineExceeded",
        replica_failure=failure.get("message", "") if refused else "",
        refused_since=epoch(failure.get("lastTransitionTime")) if refused and progress == _SERVED else None,
        template=given(deployment),
        capability=capability(template) if template else "",
        both=int(both) if both.isdecimal() else None,
    )
