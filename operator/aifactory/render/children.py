"""All child objects of a service."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from aifactory.api.inferenceservice import InferenceService
from aifactory.api.role import RoleName
from aifactory.api.rollout import Track
from aifactory.runtimes import Activation, Role, endpoint_picker, roles

from .activator import activation_children, holder
from .discovery import discovery
from .disruption import pod_disruption_budget
from .endpoint_picker import POOL, pool
from .exposure import exposure
from .identity import service_account
from .monitoring import pod_monitor
from .network import network_policy, peers_policy
from .network import service as entry_service
from .nodes import leader_worker_set, shared_service, stateful_sets
from .workload import deployment

OPTIONAL = ("PodMonitor", "HTTPRoute", POOL, "LeaderWorkerSet")
"""Kinds that not every cluster serves."""
OF_TEMPLATE = ("NetworkPolicy", "Deployment", "PodMonitor")
"""Kinds that depend on the pod template, and exist once for each track."""


def render(
    service: InferenceService,
    replicas: Mapping[RoleName, int],
    *,
    served: Collection[str],
    canary: int | None = None,
    numbers: Mapping[RoleName, Collection[int]] | None = None,
    between: bool = False,
    activation: Activation | None = None,
    asleep: bool = False,
) -> list[dict[str, Any]]:
    """Child objects in the order to apply them: plain dicts, complete, spelled as the API server stores them.

    A role that `replicas` does not name gets those that it begins with. `served` are the optional kinds of the cluster.
    With `canary` replicas, the spec is also tried beside the first role. `numbers` are those of the replicas that
    StatefulSets keep, if they are not the lowest. `between` is said where the first role serves with two generations of
    the others. With `activation` there is an activator, which gets the requests of a service that is `asleep`.
    """
    parts, picker = _parts(service, between), endpoint_picker(service) if POOL in served else None
    children = [entry_service(parts[0], holder(parts[0], activation) if activation and asleep else parts[0])]
    children += discovery(parts)
    for role in parts:
        count = replicas.get(role.name, role.spec.initial_replicas)
        children += _children(role, count, served, (numbers or {}).get(role.name, range(count)))
    if canary is not None:
        children += _canary(replace(parts[0], track=Track.CANARY), canary)
    if activation is not None:
        children += activation_children(parts[0], activation, asleep=asleep)
    if picker is not None:
        children += pool(parts[0], picker)
    children += exposure(parts[0], pooled=picker is not None)
    return [child for child in children if child["kind"] not in OPTIONAL or child["kind"] in served]


def _parts(service: InferenceService, between: bool) -> tuple[Role, ...]:
    first, *others = roles(service)
    return (replace(first, server=first.between) if between and first.between else first, *others)


def _children(role: Role, replicas: int, served: Collection[str], numbers: Collection[int]) -> list[dict[str, Any]]:
    return [
        service_account(role),
        network_policy(role),
        pod_disruption_budget(role),
        *_workload(role, replicas, served, numbers),
        pod_monitor(role),
    ]


def _workload(role: Role, replicas: int, served: Collection[str], numbers: Collection[int]) -> list[dict[str, Any]]:
    if role.spec.accelerator.nodes == 1:
        return [deployment(role, replicas)]
    if "LeaderWorkerSet" in served:
        return [peers_policy(role), leader_worker_set(role, replicas)]
    sets = (one for number in numbers for one in stateful_sets(role, number))
    return [peers_policy(role), shared_service(role, replicas), *sets]


def _canary(role: Role, replicas: int) -> list[dict[str, Any]]:
    """Children of the kinds `OF_TEMPLATE`; all else is shared with the replicas of the spec from before."""
    return [network_policy(role), deployment(role, replicas), pod_monitor(role)]
