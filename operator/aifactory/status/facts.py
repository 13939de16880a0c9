"""Everything that a status is made from."""

from dataclasses import dataclass

from aifactory.api.conditions import Reason
from aifactory.api.inferenceservice import InferenceService
from aifactory.api.spec import Mode
from aifactory.api.status import InferenceServiceStatus, PlanStatus, ResolvedStatus
from aifactory.autoscale.decision import Decision
from aifactory.observed import Observed, Workload
from aifactory.signals.readings import ServiceReadings

from .pods import Trouble, trouble


@dataclass(frozen=True, slots=True)
class Facts:
    """One service at `now` (epoch seconds), and what the operator derived from its spec.

    `decision` and `readings` are None until signals were read once; `refused` is what kept the last writes from
    happening; `plan` what would be written in another mode. `before` is the status that was written last.
    """

    service: InferenceService
    resolved: ResolvedStatus
    observed: Observed
    before: InferenceServiceStatus
    now: float
    decision: Decision | None = None
    readings: ServiceReadings | None = None
    refused: Trouble | None = None
    plan: PlanStatus | None = None

    @property
    def workload(self) -> Workload:
        """The Deployment, all zero while there is none."""
        return self.observed.workload or Workload(replicas=0)

    @property
    def trouble(self) -> Trouble | None:
        """What keeps the service from being as asked for; a failing pod beyond the required ones does not."""
        short = self.workload.available < self.required or self.rolling_out
        return self.refused or (trouble(self.observed) if short else None)

    @property
    def required(self) -> int:
        """Replicas that must serve for the service to count as ready; a frozen Deployment gets no more than it has."""
        asked = self.service.spec.initial_replicas
        return min(asked, self.workload.replicas) if self.frozen else asked

    @property
    def frozen(self) -> Reason | None:
        """Why the workload is left as it is, or None."""
        return {Mode.PAUSED: Reason.PAUSED, Mode.PLAN: Reason.PLAN_ONLY}.get(self.service.spec.mode)

    @property
    def scales(self) -> bool:
        """The decision is carried out."""
        return self.service.spec.scales and self.refused is None

    @property
    def rolling_out(self) -> bool:
        """Replicas of an earlier spec are still there, or nobody looked at the Deployment since the spec changed.

        A change of replicas alone also makes the Deployment's controller lag for a moment, and so does a new
        Deployment, which has no earlier spec; neither is a rollout.
        """
        lagging = 0 < self.workload.observed_generation < self.workload.generation
        was_rolling = any(condition.reason == Reason.ROLLING_OUT for condition in self.before.conditions)
        return self.workload.total > self.workload.updated or (lagging and (self.changed or was_rolling))

    @property
    def changed(self) -> bool:
        """The spec is another one than the last status was about."""
        return self.before.observed_generation != self.service.metadata.generation
