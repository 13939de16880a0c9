"""The replicas of a role, sorted by what the control law may expect of them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from aifactory.observed import STARTING, Group, Pod, Workload

# Requests in one batch hardly slow each other down; in turn, this share of them waits for another.
_ALONE_TOGETHER = 0.5
_ALONE_IN_TURN = 0.1
# A pod that is not ready for a moment, as when a busy engine answers no probe, is back by then.
_BACK_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Fleet:
    """Counts of pods by what they are worth.

    `replicas` is what the Deployment asks for. Of its pods, `ready` serve, `loading` will serve soon, `unschedulable`
    wait for a node (since epoch seconds `unschedulable_since`, the longest wait), and `overdue` have been loading for
    longer than the startup timeout and are not counted on, as are those that are ready but `stuck`, holding requests
    without making a token. `uncreated` do not exist yet, and `refused` ones are not admitted.
    Starts are `futile` where those that stood in for overdue ones are overdue, too. `starts`: the seconds that each
    pod took from its node until it became ready last, None if it is not yet, 0 if they say nothing of other pods.
    While no replica serves, an `activator` holds requests. `capability` is the fingerprint of what the replicas can do
    once they have been replaced, empty if not known; `mixed` says that others serve with them. `serial` ones serve one
    request after the other.
    """

    replicas: int
    ready: int
    loading: int = 0
    unschedulable: int = 0
    unschedulable_since: float | None = None
    overdue: int = 0
    stuck: int = 0
    uncreated: int = 0
    refused: int = 0
    futile: bool = False
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

    def unseen(self, pods: Collection[str]) -> bool:
        """Not all that serve are among the `pods` that report."""
        return len(pods) < self.ready + self.stuck

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
        timeout = startup_timeout.total_seconds()
        overdue = [pod for pod in starting if _overdue(pod, timeout, now)]
        workload = group.workload or Workload(replicas=0)
        missing = max(0, workload.replicas - sum(not pod.terminating for pod in group.pods))
        return cls(
            replicas=workload.replicas,
            ready=len(group.serving_pods),
            loading=len(starting) - len(overdue),
            unschedulable=len(waiting),
            unschedulable_since=min(
                (pod.unschedulable_since for pod in waiting if pod.unschedulable_since is not None), default=None
            ),
            overdue=len(overdue),
            uncreated=0 if workload.refused else missing,
            refused=missing if workload.refused else 0,
            futile=_futile(overdue, group.serving_pods, timeout),
            rolling_out=group.workload is not None and workload.rolling_out and not workload.refused,
            starts={pod.name: _start(pod, timeout) for pod in group.pods if not pod.terminating},
            activator=group.activator,
            capability=workload.capability,
            mixed=workload.mixed,
            serial=serial,
        )


def _started_at(pod: Pod) -> float:
    """Loading begins on a node, and anew with a container, but not with each of those that end before they serve."""
    began = pod.began_at or 0.0
    if pod.restarts and pod.unready_since is not None:
        began = min(began, pod.unready_since)
    return max(pod.placed_at, began)


def _overdue(pod: Pod, timeout: float, now: float) -> bool:
    """It should have started by now, or served before and has not come back."""
    return now - _started_at(pod) > timeout and now - (pod.unready_since or 0.0) > _BACK_SECONDS


def _futile(overdue: Sequence[Pod], serving: Sequence[Pod], timeout: float) -> bool:
    """Those that stood in for others do not start either."""
    newest = max((pod.created_at for pod in serving), default=0.0)
    created = [pod.created_at for pod in overdue if pod.created_at > newest]
    return bool(created) and max(created) - min(created) >= timeout


def _start(pod: Pod, timeout: float) -> float | None:
    """From its node to readiness; what takes longer than a start may, or did not go smoothly, says nothing."""
    if pod.restarts or pod.waiting_reason not in STARTING:
        return 0.0
    if not pod.ready or pod.ready_at is None:
        return None
    seconds = pod.ready_at - pod.placed_at
    return seconds if 0 < seconds <= timeout else 0.0
