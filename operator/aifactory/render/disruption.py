"""What node drains may do to the replicas."""

from typing import Any

from aifactory.api.inferenceservice import InferenceService

from . import labels, naming


def pod_disruption_budget(service: InferenceService) -> dict[str, Any]:
    """One replica at a time may be evicted: several stay available, a single one does not block the drain of its node.

    Replicas that still load are evicted freely, so that one that never gets ready cannot block a drain either.
    """
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": labels.metadata(service, naming.child(service)),
        "spec": {
            "maxUnavailable": 1,
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
            "selector": {"matchLabels": labels.selector(service)},
        },
    }
