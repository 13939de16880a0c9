"""What a canary means for the Deployments of a service."""

from dataclasses import dataclass

from aifactory.api.rollout import RolloutPhase

from .rollout import Rollout
from .split import Split


@dataclass(frozen=True, slots=True)
class Staged:
    """Replicas of both Deployments from now on, and where the canary is; None without one.

    `exists` says that the canary's Deployment is there, `overtaken` that the spec asks for another template than the
    one that is being promoted.
    """

    split: Split
    rollout: Rollout | None = None
    exists: bool = False
    overtaken: bool = False

    @property
    def canary(self) -> int | None:
        """Replicas of the canary's Deployment, None where there is to be none."""
        trying = self.rollout is not None and self.rollout.phase is RolloutPhase.PROGRESSING
        return self.split.canary if trying or (self.exists and self.split.canary) else None

    @property
    def holds_stable(self) -> bool:
        """What the stable replicas run is left as it is, whatever the spec asks for."""
        held = (RolloutPhase.PROGRESSING, RolloutPhase.ROLLED_BACK)
        return self.overtaken or (self.rollout is not None and self.rollout.phase in held)

    @property
    def holds_canary(self) -> bool:
        """What the canary runs is left as it is: it is on its way out."""
        return self.rollout is None or self.rollout.phase is not RolloutPhase.PROGRESSING
