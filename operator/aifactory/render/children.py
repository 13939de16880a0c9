"""All child objects of a service."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from aifactory.api.inferenceservice import InferenceService
from aifactory.api.role import RoleName
from aifactory.api.rollout import Track
from aifactory.runtimes import Role, endpoint_picker, roles

from .disruption import pod_disruption_budget
from .endpoint_picker import POOL, pool
from .exposure import exposure
from .identity import service_account
from .monitoring import pod_monitor
from .network import network_policy
from .network import service as cluster_service
from .workload import deployment

OPTIONAL = ("PodMonitor", "HTTPRoute", POOL)
"""Kinds that not every cluster serves."""
OF_TEMPLATE = ("NetworkPolicy", "Deployment", "PodMonitor")
"""Kinds that depend on the pod template, and exist once for each track."""


def render(
    service: InferenceService, replicas: Mapping[RoleName, int], *, served: Collection[str], canary: int | None = None
) -> list[dict[str, Any]]:
    """Child objects in the order to apply them: plain dicts, complete, spelled as the API server stores them.

    A role that `replicas` does not name gets those that it begins with. `served` are the optional kinds of the cluster.
    With `canary` replicas, the spec is also tried beside the first role.
    """
    parts, picker = roles(service), endpoint_picker(service) if POOL in served else None
    children = [cluster_service(parts[0])]
    for role in parts:
        children += _children(role, replicas.get(role.name, role.spec.initial_replicas))
    if canary is not None:
        children += _canary(replace(parts[0], track=Track.CANARY), canary)
    if picker is not None:
        children += pool(parts[0], picker)
    children += exposure(parts[0], pooled=picker is not None)
    return [child for child in children if child["kind"] not in OPTIONAL or child["kind"] in served]


def _children(role: Role, replicas: int) -> list[dict[str, Any]]:
    return [
        service_account(role),
        network_policy(role),
        pod_disruption_budget(role),
        deployment(role, replicas),
        pod_monitor(role),
    ]


def _canary(role: Role, replicas: int) -> list[dict[str, Any]]:
    """Children of the kinds `OF_TEMPLATE`; all else is shared with the replicas of the spec from before."""
    return [network_policy(role), deployment(role, replicas), pod_monitor(role)]
