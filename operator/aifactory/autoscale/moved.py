"""Replicas that have become others without a decision."""

from typing import NamedTuple

from aifactory.api.scaling import ScalingSpec

from .decision import DecisionReason


class Moved(NamedTuple):
    """They are others than the `before` of the last tick, for this reason; they had been set to what is `outside`."""

    before: int
    reason: DecisionReason
    outside: int | None = None

    @classmethod
    def to(cls, replicas: int, before: int, bounds: ScalingSpec, claimed: int | None = None) -> "Moved":
        """New `bounds` are kept as soon as they are seen, and not only with the next tick; anything else is others'.

        These are kept within them as well, whatever number was `claimed`.
        """
        if replicas == bounds.bounded(before):
            return cls(before, DecisionReason.BOUNDS_CHANGED)
        outside = claimed is not None and claimed != replicas == bounds.bounded(claimed)
        return cls(before, DecisionReason.ADOPTED_REPLICAS, claimed if outside else None)

    @property
    def others(self) -> bool:
        """Somebody else did it."""
        return self.reason is DecisionReason.ADOPTED_REPLICAS
