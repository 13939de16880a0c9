"""Everything that a status is made from."""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field

from aifactory.api.conditions import ConditionType, Reason
from aifactory.api.factory import NOTHING, AIFactorySpec
from aifactory.api.inferenceservice import InferenceService
from aifactory.api.rollout import RolloutStatus
from aifactory.api.spec import Mode
from aifactory.api.status import InferenceServiceStatus, PlanStatus, ResolvedStatus
from aifactory.autoscale.bounds import spec_in_force
from aifactory.autoscale.decision import Decision
from aifactory.observed import Group, Observed, Workload
from aifactory.runtimes import Role
from aifactory.signals.readings import ServiceReadings

from .pods import Trouble, trouble


@dataclass(frozen=True, slots=True)
class Held:
    """Why nothing is written for now: there are no weights to read. `status` is that of `Ready`."""

    status: bool | None
    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class RoleFacts:
    """One role of a service, and what the operator derived from its spec.

    `decision` and `readings` are None until signals were read once; `learned` is what a restart should not lose, of
    replicas with the fingerprint `learned_of`. An objective was last missed at `missed_at` (epoch seconds). `template`
    is that of the pods when the workload's controller last had nothing left to look at, empty if not known.
    """

    role: Role
    resolved: ResolvedStatus
    group: Group
    decision: Decision | None = None
    readings: ServiceReadings | None = None
    learned: Mapping[str, float] = field(default_factory=dict)
    learned_of: str = ""
    missed_at: float | None = None
    template: str = ""

    @property
    def workload(self) -> Workload:
        """The Deployment, all zero while there is none."""
        return self.group.workload or Workload(replicas=0)

    @property
    def scales(self) -> bool:
        """Signals decide how many replicas there are."""
        return self.role.spec.scaling is not None


@dataclass(frozen=True, slots=True)
class Facts:
    """One service at `now` (epoch seconds); clients talk to the first of its `roles`.

    `refused` is what kept the last writes from happening; `plan` what would be written in another mode; `rollout` where
    the canary is, which belongs to the group of its role; `held` why nothing is written; `missing` are kind and name of
    children that are not made again, as the service is frozen. `before` is the status that was written last. `factory`
    has the prices of GPUs, `watts` the measured power of pods by name.
    """

    service: InferenceService
    roles: tuple[RoleFacts, ...]
    observed: Observed
    before: InferenceServiceStatus
    now: float
    _: KW_ONLY
    refused: Trouble | None = None
    plan: PlanStatus | None = None
    rollout: RolloutStatus | None = None
    held: Held | None = None
    missing: tuple[str, ...] = ()
    factory: AIFactorySpec = NOTHING
    watts: Mapping[str, float] = field(default_factory=dict)

    @property
    def readings(self) -> ServiceReadings | None:
        """What clients see."""
        return self.roles[0].readings

    @property
    def serving(self) -> bool:
        """Some pod takes requests."""
        return bool(self.roles[0].group.serving_pods)

    @property
    def trouble(self) -> Trouble | None:
        """What keeps the service from being as asked for."""
        found = (self.trouble_of(one) for one in self.roles)
        return self.refused or next((cause for cause in found if cause is not None), None)

    def trouble_of(self, one: RoleFacts) -> Trouble | None:
        """What keeps a role from being as asked for; a failing pod beyond the required ones does not."""
        short = one.workload.available < self.required(one) or self.rolling_out(one)
        return trouble(self.observed.group(one.role.name), self.now) if short else None

    def required(self, one: RoleFacts) -> int:
        """Replicas that must serve for the role to count as ready: no more than there are where none will be added.

        A schedule that asks for more than the service itself is no reason to call it unready.
        """
        spec = one.role.spec
        asked = min(spec.initial_replicas, spec_in_force(one.role, self.now).initial_replicas)
        final = self.frozen or spec.may_sleep or spec.recommends
        return min(asked, one.workload.replicas) if final else asked

    @property
    def frozen(self) -> Reason | None:
        """Why the workload is left as it is, or None."""
        return {Mode.PAUSED: Reason.PAUSED, Mode.PLAN: Reason.PLAN_ONLY}.get(self.service.spec.mode)

    def asleep(self, one: RoleFacts) -> bool:
        """There is no replica until a request comes."""
        return one.role.spec.wakes and one.group.workload is not None and one.workload.replicas == 0

    def cold(self, one: RoleFacts) -> bool:
        """The first replica since the service slept has not served yet."""
        known = (condition.reason for condition in self.before.conditions if condition.type == ConditionType.READY)
        slept = any(reason in (Reason.SCALED_TO_ZERO, Reason.COLD_STARTING) for reason in known)
        return slept and one.role.spec.may_sleep and one.workload.replicas > 0 and not one.group.serving_pods

    @property
    def canary(self) -> RolloutStatus | None:
        """The canary, where it is what there is to say about the workload."""
        return None if self.trouble or self.frozen or not self.observed.exists else self.rollout

    def carried_out(self, one: RoleFacts) -> bool:
        """The decision about a role is, also if other writes were refused."""
        done = one.decision is not None and one.workload.replicas == one.decision.to
        return one.role.spec.scales and (self.refused is None or done)

    def rolling_out(self, one: RoleFacts) -> bool:
        """Replicas of an earlier spec are still there, or nobody looked at the Deployment since its template changed.

        A change of replicas alone also makes the Deployment's controller lag for a moment, and so does a new
        Deployment, which has no earlier spec; neither is a rollout. Where the earlier template is not known, as after a
        restart, any change of the spec counts.
        """
        if one.workload.total > one.workload.updated or not one.workload.lagging:
            return one.workload.total > one.workload.updated
        if one.template and one.workload.template:
            return one.template != one.workload.template
        was_rolling = any(condition.reason == Reason.ROLLING_OUT for condition in self.before.conditions)
        return self.changed or was_rolling

    @property
    def changed(self) -> bool:
        """The spec is another one than the last status was about."""
        return self.before.observed_generation != self.service.metadata.generation

    def about(self, one: RoleFacts, message: str) -> str:
        """A sentence about a role, which is named where there are several."""
        return f"{one.role.name}: {message}" if len(self.roles) > 1 else message
