"""The Deployment that keeps the replicas."""

from typing import Any

from aifactory.runtimes import Role
from aifactory.runtimes.parts import whole_seconds

from . import labels, naming
from .pod import pod_template

# Time for a node to be found and the image to be pulled before loading starts; engine images have 10 GB and more.
PULL_SECONDS = 600
REVISION_HISTORY = 3


def start_seconds(role: Role) -> int:
    """Seconds that a new pod may take to serve, from the search for a node on."""
    return whole_seconds(role.spec.runtime.startup_timeout) + PULL_SECONDS


def deployment(role: Role, replicas: int) -> dict[str, Any]:
    """The Deployment with an explicit number of replicas."""
    rollout = role.spec.rollout
    found = {"minReadySeconds": role.discovery.seconds} if role.discovery and role.accelerated else {}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": labels.metadata(role, naming.child(role)),
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels.workload_selector(role)},
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": rollout.max_surge, "maxUnavailable": rollout.max_unavailable},
            },
            # The one that a new pod replaces stays until others have found the new one.
            **found,
            "progressDeadlineSeconds": start_seconds(role),
            "revisionHistoryLimit": REVISION_HISTORY,
            "template": pod_template(role),
        },
    }
