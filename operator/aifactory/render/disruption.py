"""What node drains may do to the replicas."""

from typing import Any

from aifactory.runtimes import Role

from . import labels, naming


def pod_disruption_budget(role: Role) -> dict[str, Any]:
    """One replica at a time may be evicted: several stay available, a single one does not block the drain of its node.

    Replicas that still load are evicted freely, so that one that never gets ready cannot block a drain either. Any pod
    of a replica takes the whole replica with it.
    """
    grouped = role.spec.accelerator.nodes > 1
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": labels.metadata(role, naming.child(role)),
        "spec": {
            "maxUnavailable": 1,
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
            "selector": {"matchLabels": labels.members(role) if grouped else labels.selector(role)},
        },
    }
