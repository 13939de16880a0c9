"""What to change for one service: pure functions from what is wanted and what is, to a plan."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from aifactory.api.inferenceservice import InferenceService
from aifactory.api.role import RoleName
from aifactory.api.rollout import Track
from aifactory.api.spec import InferenceServiceSpec
from aifactory.api.status import ReplicasStatus
from aifactory.canary import Staged
from aifactory.holding import holding
from aifactory.observed import ChildId, Group, Observed, Pod, child_id
from aifactory.render import OF_TEMPLATE, labels, naming, render
from aifactory.render.drift import holds, stamp
from aifactory.render.needs import WORKLOADS
from aifactory.render.template import marked
from aifactory.runtimes import Activation, Role, roles
from aifactory.several import chosen, kept_for_now, lasting, restarted
from aifactory.succession import freed, lost, paced, succession

Child = dict[str, Any]
_ACTIVATION = Activation()
# Below every cost that somebody else would set; the ReplicaSet controller removes the lowest first.
_LEAVES_FIRST = -1_000_000


@dataclass(frozen=True, slots=True)
class Plan:
    """Writes that bring the children to what is wanted; empty when they are.

    `replicas` maps kind and name of workloads of which only the number of replicas changes to that number;
    `deletion_costs` maps pods that should leave to their pod-deletion-cost. `restart` maps pods that are to begin
    anew to their uids. `both` maps the name of a canary's Deployment to the replicas that both tracks are
    to have, where it says otherwise.
    """

    apply: tuple[Child, ...] = ()
    delete: tuple[Child, ...] = ()
    replicas: Mapping[ChildId, int] = field(default_factory=dict)
    deletion_costs: Mapping[str, int] = field(default_factory=dict)
    restart: Mapping[str, str] = field(default_factory=dict)
    both: Mapping[str, int] = field(default_factory=dict)

    @property
    def empty(self) -> bool:
        """Everything is in place."""
        return not (self.apply or self.delete or self.replicas or self.restart or self.both)


def wanted_replicas(
    spec: InferenceServiceSpec, group: Group, before: ReplicasStatus | None, decided: int | None
) -> int:
    """Replicas for the workload of a role whose spec this is: fixed, `decided` by the law, or as they are.

    Those that somebody else decides may be fewer or more than the spec's bounds. A lost workload comes back at its last
    size, which the status `before` remembers, and awake. A last replica that is about to go is gone before there is
    another one, as long as an activator holds requests: those that were sent to it now would be lost with it.
    """
    if group.emptying and group.activator:
        return 0
    if spec.scaling is None:
        return spec.initial_replicas
    if group.workload is None:
        return max(spec.initial_replicas, spec.scaling.bounded(before.desired if before else 0))
    if spec.recommends:
        return group.workload.replicas
    return spec.scaling.bounded(group.workload.replicas) if decided is None else decided


def plan(
    service: InferenceService,
    observed: Observed,
    replicas: Mapping[RoleName, int],
    in_flight: Mapping[str, float],
    *,
    served: Collection[str],
    staged: Staged | None = None,
    monitor_labels: Mapping[str, str] = MappingProxyType({}),
    activation: Activation = _ACTIVATION,
    now: float = 0.0,
) -> Plan:
    """Compare what is rendered for `replicas` of each role with what is there.

    `in_flight` maps pods to the requests they hold; `served` are the optional kinds that the cluster has; `staged` is
    what a canary means for the first role, of which `replicas` names stable ones and canary together; a Prometheus
    selects PodMonitors by `monitor_labels`; `activation` is what activators run; `now` is in epoch seconds.
    """
    parts = roles(service)
    stable = replicas if staged is None else {**replicas, parts[0].name: staged.split.stable}
    canary = staged.canary if staged else None
    counts = {role.name: stable.get(role.name, role.spec.initial_replicas) for role in parts}
    exchanges = {role.name: chosen(role, observed, counts[role.name], in_flight) for role in parts}
    numbers = {name: exchange.have for name, exchange in exchanges.items()}
    step = succession(parts, observed, counts, now)
    total = replicas.get(parts[0].name, parts[0].spec.initial_replicas)
    held = holding(parts[0], observed, total, now)
    rendered = render(
        service,
        stable,
        served=lasting(served, observed),
        canary=canary,
        numbers=numbers,
        between=step.between,
        activation=activation if held.activator else None,
        asleep=held.asleep,
    )
    names = {child_id(child) for child in rendered}
    untouched = _held(parts[0], staged) if staged else frozenset()
    wanted = [
        _shared(selected(stamp(marked(child)), monitor_labels), total)
        for child in paced(step, parts, rendered)
        if child_id(child) not in untouched or child_id(child) not in observed.children
    ]
    sizes = _sizes(service, stable, canary)
    changed = tuple(child for child in wanted if not _in_place(observed, child, sizes))
    apply = (*changed, *freed(step, parts, observed, rendered))
    applied = {child_id(child) for child in apply}
    resized = {one: count for one, count in sizes.items() if one in names and _size(observed, one) not in (None, count)}
    kept = names.union(*(kept_for_now(role, observed, counts[role.name], exchanges[role.name]) for role in parts))
    return Plan(
        apply=apply,
        delete=tuple(child for key, child in observed.children.items() if key not in kept),
        replicas={one: count for one, count in resized.items() if one not in applied},
        deletion_costs=_costs(service, observed, resized, in_flight),
        restart={pod.name: pod.uid for pod in begins_anew(parts, observed, now)},
        both=_both(service, observed, total) if canary is not None else {},
    )


def begins_anew(parts: tuple[Role, ...], observed: Observed, now: float) -> Iterator[Pod]:
    """Pods whose replica failed in another place, and frontends that have lost their workers."""
    yield from restarted(parts, observed, now)
    yield from lost(parts, observed, now)


def missing(service: InferenceService, observed: Observed, todo: Plan) -> tuple[str, ...]:
    """Kind and name of children that a plan would add, but for those that come and go with replicas."""
    passing, wanted = naming.canary(service.metadata.name), map(child_id, todo.apply)
    lacking = ((kind, name) for kind, name in wanted if (kind, name) not in observed.children)
    return tuple(f"{kind}/{name}" for kind, name in lacking if kind not in WORKLOADS and name != passing)


def _held(role: Role, staged: Staged) -> Collection[ChildId]:
    """Children that depend on a pod template and keep what they have, by kind and name."""
    stable, canary = naming.child(role), naming.canary(role.service.metadata.name)
    names = [stable] * staged.holds_stable + [canary] * staged.holds_canary
    return frozenset((kind, name) for kind in OF_TEMPLATE for name in names)


def _sizes(service: InferenceService, replicas: Mapping[RoleName, int], canary: int | None) -> Mapping[ChildId, int]:
    """Workloads whose number of replicas is written by itself, with that number."""
    name = service.metadata.name
    wanted = {("Deployment", naming.workload(name, role)): count for role, count in replicas.items()}
    wanted |= {("LeaderWorkerSet", naming.nodes(name, role)): count for role, count in replicas.items()}
    return wanted if canary is None else wanted | {("Deployment", naming.canary(name)): canary}


def _size(observed: Observed, workload: ChildId) -> int | None:
    """Replicas of a workload, None while it does not exist."""
    live = observed.children.get(workload)
    return None if live is None else live["spec"].get("replicas", 1)


def _costs(
    service: InferenceService, observed: Observed, resized: Mapping[ChildId, int], in_flight: Mapping[str, float]
) -> Mapping[str, int]:
    """Which pods of Deployments should leave first."""
    name, costs = service.metadata.name, dict[str, int]()
    groups = {("Deployment", naming.workload(name, role)): group for role, group in observed.groups.items()}
    groups["Deployment", naming.canary(name)] = observed.canary
    for workload, group in groups.items():
        if workload in resized:
            costs |= leaving(group, (_size(observed, workload) or 0) - resized[workload], in_flight)
    return costs


def selected(child: Child, monitor_labels: Mapping[str, str]) -> Child:
    """A PodMonitor labelled after it was stamped, so that who does not know of the labels finds no difference."""
    if child["kind"] != "PodMonitor":
        return child
    metadata = child["metadata"]
    return {**child, "metadata": {**metadata, "labels": {**monitor_labels, **metadata["labels"]}}}


def _shared(child: Child, total: int) -> Child:
    """A canary's Deployment with the replicas that both tracks are to have; other children as they are."""
    metadata = child["metadata"]
    if child["kind"] != "Deployment" or metadata["labels"].get(labels.COMPONENT) != Track.CANARY:
        return child
    return {**child, "metadata": {**metadata, "annotations": {**metadata["annotations"], labels.REPLICAS: str(total)}}}


