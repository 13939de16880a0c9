"""How many replicas are stable and how many are the canary, and the way from one split to another."""

from dataclasses import dataclass
from decimal import Decimal
from math import ceil

from aifactory.api.rollout import Pace


@dataclass(frozen=True, slots=True)
class Split:
    """Replicas of the two Deployments."""

    stable: int
    canary: int


@dataclass(frozen=True, slots=True)
class Side:
    """One Deployment: the replicas it is asked for, and its pods that serve.

    There may be more of these for a moment, as pods take time to leave.
    """

    replicas: int
    ready: int


def share_of(share: Decimal, total: int) -> Split:
    """The split for a share (0 to 1) of `total` replicas: at least one on each side, even if `total` is 1."""
    canary = min(max(1, ceil(share * total)), max(1, total - 1))
    return Split(max(1, total - canary), canary)


def shift(goal: Split, stable: Side, canary: Side, total: int, pace: Pace) -> Split:
    """The next split on the way to `goal`: as a rolling update between the two Deployments.

    At least `total - unavailable` pods keep serving, if as many do, and at most `surge` are there beyond the goal. Pods
    that do not serve leave at once.
    """
    serving = min(stable.ready, stable.replicas) + min(canary.ready, canary.replicas)
    spare = max(0, serving - (total - pace.unavailable))
    fewer_canary, spare = _shrunk(canary, goal.canary, spare)
    fewer_stable, _ = _shrunk(stable, goal.stable, spare)
    most = max(total, goal.stable + goal.canary) + pace.surge
    next_stable = max(fewer_stable, min(goal.stable, most - fewer_canary))
    next_canary = max(fewer_canary, min(goal.canary, most - next_stable))
    return Split(next_stable, next_canary)


def _shrunk(side: Side, goal: int, spare: int) -> tuple[int, int]:
    """Replicas that stay of those above the goal, and what is left of `spare`, the serving pods that may go."""
    excess = max(0, side.replicas - goal)
    idle = min(excess, max(0, side.replicas - side.ready))
    serving = min(excess - idle, spare)
    return side.replicas - idle - serving, spare - serving
