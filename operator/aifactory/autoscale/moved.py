"""Replicas that have become others without a decision."""

from typing import NamedTuple

from aifactory.api.scaling import ScalingSpec

from .decision import DecisionReason


class Moved(NamedTuple):
    """They are others than the `before` of the last tick, for this reason."""

    before: int
    reason: DecisionReason

    @classmethod
    def to(cls, replicas: int, before: int, bounds: ScalingSpec) -> "Moved":
        """New `bounds` are kept as soon as they are seen, and not only with the next tick; anything else is others'."""
        bounded = replicas == min(max(before, bounds.min_replicas), bounds.max_replicas)
        return cls(before, DecisionReason.BOUNDS_CHANGED if bounded else DecisionReason.ADOPTED_REPLICAS)

    @property
    def others(self) -> bool:
        """Somebody else did it."""
        return self.reason is DecisionReason.ADOPTED_REPLICAS
