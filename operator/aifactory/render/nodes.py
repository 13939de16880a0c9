"""Workloads of replicas with several pods: a LeaderWorkerSet where there is one, else StatefulSets for each replica."""

from collections.abc import Iterable, Mapping
from copy import deepcopy
from typing import Any

from aifactory.runtimes import Role
from aifactory.runtimes.parts import reference

from . import labels, naming
from .digest import SHORT, digest
from .member import Member
from .pod import pod_template

# Labels and variables of LeaderWorkerSet (sigs.k8s.io/lws, api/leaderworkerset/v1).
LWS_GROUP_INDEX = "leaderworkerset.sigs.k8s.io/group-index"
LWS_GROUP_KEY = "leaderworkerset.sigs.k8s.io/group-key"
LWS_WORKER_INDEX = "leaderworkerset.sigs.k8s.io/worker-index"
LWS_REVISION = "leaderworkerset.sigs.k8s.io/template-revision-hash"
LWS_LEADER_ADDRESS = "LWS_LEADER_ADDRESS"
POD_INDEX = "apps.kubernetes.io/pod-index"
REVISION_HISTORY = 1
_Template = dict[str, Any]


def leader_worker_set(role: Role, replicas: int) -> dict[str, Any]:
    """Groups of pods that LeaderWorkerSet keeps, restarts and replaces as wholes."""
    rollout, leader, worker = role.spec.rollout, *_lws_templates(role)
    return {
        "apiVersion": "leaderworkerset.x-k8s.io/v1",
        "kind": "LeaderWorkerSet",
        "metadata": labels.metadata(role, _shared_name(role)),
        "spec": {
            "replicas": replicas,
            "startupPolicy": "LeaderCreated",
            "rolloutStrategy": {
                "type": "RollingUpdate",
                "rollingUpdateConfiguration": {
                    "maxSurge": rollout.max_surge,
                    "maxUnavailable": rollout.max_unavailable,
                },
            },
            "leaderWorkerTemplate": {
                "size": role.spec.accelerator.nodes,
                "restartPolicy": "RecreateGroupOnPodRestart",
                "leaderTemplate": leader,
                "workerTemplate": worker,
            },
        },
    }


def shared_service(role: Role, replicas: int) -> dict[str, Any]:
    """The Service that gives each pod a name in DNS, ready or not. It remembers how many replicas are wanted."""
    metadata = labels.metadata(role, _shared_name(role))
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            **metadata,
            "annotations": {labels.REPLICAS: str(replicas), labels.TEMPLATE: template_hash(role)},
        },
        "spec": {
            "type": "ClusterIP",
            "clusterIP": "None",
            "publishNotReadyAddresses": True,
            "selector": labels.members(role),
        },
    }


def stateful_sets(role: Role, replica: int) -> Iterable[dict[str, Any]]:
    """The two of one replica. They are never changed: a new spec makes new replicas."""
    leader, worker = _templates(role, replica)
    revision, more = template_hash(role), role.spec.accelerator.nodes - 1
    yield _stateful_set(role, replica, naming.leader(role, replica), leader, revision, {"replicas": 1})
    ordinals = {"replicas": more, "ordinals": {"start": 1}}
    yield _stateful_set(role, replica, naming.workers(role, replica), worker, revision, ordinals)


def replica_of(stateful_set: Mapping[str, Any]) -> int:
    """The number of its replica, from the selector, which unlike labels nobody can change."""
    return int(stateful_set["spec"]["selector"]["matchLabels"][labels.REPLICA])


def template_hash(role: Role) -> str:
    """Equal for replicas of the same spec."""
    return digest(_templates(role, 0), SHORT)


def _stateful_set(
    role: Role, replica: int, name: str, template: _Template, revision: str, size: dict[str, Any]
) -> dict[str, Any]:
    own = {labels.REPLICA: str(replica), labels.TEMPLATE: revision}
    pods = template["metadata"]["labels"]
    metadata = labels.metadata(role, name)
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {**metadata, "labels": metadata["labels"] | own},
        "spec": {
            **size,
            "serviceName": _shared_name(role),
            "podManagementPolicy": "Parallel",
            "updateStrategy": {"type": "OnDelete"},
            "revisionHistoryLimit": REVISION_HISTORY,
            "selector": {
                "matchLabels": {
                    labels.SERVICE: pods[labels.SERVICE],
                    labels.COMPONENT: pods[labels.COMPONENT],
                    labels.REPLICA: str(replica),
                }
            },
            "template": {**template, "metadata": {**template["metadata"], "labels": pods | own}},
        },
    }


def _templates(role: Role, replica: int) -> tuple[_Template, _Template]:
    """Of leader and workers. Workers outlive the requests that their leader still finishes."""
    namespace = role.service.metadata.namespace
    address = f"{naming.leader(role, replica)}-0.{_shared_name(role)}.{namespace}.svc"
    lingers = role.server.pre_stop_seconds + role.server.shutdown_seconds
    leader, worker = (Member(worker, address, POD_INDEX, labels.REPLICA, lingers) for worker in (False, True))
    return pod_template(role, leader), deepcopy(pod_template(role, worker))


def _lws_templates(role: Role) -> tuple[_Template, _Template]:
    """LeaderWorkerSet deletes workers after their leader is gone, so they need not linger."""
    address = reference(LWS_LEADER_ADDRESS)
    leader, worker = (Member(worker, address, LWS_WORKER_INDEX, LWS_GROUP_KEY) for worker in (False, True))
    return pod_template(role, leader), deepcopy(pod_template(role, worker))


def _shared_name(role: Role) -> str:
    return naming.nodes(role.service.metadata.name, role.name)
