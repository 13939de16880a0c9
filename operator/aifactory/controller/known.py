"""What is remembered of a service between two reconciles; losing it costs nothing but a scale-down window."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace

from aifactory.api.conditions import Reason
from aifactory.api.inferenceservice import InferenceService
from aifactory.api.role import RoleName
from aifactory.api.rollout import RolloutStatus
from aifactory.api.spec import Mode
from aifactory.api.status import InferenceServiceStatus, PlanStatus, ResolvedStatus
from aifactory.autoscale.bounds import spec_in_force
from aifactory.autoscale.decision import Decision
from aifactory.autoscale.memory import Memory
from aifactory.autoscale.role import completions, decide_role
from aifactory.autoscale.zero import Rest, activated
from aifactory.canary import Staged
from aifactory.decide import wanted_replicas
from aifactory.observed import Group, Observed
from aifactory.render import resolved
from aifactory.runtimes import MetricDialect, Role, roles
from aifactory.signals.objectives import Objective, resolve
from aifactory.signals.readings import ServiceReadings
from aifactory.signals.snapshot import Snapshot
from aifactory.staging import spoken, stage, whole
from aifactory.status import learned, slo
from aifactory.status.facts import Held, RoleFacts
from aifactory.status.pods import Trouble
from aifactory.status.rollout import recalled, told


@dataclass(slots=True)
class KnownRole:
    """One role, and what its replicas are decided by; `left` is how many the last reconcile left behind.

    `beside` a canary it wanted so many, and left so many of both tracks; None also if it did not end. Requests that
    were turned away, as decisions are only reported, came last at `asked_at` (epoch seconds).
    """

    role: Role
    memory: Memory = field(default_factory=Memory)
    objectives: tuple[Objective, ...] = field(init=False)
    resolved: ResolvedStatus = field(init=False)
    readings: ServiceReadings | None = None
    decision: Decision | None = None
    left: int | None = None
    beside: tuple[int, int] | None = None
    missed_at: float | None = None
    template: str = ""
    asked_at: float | None = None

    def __post_init__(self) -> None:
        found, follows = resolve(self.role.spec.slo), self.role.follows
        self.objectives = tuple(objective for objective in found if follows is None or objective.signal in follows)
        self.resolved = resolved(self.role, self.objectives)

    def decide(self, snapshot: Snapshot, group: Group, now: float) -> None:
        """Read the signals, and run the control law if the role scales; it begins with the replicas that there are."""
        if self.left is not None and group.workload is not None:
            self.left = group.workload.replicas
        self.readings, self.decision, self.memory = decide_role(
            self.role, self.objectives, snapshot, group, self.memory, now
        )
        if self._asked(now):
            self.decision = activated()
        self.missed_at = slo.last_missed(self.readings, self.missed_at)

    def _asked(self, now: float) -> bool:
        """A replica is recommended where there is none: somebody has asked for it within `scaleToZero.after`."""
        decision, scaling = self.decision, self.role.spec.scaling
        if self.asked_at is None or decision is None or scaling is None or scaling.to_zero is None:
            return False
        return decision.from_ == decision.to == 0 and now - self.asked_at < scaling.to_zero.after.total_seconds()

    def yield_to(self, group: Group) -> None:
        """Somebody else changed the replicas since: they count from now on, and the next decision begins with them."""
        if group.workload is None or self.left is None or self.decision is None:
            return
        if group.workload.replicas not in (self.left, self.decision.to):
            self.decision = None
            self.memory = replace(self.memory, claimed=group.workload.replicas)

    def followed(self, observed: Observed) -> int | None:
        """Replicas that are somebody else's beside a canary: as many as were wanted, and what was added since.

        Who insists on more stable ones than a step leaves adds to them again and again, and gets no more than the most.
        """
        both, scaling = _of_both(self.role.name, observed), self.role.spec.scaling
        if not self.role.spec.recommends or scaling is None or self.beside is None or both is None:
            return None
        wanted, left = self.beside
        return max(0, min(wanted + both - left, max(wanted, scaling.max_replicas)))

    def settle(self, group: Group) -> None:
        """Remember the template that the workload's controller has seen, which a change of replicas leaves as it is."""
        if group.workload is not None and not group.workload.lagging:
            self.template = group.workload.template

    def facts(self, group: Group) -> RoleFacts:
        """For the status."""
        known, of = self.memory.learned(), self.memory.knowledge.capability
        return RoleFacts(
            self.role, self.resolved, group, self.decision, self.readings, known, of, self.missed_at, self.template
        )


