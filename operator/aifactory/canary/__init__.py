"""Pure: how a changed pod template is tried on a few replicas before the rest get it."""

from .rollout import Deployed, Rollout, Seen, advance, goal, pursued
from .split import Side, Split, shift
from .staged import Staged

__all__ = ["Deployed", "Rollout", "Seen", "Side", "Split", "Staged", "advance", "goal", "pursued", "shift"]
