"""What becomes of replicas of several pods: which are had, which stay a while, and which start anew."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from aifactory.exchange import Exchange, Replica, exchange, makes_way
from aifactory.observed import ChildId, Group, Observed, Pod
from aifactory.render import labels, naming
from aifactory.render.nodes import replica_of, template_hash
from aifactory.runtimes import Role
from aifactory.together import by_replica, deadlocked, left_behind

# LeaderWorkerSet takes less when it sees a pod leave. It does not see one that is gone at once, as those of a lost node
# are, nor any while it is not running (handleRestartPolicy of its pod controller).
UNSEEN_SECONDS = 20.0
_NONE = Exchange(())


def chosen(role: Role, observed: Observed, wanted: int, in_flight: Mapping[str, float]) -> Exchange:
    """Which replicas StatefulSets keep from now on, of `wanted`; `in_flight` maps leaders to the requests they hold."""
    if not _several(role):
        return _NONE
    group, digest = observed.group(role.name), template_hash(role)
    busy = max(in_flight.values(), default=0.0) + 1
    pods = {pod.replica: pod for pod in group.pods if pod.grouped}
    live: dict[int, Replica] = {}
    for child in _stateful_sets(role, observed).values():
        number, template = replica_of(child), child["metadata"]["labels"].get(labels.TEMPLATE)
        pod = pods.get(str(number))
        load = in_flight.get(pod.name, busy) if pod else 0.0
        serves = pod is not None and pod.ready and not pod.terminating
        live[number] = Replica(template == digest, serves, load)
    return exchange(live, wanted, role.spec.rollout, taken={int(pod.replica) for pod in group.members})


def lasting(served: Collection[str], observed: Observed) -> Collection[str]:
    """Kinds that may be used: replicas stay what they are when LeaderWorkerSet is installed later."""
    native = any(kind == "StatefulSet" for kind, _ in observed.children)
    return set(served) - {"LeaderWorkerSet"} if native else served


def kept_for_now(role: Role, observed: Observed, wanted: int, choice: Exchange) -> Collection[ChildId]:
    """Workloads that are not wanted any more and serve on until others do."""
    return {*_staying(role, observed, choice), *_former(role, observed, wanted)}


def _staying(role: Role, observed: Observed, choice: Exchange) -> Iterator[ChildId]:
    """StatefulSets of replicas of an earlier spec."""
    sets = _stateful_sets(role, observed).items()
    return (child_id for child_id, one in sets if replica_of(one) in choice.stay)


def _former(role: Role, observed: Observed, wanted: int) -> Iterable[ChildId]:
    """What kept the pods of a role before a change between one pod per replica and several; it goes when others serve.

    Without room for both, and where all replicas may be missing, it goes first.
    """
    rollout, name = role.spec.rollout, role.service.metadata.name
    serving = sum(pod.grouped == _several(role) for pod in observed.group(role.name).serving_pods)
    if serving >= wanted or makes_way(rollout, wanted):
        return ()
    if _several(role):
        return (("Deployment", naming.workload(name, role.name)),)
    shared = naming.nodes(name, role.name)
    kinds = ("Service", "LeaderWorkerSet", "NetworkPolicy")
    return (*((kind, shared) for kind in kinds), *_stateful_sets(role, observed))


def restarted(parts: Iterable[Role], observed: Observed, now: float) -> Iterator[Pod]:
    """Pods to be deleted because their replica has failed, which LeaderWorkerSet may not have seen, or cannot start."""
    for role in parts:
        group, domains = observed.group(role.name), role.spec.accelerator.topology is not None
        yield from deadlocked(group.members, now, domains=domains)
        if ("LeaderWorkerSet", naming.nodes(role.service.metadata.name, role.name)) in observed.children:
            yield from _unseen(group, now)
        else:
            yield from left_behind((*group.members, *group.departed))


def _unseen(group: Group, now: float) -> Iterator[Pod]:
    """Left behind, and LeaderWorkerSet had time to see it. While some pods leave or are missing it is at work."""
    replicas = by_replica(group.members)
    whole = {
        replica
        for replica, pods in replicas.items()
        if len(pods) == pods[0].nodes and not any(pod.terminating for pod in pods)
    }
    found = left_behind((*group.members, *group.departed), until=now - UNSEEN_SECONDS)
    return (pod for pod in found if pod.replica in whole)


def _several(role: Role) -> bool:
    return role.spec.accelerator.nodes > 1


def _stateful_sets(role: Role, observed: Observed) -> Mapping[ChildId, dict[str, Any]]:
    return {
        key: child
        for key, child in observed.children.items()
        if key[0] == "StatefulSet" and child["metadata"]["labels"].get(labels.ROLE) == role.name
    }