@dataclass(slots=True)
class Known:
    """One service; `copy` is the claim and folder of the cache that it reads, `held` why nothing is written for it.

    `missing` are kind and name of children that are not made again, as the service is frozen.
    """

    service: InferenceService
    roles: tuple[KnownRole, ...] = ()
    snapshot: Snapshot | None = None
    converged: object = None
    plan: PlanStatus | None = None
    missing: tuple[str, ...] = ()
    held: Held | None = None
    copy: tuple[str, str] | None = None
    refused: Trouble | None = None
    status_written: float = 0.0
    raw_status: object = None
    staged: Staged | None = None
    spoken: tuple[MetricDialect, ...] = ()
    status: InferenceServiceStatus = field(default_factory=InferenceServiceStatus)

    def __post_init__(self) -> None:
        self.follow(self.service)

    def follow(self, service: InferenceService) -> None:
        """Take a new spec, and what follows from it; roles that stay remember, and are read until the next snapshot."""
        before = {one.role.name: one for one in self.roles}
        self.service, self.plan, self.missing, self.copy = service, None, (), None
        self.roles = tuple(map(KnownRole, roles(service)))
        for one in self.roles:
            if one.role.name in before:
                former = before[one.role.name]
                one.memory, one.readings, one.left = former.memory, former.readings, former.left
                one.template, one.beside = former.template, former.beside

    def recall(self, now: float) -> None:
        """Learn from the status what an operator before this one has learned."""
        for one in self.roles:
            before = self.status.scaling_of(one.role.name)
            of = (before.learned_of if before else None) or ""
            one.memory = one.memory.restored(learned.recalled(before), now, of)

    def settle(self, observed: Observed) -> None:
        """Remember what is rolled out, before anything is changed."""
        for one in self.roles:
            one.settle(observed.group(one.role.name))

    def decide(self, snapshot: Snapshot | None, observed: Observed, now: float) -> None:
        """Decide once for each new snapshot."""
        if snapshot is None or snapshot is self.snapshot:
            return
        self.snapshot = snapshot
        for one in self.roles:
            one.decide(snapshot, whole(one.role.name, observed, self.status), now)

    def activate(self, observed: Observed) -> bool:
        """Requests wait for the first replica: it is made at once, whatever signals there are.

        False where it has to wait until the last replica of before is gone.
        """
        one = self.roles[0]
        group = observed.group(one.role.name)
        if group.emptying:
            return False
        if one.role.spec.scales and group.workload is not None and group.workload.replicas == 0:
            one.decision = activated()
            one.memory = replace(one.memory, asked=one.decision.to, rest=Rest())
        return True

    def replicas(self, observed: Observed, now: float) -> Mapping[RoleName, int]:
        """Replicas of each role from now on, its canary included."""
        found: dict[RoleName, int] = {}
        for one in self.roles:
            name = one.role.name
            one.yield_to(observed.group(name))
            found[name] = self._replicas(one, whole(name, observed, self.status, one.followed(observed)), now)
            one.beside = None
        return found

    def stage(self, observed: Observed, replicas: Mapping[RoleName, int], now: float) -> Staged:
        """Where the canary goes; nowhere while the service is frozen."""
        first, before, since = self.roles[0], recalled(self.status.rollout), self.measured_since
        self.spoken, tracks = spoken(first.role, observed), None
        if self.snapshot is not None and since is not None:
            tracks = self.snapshot.tracks(self.service.key, since, first.objectives, self.spoken)
        self.staged = stage(first.role, observed, replicas[first.role.name], before, tracks, now)
        return self.staged

    def rollout(self) -> RolloutStatus | None:
        """For the status: as it was, while nothing is written for the service."""
        before, spec = self.status.rollout, self.service.spec
        if self.staged is None or self.held is not None or spec.mode is not Mode.ACTIVE:
            return before
        return told(spec.rollout.canary, self.staged, before)

    @property
    def measured_since(self) -> float | None:
        """Since when a canary is compared with the other replicas (epoch seconds); None without one."""
        before = recalled(self.status.rollout)
        return before.measured_since if before else None

    def left(self, observed: Observed, wanted: Mapping[RoleName, int]) -> None:
        """What there is after a reconcile that `wanted` so many; other replicas than these are somebody else's."""
        for one in self.roles:
            workload = observed.group(one.role.name).workload
            one.left = workload.replicas if workload and observed.canary.workload is None else None
            both = _of_both(one.role.name, observed)
            one.beside = None if both is None else (wanted[one.role.name], both)

    def _replicas(self, one: KnownRole, group: Group, now: float) -> int:
        decided = one.decision.to if one.decision is not None and one.role.spec.scales else None
        return wanted_replicas(spec_in_force(one.role, now), group, self.status.replicas_of(one.role.name), decided)

    def lacking(self, served: Collection[str]) -> Trouble | None:
        """What the cluster would have to serve for pods to find each other; without it they would wait for ever."""
        found = (one.role.discovery for one in self.roles)
        for kind, remedy in ((each.kind, each.remedy) for each in found if each):
            if kind not in served:
                return Trouble(Reason.KIND_MISSING, f"the cluster does not serve {kind}: {remedy}")
        return None

    @property
    def objectives(self) -> Iterator[Objective]:
        """All that is promised."""
        return (objective for one in self.roles for objective in (*one.objectives, *completions(one.role)))

    @property
    def dialects(self) -> Iterator[MetricDialect]:
        """All metric names that the pods may speak."""
        yield from self.spoken
        for one in self.roles:
            yield from one.role.dialects

    @property
    def in_flight(self) -> Mapping[str, float]:
        """Pods and the requests they hold, as far as it was read."""
        read = (one.readings for one in self.roles if one.readings is not None)
        return {name: held for readings in read for name, held in readings.in_flight.items()}


def _of_both(role: RoleName, observed: Observed) -> int | None:
    """Replicas of both tracks, None without a canary."""
    stable, canary = observed.group(role).workload, observed.canary.workload
    return stable.replicas + canary.replicas if stable and canary else None
