"""The replicas of a role, sorted by what the control law may expect of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

from aifactory.observed import Group, Pod, Workload

# Requests in one batch hardly slow each other down; in turn, this share of them waits for another.
_ALONE_TOGETHER = 0.5
_ALONE_IN_TURN = 0.1


@dataclass(frozen=True, slots=True)
class Fleet:
    """Counts of pods by what they are worth.

    `replicas` is what the Deployment asks for. Of its pods, `ready` serve, `loading` will serve soon, `unschedulable`
    wait for a node (since epoch seconds `unschedulable_since`, the longest wait), and `overdue` have been loading for
    longer than the startup timeout and are not counted on, as are those that are ready but `stuck`, holding requests
    without making a token. `uncreated` do not exist yet. `starts`: the seconds that each pod took from its node until
    it became ready last, None if it is not or they are not known. While no replica serves, an `activator` holds
    requests. `capability` is the fingerprint of what the replicas can do once they have been
    replaced, empty if not known; `mixed` says that others serve with them. `serial` ones serve one request after the
    other.
    """

    replicas: int
    ready: int
    loading: int = 0
    unschedulable: int = 0
    unschedulable_since: float | None = None
    overdue: int = 0
    stuck: int = 0
    uncreated: int = 0
    rolling_out: bool = False
    starts: Mapping[str, float | None] = field(default_factory=dict)
    activator: bool = False
    capability: str = ""
    mixed: bool = False
    serial: bool = False

    @property
    def alone(self) -> float:
        """With so many requests in flight on average, a replica serves each of them practically alone."""
        return _ALONE_IN_TURN if self.serial else _ALONE_TOGETHER

    @property
    def lost(self) -> int:
        """Replicas that others have to stand in for."""
        return self.overdue + self.stuck

    @property
    def pending(self) -> int:
        """Capacity that was asked for and is expected to come."""
        return self.loading + self.unschedulable + self.uncreated

    def without(self, stuck: int) -> "Fleet":
        """With so many of the ready replicas not counted on."""
        if stuck == self.stuck == 0:
            return self
        return replace(self, ready=max(0, self.ready - stuck), stuck=stuck)

    @classmethod
    def of(cls, group: Group, startup_timeout: timedelta, now: float, serial: bool = False) -> "Fleet":
        """Sort the pods of a role at `now` (epoch seconds). Without a Deployment, replicas are 0."""
        waiting = [pod for pod in group.pending_pods if pod.unschedulable]
        starting = [pod for pod in group.pending_pods if not pod.unschedulable]
        overdue = sum(now - _started_at(pod) > startup_timeout.total_seconds() for pod in starting)
        workload = group.workload or Workload(replicas=0)
        existing = sum(not pod.terminating for pod in group.pods)
        return cls(
            replicas=workload.replicas,
            ready=len(group.serving_pods),
            loading=len(starting) - overdue,
            unschedulable=len(waiting),
            unschedulable_since=min(
                (pod.unschedulable_since for pod in waiting if pod.unschedulable_since is not None), default=None
            ),
            overdue=overdue,
            uncreated=max(0, workload.replicas - existing),
            rolling_out=group.workload is not None and workload.rolling_out,
            starts={pod.name: _start(pod, startup_timeout) for pod in group.pods if not pod.terminating},
            activator=group.activator,
            capability=workload.capability,
            mixed=workload.mixed,
            serial=serial,
        )


def _started_at(pod: Pod) -> float:
    """Loading begins on a node, and anew with each container."""
    return max(pod.created_at, pod.scheduled_at or 0.0, pod.began_at or 0.0)


def _start(pod: Pod, timeout: timedelta) -> float | None:
    """From its node to readiness; one of longer than a start may take is none."""
    if not pod.ready or pod.ready_at is None:
        return None
    seconds = pod.ready_at - max(pod.created_at, pod.scheduled_at or 0.0)
    return seconds if 0 < seconds <= timeout.total_seconds() else None
