"""The place of a pod in a replica that has several."""

from dataclasses import dataclass
from typing import Any

from aifactory.api.accelerator import LEADER_ADDRESS, NODE_RANK, NODES
from aifactory.runtimes import Role
from aifactory.runtimes.parts import literal

from . import labels

_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
_STRONGEST = 100


@dataclass(frozen=True, slots=True)
class Member:
    """The leader of a replica, or one of its workers.

    `address` is the leader's name in the cluster's DNS, or a reference to a variable that holds it. The label
    `rank_label` holds the pod's place, and pods of one replica have the same value of the label `replica_label`.
    A worker that is told to end goes on for `lingers` seconds, as its leader may still have requests to finish.
    """

    worker: bool
    address: str
    rank_label: str
    replica_label: str
    lingers: int = 0


def environment(role: Role, member: Member) -> tuple[dict[str, Any], ...]:
    """Variables by which the pods of a replica find each other."""
    rank = {"fieldRef": {"apiVersion": "v1", "fieldPath": f"metadata.labels['{member.rank_label}']"}}
    return (
        {**literal(LEADER_ADDRESS, member.address)},
        {"name": NODE_RANK, "valueFrom": rank},
        {**literal(NODES, role.spec.accelerator.nodes)},
    )


def pod_labels(role: Role, member: Member) -> dict[str, str]:
    """Labels of the pod; a worker has none of those that requests, metrics and Deployments go by."""
    own = labels.child(role) | labels.members(role) | {labels.NODES: str(role.spec.accelerator.nodes)}
    if member.worker:
        own |= {labels.COMPONENT: worker_component(role)}
        del own[labels.ROLE]
    return own


def worker_component(role: Role) -> str:
    """What workers are called where leaders have the name of the role."""
    return f"{role.name}-worker"


def affinity(role: Role, member: Member) -> dict[str, Any]:
    """Keeps the pods of a replica in one domain, and replicas apart: always, or where others have room as well.

    A scheduler that places one pod after another would otherwise begin two replicas in a domain with room for one, and
    finish neither. Kubernetes adds the pod's own value of `replica_label` when it creates the pod
    (matchLabelKeys, since 1.31).
    """
    topology = role.spec.accelerator.topology
    if topology is None:
        return {}
    term = {"labelSelector": {"matchLabels": labels.members(role)}, "topologyKey": topology.key}
    same, other = ({**term, keys: [member.replica_label]} for keys in ("matchLabelKeys", "mismatchLabelKeys"))
    weighed = {"weight": _STRONGEST, "podAffinityTerm": other}
    apart = {_REQUIRED: [other]} if topology.spread else {_PREFERRED: [weighed]}
    return {"podAffinity": {_REQUIRED: [same]}, "podAntiAffinity": apart}


def joined(user: dict[str, Any] | None, own: dict[str, Any]) -> dict[str, Any]:
    """The user's affinity with terms of our own added to it."""
    result = dict(user or {})
    for kind, rules in own.items():
        theirs = result.get(kind) or {}
        result[kind] = {**theirs, **{name: [*theirs.get(name, ()), *terms] for name, terms in rules.items()}}
    return result