def _both(service: InferenceService, observed: Observed, total: int) -> Mapping[str, int]:
    workload = observed.canary.workload
    return {} if workload is None or workload.both == total else {naming.canary(service.metadata.name): total}


def _in_place(observed: Observed, child: Child, sized: Collection[ChildId]) -> bool:
    """`sized` workloads get their replicas, and those of both tracks, by themselves."""
    live = observed.children.get(child_id(child))
    return live is not None and holds(live, _without_replicas(child, sized))


def _without_replicas(child: Child, sized: Collection[ChildId]) -> Child:
    if child_id(child) not in sized:
        return child
    metadata, spec = child["metadata"], child["spec"]
    annotations = {name: value for name, value in metadata["annotations"].items() if name != labels.REPLICAS}
    fixed = {name: value for name, value in spec.items() if name != "replicas"}
    return {**child, "metadata": {**metadata, "annotations": annotations}, "spec": fixed}


def leaving(group: Group, count: int, in_flight: Mapping[str, float]) -> Mapping[str, int]:
    """The idlest pods among `count` that leave; one without readings counts as busy, as it may hold requests.

    Pods that do not serve yet leave before all others, whatever their cost.
    """
    busy = max(in_flight.values(), default=0.0) + 1
    pods = sorted(group.serving_pods, key=lambda pod: (in_flight.get(pod.name, busy), -pod.created_at))
    leaving = pods[: max(0, count - len(group.pending_pods))]
    return {pod.name: _LEAVES_FIRST + rank for rank, pod in enumerate(leaving)}
