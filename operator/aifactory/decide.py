"""What to change for one service: pure functions from what is wanted and what is, to a plan."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from aifactory.api.inferenceservice import InferenceService
from aifactory.api.role import RoleName
from aifactory.api.scaling import ScalingSpec
from aifactory.api.spec import InferenceServiceSpec
from aifactory.api.status import ReplicasStatus
from aifactory.canary import Staged
from aifactory.observed import Group, Observed
from aifactory.render import OF_TEMPLATE, naming, render
from aifactory.render.drift import holds, stamp
from aifactory.render.template import marked
from aifactory.runtimes import Role, roles

Child = dict[str, Any]
# Below every cost that somebody else would set; the ReplicaSet controller removes the lowest first.
_LEAVES_FIRST = -1_000_000


@dataclass(frozen=True, slots=True)
class Plan:
    """Writes that bring the children to what is wanted; empty when they are.

    `replicas` maps Deployments of which only the number of replicas changes to that number; `deletion_costs` maps pods
    that should leave to their pod-deletion-cost.
    """

    apply: tuple[Child, ...] = ()
    delete: tuple[Child, ...] = ()
    replicas: Mapping[str, int] = field(default_factory=dict)
    deletion_costs: Mapping[str, int] = field(default_factory=dict)

    @property
    def empty(self) -> bool:
        """Everything is in place."""
        return not self.apply and not self.delete and not self.replicas


def wanted_replicas(
    spec: InferenceServiceSpec, group: Group, before: ReplicasStatus | None, decided: int | None
) -> int:
    """Replicas for the Deployment of a role whose spec this is: fixed, `decided` by the law, or as they are.

    A lost Deployment comes back at its last size, which the status `before` remembers.
    """
    if spec.scaling is None:
        return spec.initial_replicas
    if group.workload is None:
        return _within(before.desired if before else 0, spec.scaling)
    return _within(group.workload.replicas, spec.scaling) if decided is None else decided


def plan(
    service: InferenceService,
    observed: Observed,
    replicas: Mapping[RoleName, int],
    in_flight: Mapping[str, float],
    *,
    served: Collection[str],
    staged: Staged | None = None,
    monitor_labels: Mapping[str, str] = MappingProxyType({}),
) -> Plan:
    """Compare what is rendered for `replicas` of each role with what is there.

    `in_flight` maps pods to the requests they hold; `served` are the optional kinds that the cluster has; `staged` is
    what a canary means for the first role, of which `replicas` names stable ones and canary together; a Prometheus
    selects PodMonitors by `monitor_labels`.
    """
    first = roles(service)[0]
    stable = replicas if staged is None else {**replicas, first.name: staged.split.stable}
    canary = staged.canary if staged else None
    rendered = render(service, stable, served=served, canary=canary)
    names = {_id(child) for child in rendered}
    held = _held(first, staged) if staged else frozenset()
    wanted = [
        _selected(stamp(marked(child)), monitor_labels)
        for child in rendered
        if _id(child) not in held or _id(child) not in observed.children
    ]
    sized = {naming.canary(service.metadata.name), *(naming.workload(service.metadata.name, role) for role in replicas)}
    apply = tuple(child for child in wanted if not _in_place(observed, child, sized))
    written = {child["metadata"]["name"] for child in apply if child["kind"] == "Deployment"}
    resized = tuple(_resized(service, observed, stable, canary))
    costs: dict[str, int] = {}
    for one in resized:
        costs |= _leaving(one.group, one.before - one.after, in_flight)
    return Plan(
        apply=apply,
        delete=tuple(child for child_id, child in observed.children.items() if child_id not in names),
        replicas={one.name: one.after for one in resized if one.name not in written},
        deletion_costs=costs,
    )


def _held(role: Role, staged: Staged) -> Collection[tuple[str, str]]:
    """Children that depend on a pod template and keep what they have, by kind and name."""
    stable, canary = naming.child(role), naming.canary(role.service.metadata.name)
    names = [stable] * staged.holds_stable + [canary] * staged.holds_canary
    return frozenset((kind, name) for kind in OF_TEMPLATE for name in names)


@dataclass(frozen=True, slots=True)
class _Resize:
    """A Deployment that gets another number of replicas."""

    name: str
    group: Group
    before: int
    after: int


def _resized(
    service: InferenceService, observed: Observed, replicas: Mapping[RoleName, int], canary: int | None
) -> Iterator[_Resize]:
    name = service.metadata.name
    wanted = [(naming.workload(name, role), observed.group(role), count) for role, count in replicas.items()]
    if canary is not None:
        wanted.append((naming.canary(name), observed.canary, canary))
    for deployment, group, count in wanted:
        if group.workload is not None and group.workload.replicas != count:
            yield _Resize(deployment, group, group.workload.replicas, count)


def _selected(child: Child, monitor_labels: Mapping[str, str]) -> Child:
    """Labelled after it was stamped, so that who does not know of the labels finds no difference."""
    if child["kind"] != "PodMonitor":
        return child
    metadata = child["metadata"]
    return {**child, "metadata": {**metadata, "labels": {**monitor_labels, **metadata["labels"]}}}


def _within(replicas: int, scaling: ScalingSpec) -> int:
    return max(scaling.min_replicas, min(scaling.max_replicas, replicas))


def _id(child: Child) -> tuple[str, str]:
    return child["kind"], child["metadata"]["name"]


def _in_place(observed: Observed, child: Child, sized: Collection[str]) -> bool:
    """`sized` Deployments get their replicas by themselves."""
    live = observed.children.get(_id(child))
    return live is not None and holds(live, _without_replicas(child, sized))


def _without_replicas(child: Child, sized: Collection[str]) -> Child:
    if child["kind"] != "Deployment" or child["metadata"]["name"] not in sized:
        return child
    return {**child, "spec": {name: value for name, value in child["spec"].items() if name != "replicas"}}


def _leaving(group: Group, count: int, in_flight: Mapping[str, float]) -> Mapping[str, int]:
    """The idlest pods among `count` that leave; one without readings counts as busy, as it may hold requests.

    Pods that do not serve yet leave before all others, whatever their cost.
    """
    busy = max(in_flight.values(), default=0.0) + 1
    pods = sorted(group.serving_pods, key=lambda pod: (in_flight.get(pod.name, busy), -pod.created_at))
    leaving = pods[: max(0, count - len(group.pending_pods))]
    return {pod.name: _LEAVES_FIRST + rank for rank, pod in enumerate(leaving)}
