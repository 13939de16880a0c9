"""What the cluster holds for one service, as plain values that the pure core can read. Times are epoch seconds."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from aifactory.api.role import RoleName

ChildId = tuple[str, str]
"""Kind and name of a child object."""
STARTING = ("", "ContainerCreating", "PodInitializing")
"""What a container waits for on every start."""


@dataclass(frozen=True, slots=True)
class Pod:
    """A model-server pod. `last_exit` says how a container of it failed last, empty if none did.

    `template` is the fingerprint of the pod template of a canary's pod; pods that find each other serve with those of
    their `generation`. One that is not ready has not been `unready_since`.
    Where a replica has several pods, `replica` names the one it belongs to and `nodes` says how many they are. Of the
    pods of a replica taken together the name is that of the `leader`, and `culprit` is the pod that waits or failed. It
    got its node at `scheduled_at` and `began_at` the start of its container, which ended last at `ended_at`; it was
    told to leave at `left_at`. It has been `unstarted_since` if its scheduler, or else its node, does not begin with
    it. `addresses` are the IP addresses of an activator, from which it asks for a replica.
    While it has a node, it holds `devices`, pairs of an extended resource and its count, or `claims_gpus`; `product` is
    the kind of GPU that it asks its node for.
    """

    name: str
    created_at: float
    ready: bool = False
    ready_at: float | None = None
    unready_since: float | None = None
    terminating: bool = False
    unschedulable_since: float | None = None
    unschedulable_message: str = ""
    waiting_reason: str = ""
    waiting_message: str = ""
    restarts: int = 0
    last_exit: str = ""
    template_hash: str = ""
    template: str = ""
    generation: str = ""
    replica: str = ""
    nodes: int = 1
    leader: bool = True
    scheduled: bool = False
    scheduled_at: float | None = None
    unstarted_since: float | None = None
    culprit: str = ""
    uid: str = ""
    began_at: float | None = None
    ended_at: float | None = None
    left_at: float | None = None
    addresses: tuple[str, ...] = ()
    devices: tuple[tuple[str, int], ...] = ()
    claims_gpus: bool = False
    product: str = ""

    @property
    def grouped(self) -> bool:
        """Serves only together with others."""
        return self.replica != ""

    @property
    def pending(self) -> bool:
        """Exists, wanted, and not yet serving."""
        return not self.ready and not self.terminating

    @property
    def placed_at(self) -> float:
        """When it got its node, or came into being where that is not known."""
        return max(self.created_at, self.scheduled_at or 0.0)

    @property
    def unschedulable(self) -> bool:
        """No node can take it now."""
        return self.pending and self.unschedulable_since is not None


@dataclass(frozen=True, slots=True)
class Workload:
    """The Deployment of a role, or what keeps its replicas of several pods, counted in replicas.

    `template` is the fingerprint of the pod template it was given, `capability` that of what decides how much a replica
    of it can do, each empty if not known; it is `mixed` if others, of another template, serve beside these for a while.
    Replicas of several pods that are not ready should be so at `due_at` (epoch seconds); of others a Deployment says
    when its `progress_deadline_exceeded`, though not once all pods of a template have served; of those it has been
    refused more pods since `refused_since`. That of a canary says how many replicas there should be of `both` tracks.
    """

    replicas: int
    generation: int = 0
    observed_generation: int = 0
    updated: int = 0
    ready: int = 0
    available: int = 0
    total: int = 0
    progress_deadline_exceeded: bool = False
    due_at: float | None = None
    replica_failure: str = ""
    refused_since: float | None = None
    template: str = ""
    capability: str = ""
    mixed: bool = False
    both: int | None = None

    @property
    def lagging(self) -> bool:
        """Its controller has not looked at what was changed last; a new workload has no earlier state."""
        return 0 < self.observed_generation < self.generation

    @property
    def refused(self) -> bool:
        """More pods are wanted than the cluster admits, as by a quota; those there are of the newest template."""
        current = self.observed_generation >= self.generation and self.total <= self.updated
        return current and bool(self.replica_failure)

    @property
    def rolling_out(self) -> bool:
        """Some pods are not yet of the newest template, or the controller has not seen it."""
        return self.observed_generation < self.generation or self.updated < self.replicas or self.total > self.updated


@dataclass(frozen=True, slots=True)
class Group:
    """The pods of one role, and the workload that keeps them.

    Several pods that serve together are one of `pods`, and each one of `members`; `departed` are members that were
    there until just now. An `activator` holds requests while none of the pods serves.
    """

    workload: Workload | None = None
    pods: tuple[Pod, ...] = ()
    members: tuple[Pod, ...] = ()
    departed: tuple[Pod, ...] = ()
    activator: bool = False

    @property
    def serving_pods(self) -> tuple[Pod, ...]:
        """Pods that are ready and not leaving."""
        return tuple(pod for pod in self.pods if pod.ready and not pod.terminating)

    @property
    def emptying(self) -> bool:
        """A replica serves although none is wanted: it is about to go, unless one is wanted again soon enough.

        Pods and what the workload says of them are heard of one after the other.
        """
        one = self.workload
        return one is not None and one.replicas == 0 and bool(one.available or self.serving_pods)

    @property
    def pending_pods(self) -> tuple[Pod, ...]:
        """Pods that are starting or waiting for a node."""
        return tuple(pod for pod in self.pods if pod.pending)


def child_id(child: Mapping[str, Any]) -> ChildId:
    """Kind and name."""
    return child["kind"], child["metadata"]["name"]


_NOBODY = Group()


def together(stable: Group, canary: Group, wanted: int | None) -> Group:
    """Stable replicas and canary as one group, of which `wanted` replicas are asked for; as many as of both if None."""
    if stable.workload is None or canary.workload is None:
        return replace(stable, pods=stable.pods + canary.pods)
    one, other = stable.workload, canary.workload
    workload = replace(
        one,
        replicas=one.replicas + other.replicas if wanted is None else wanted,
        updated=one.updated + other.updated,
        ready=one.ready + other.ready,
        available=one.available + other.available,
        total=one.total + other.total,
        mixed=one.capability != other.capability,
    )
    return Group(workload, stable.pods + canary.pods)


@dataclass(frozen=True, slots=True)
class Observed:
    """Children as last seen, keyed by kind and name, and what they mean, by role.

    `canary` is not part of the group of its role.
    """

    children: dict[ChildId, dict[str, Any]] = field(default_factory=dict)
    groups: Mapping[RoleName, Group] = field(default_factory=dict)
    canary: Group = _NOBODY

    def group(self, role: RoleName) -> Group:
        """The pods and the workload of a role; neither while there are none."""
        return self.groups.get(role, _NOBODY)

    @property
    def exists(self) -> bool:
        """Some role has its workload."""
        return any(group.workload is not None for group in self.groups.values())
