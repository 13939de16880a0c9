"""Replicas of several pods: they serve together, and fail together."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import groupby

from .observed import STARTING, Pod

# Longer than a scheduler takes to find places for pods that fit, and a leaving pod to free its GPUs.
DEADLOCK_SECONDS = 60.0


def folded(pods: Iterable[Pod]) -> tuple[Pod, ...]:
    """Each pod that serves alone, and one for each replica of several, under the name of its leader.

    A replica is ready when all its pods are, and waits for a node as long as one of them does.
    """
    every = tuple(pods)
    if not any(pod.grouped for pod in every):
        return every
    return (*(pod for pod in every if not pod.grouped), *(_fold(members) for members in by_replica(every).values()))


def by_replica(pods: Iterable[Pod]) -> Mapping[str, tuple[Pod, ...]]:
    """The pods of each replica of several."""
    grouped = sorted((pod for pod in pods if pod.grouped), key=lambda pod: (pod.replica, not pod.leader, pod.name))
    return {replica: tuple(members) for replica, members in groupby(grouped, key=lambda pod: pod.replica)}


def left_behind(pods: Iterable[Pod], until: float = math.inf) -> Iterator[Pod]:
    """Pods whose replica failed elsewhere by `until`: they hold a part of a model that is gone, and must start anew.

    `pods` may hold some that are gone. A pod whose own container has just failed is not left behind: the kubelet starts
    it again, later each time.
    """
    for members in by_replica(pods).values():
        broken = max((_broken_at(pod, members) for pod in members), default=0.0)
        yield from (pod for pod in members if not pod.terminating and (pod.began_at or broken) < broken <= until)


def deadlocked(pods: Iterable[Pod], now: float, *, domains: bool) -> Iterator[Pod]:
    """Pods that hold GPUs for a replica that cannot be completed, and should give them back and wait again.

    Of several replicas that have only some of their nodes the youngest makes room for the others. With `domains` a lone
    one may have begun in a domain without enough room, and tries another.
    """
    waits = [members for members in by_replica(pods).values() if _halfway(members, now)]
    if len(waits) > 1 or (waits and domains):
        youngest = max(waits, key=lambda members: (members[0].created_at, members[0].replica))
        yield from (pod for pod in youngest if pod.scheduled and not pod.terminating)


def _halfway(members: tuple[Pod, ...], now: float) -> bool:
    """Some pods have nodes and others have been waiting for one for long."""
    since = [pod.unschedulable_since for pod in members if pod.unschedulable and pod.unschedulable_since is not None]
    return any(pod.scheduled for pod in members) and bool(since) and now - min(since) > DEADLOCK_SECONDS


def _broken_at(pod: Pod, members: tuple[Pod, ...]) -> float:
    """When a pod last let down the others, 0 if it never did.

    A pod that left after another one had failed did so because of that.
    """
    left, began = pod.left_at, pod.began_at
    if left is None or began is None:
        return _crashed_at(pod)
    before = [time for other in members if other is not pod for time in (_crashed_at(other), other.left_at or 0.0)]
    followed = any(began < time < left for time in before)
    return _crashed_at(pod) if followed else max(_crashed_at(pod), left)


def _crashed_at(pod: Pod) -> float:
    """When its container ended without being told to, 0 if it never did."""
    ended = pod.ended_at or 0.0
    return ended if pod.left_at is None or ended < pod.left_at else 0.0


def _fold(members: tuple[Pod, ...]) -> Pod:
    living = tuple(pod for pod in members if not pod.terminating)
    if not living:
        return members[0]
    first, nodes = living[0], living[0].nodes
    waiting = [pod for pod in living if pod.unschedulable]
    ready = len(living) == nodes and all(pod.ready for pod in living)
    worst = max(living, key=_trouble)
    return replace(
        first,
        name=members[0].name,
        created_at=min(pod.created_at for pod in living),
        ready=ready,
        ready_at=max((pod.ready_at or 0.0 for pod in living), default=None) if ready else None,
        unready_since=max((pod.unready_since or 0.0 for pod in living), default=None),
        unschedulable_since=min((pod.unschedulable_since or 0.0 for pod in waiting), default=None),
        unschedulable_message=_shortage(living, waiting[0]) if waiting else "",
        waiting_reason=worst.waiting_reason,
        waiting_message=worst.waiting_message,
        restarts=worst.restarts,
        last_exit=worst.last_exit,
        scheduled=worst.scheduled,
        unstarted_since=worst.unstarted_since,
        culprit=worst.name,
    )


def _trouble(pod: Pod) -> tuple[bool, int, float]:
    """Greater for a pod that is more to blame for its replica."""
    since = math.inf if pod.unstarted_since is None else pod.unstarted_since
    return pod.waiting_reason not in STARTING, pod.restarts, -since


def _shortage(living: tuple[Pod, ...], waiting: Pod) -> str:
    """Pods that have a node already hold its GPUs for nothing meanwhile."""
    placed = sum(pod.scheduled for pod in living)
    return f"{placed} of {waiting.nodes} pods of the replica have nodes; {waiting.unschedulable_message}"
