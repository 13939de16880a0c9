"""observe -> decide -> apply -> report, for one service at a time."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from aifactory.api.inferenceservice import InferenceService
from aifactory.api.meta import STORED
from aifactory.api.owner import ObjectMeta
from aifactory.api.role import RoleName
from aifactory.api.spec import Mode
from aifactory.api.status import InferenceServiceStatus
from aifactory.autoscale.decision import Decision
from aifactory.cache.service import copy_for, held, reference, with_copy
from aifactory.canary import Staged
from aifactory.cluster.caches import CacheStore
from aifactory.cluster.client import Client
from aifactory.cluster.discovery import served_of
from aifactory.cluster.kinds import FOREIGN, Key
from aifactory.cluster.store import Store
from aifactory.cluster.writer import Writer
from aifactory.decide import begins_anew, missing, plan
from aifactory.holding import holding
from aifactory.lint import explain
from aifactory.observed import Observed
from aifactory.preview import preview
from aifactory.render import OPTIONAL
from aifactory.settings import Settings
from aifactory.signals.wanted import EVERYTHING, Wanted, both, compared, wanted
from aifactory.staging import whole
from aifactory.status.facts import Facts
from aifactory.status.report import rejected, report
from aifactory.status.rollout import events
from aifactory.status.transitions import Event
from aifactory.succession import succession
from aifactory.telemetry.metrics import Metrics

from .execute import execute
from .factory import FactoryReader
from .known import Known
from .refusal import RETRY_SECONDS, trouble
from .reporter import Reporter

if TYPE_CHECKING:
    from aifactory.signals.snapshot import Snapshot

# A new service is reported on once the controllers of its children have made pods, with one write instead of several.
SETTLE_SECONDS = 0.5


class Reconciler:
    """Brings services to what their specs and signals ask for. `clock` gives epoch seconds."""

    def __init__(
        self,
        store: Store,
        caches: CacheStore,
        writer: Writer,
        settings: Settings,
        metrics: Metrics,
        clock: Callable[[], float],
        factory: FactoryReader,
    ) -> None:
        self._store = store
        self._caches = caches
        self._reporter = Reporter(writer, settings.status_interval, clock)
        self._writer = writer
        self._settings = settings
        self._metrics = metrics
        self._clock = clock
        self._factory = factory
        self._known: dict[Key, Known] = {}
        self._served: frozenset[str] = frozenset()
        self._asked_for: set[Key] = set()
        self.snapshot: Snapshot | None = None

    async def discover(self, client: Client) -> bool:
        """Learn which optional kinds the cluster serves, and whether they are others than before.

        Before the first time, children of these kinds would be removed.

        Raises:
            ApiError: if the cluster cannot be asked; nothing changes then.
        """
        before, self._served = self._served, await served_of(client, (*OPTIONAL, *FOREIGN))
        return self._served != before

    @property
    def served(self) -> frozenset[str]:
        """Optional kinds that the cluster serves."""
        return self._served

    def wanted(self) -> Wanted:
        """What the next snapshot has to hold; a service that was not looked at yet may want anything."""
        known = wanted((key, one.objectives, one.dialects) for key, one in self._known.items())
        canaries = ((key, since) for key, one in self._known.items() if (since := one.measured_since) is not None)
        known = replace(known, canaries=compared(canaries, self._clock()))
        complete = all(key in self._known for key in self._store.services())
        return known if complete else both(EVERYTHING, known)

    def wake(self, key: Key, address: str) -> HTTPStatus:
        """An activator at an IP address has requests for a service; ACCEPTED when its next reconcile makes a replica.

        FORBIDDEN if it is not the service's own; OK where nothing needs to be done, as there is a replica or will be;
        CONFLICT where nothing may be done, but one is recommended.
        """
        known, observed = self._known.get(key), self._store.observe(key)
        activators = observed.group(RoleName.ACTIVATOR).pods
        if known is None or address not in {one for pod in activators for one in pod.addresses}:
            return HTTPStatus.FORBIDDEN
        first, role = known.roles[0], known.roles[0].role
        workload = observed.group(role.name).workload
        if workload is None or workload.replicas or not role.spec.may_sleep:
            return HTTPStatus.OK
        if not role.spec.scales:
            first.asked_at = self._clock()
            return HTTPStatus.CONFLICT
        self._asked_for.add(key)
        return HTTPStatus.ACCEPTED

    async def reconcile(self, key: Key) -> float | None:
        """One round for one service; the result is the time until the next, in seconds."""
        return await self._metrics.reconciled(self._reconcile(key))

    async def _reconcile(self, key: Key) -> tuple[str, float | None]:
        raw = self._store.service(key)
        if raw is None or raw["metadata"].get("deletionTimestamp"):
            self._known.pop(key, None)
            self._asked_for.discard(key)
            return "gone", None
        try:
            known = self._recall(key, raw)
        except ValidationError as error:
            before = InferenceServiceStatus.of(raw)
            metadata = ObjectMeta.model_validate(raw["metadata"])
            status = rejected(before, metadata.generation, "; ".join(map(str, explain(error))), self._clock())
            await self._reporter.write(metadata, raw, before, status, 0.0)
            return "rejected", self._settings.resync
        before = known.status
        observed = self._store.observe(key)
        self._find_weights(known, observed)
        known.settle(observed)
        known.decide(self.snapshot, observed, self._clock())
        if key in self._asked_for and known.activate(observed):
            self._asked_for.discard(key)
        replicas = known.replicas(observed, self._clock())
        staged = known.stage(observed, replicas, self._clock())
        changed = await self._apply(known, observed, replicas, staged)
        after = self._store.observe(key) if changed else observed
        known.left(after, replicas)
        if not observed.exists and changed and known.refused is None:
            return "created", SETTLE_SECONDS
        await self._report(known, after, replicas, raw, before)
        if known.refused is not None:
            return "refused", RETRY_SECONDS
        return "changed" if changed else "unchanged", self._settings.resync

    def _recall(self, key: Key, raw: dict[str, Any]) -> Known:
        metadata = raw["metadata"]
        known = self._known.get(key)
        new = known is None or known.service.metadata.uid != metadata["uid"]
        if known is None or new:
            known = self._known[key] = Known(InferenceService.model_validate(raw, context=STORED))
        elif known.service.metadata.generation != metadata["generation"]:
            known.follow(InferenceService.model_validate(raw, context=STORED))
        if known.raw_status is None or known.raw_status is not raw.get("status"):
            known.raw_status, known.status = raw.get("status"), InferenceServiceStatus.of(raw)
        if new:
            known.recall(self._clock())
        return known

    def _find_weights(self, known: Known, observed: Observed) -> None:
        """Give the service the copy of its cache that it is to read, or hold it."""
        named, known.held = reference(known.service), None
        if named is None:
            return
        found = self._caches.owner((known.service.metadata.namespace, named.name))
        copy = copy_for(named.name, found, observed.children)
        known.held = held(named.name, found) if copy is None else None
        if copy is not None and copy != known.copy:
            known.follow(with_copy(known.service, *copy))
            known.copy, known.converged = copy, None

    async def _apply(self, known: Known, observed: Observed, replicas: Mapping[RoleName, int], staged: Staged) -> bool:
        """Whether anything was written. What was compared and found in place is not compared again until it changes."""
        known.refused = None
        mode = known.service.spec.mode
        if known.held is not None:
            return False
        known.refused = known.lacking(self._served) if mode is Mode.ACTIVE else None
        if known.refused is not None:
            return False
        now = self._clock()
        held = holding(known.roles[0].role, observed, replicas[known.roles[0].role.name], now)
        state = (self._state(known, observed, replicas, now), replicas, staged, held)
        if known.converged == state:
            return False
        todo = plan(
            known.service,
            observed,
            replicas,
            known.in_flight,
            served=self._served,
            staged=staged,
            now=now,
            monitor_labels=self._settings.monitor_labels,
            activation=self._settings.activation,
        )
        if mode is not Mode.ACTIVE:
            known.converged, known.missing = state, missing(known.service, observed, todo)
            known.plan = preview(known.service, observed, todo, replicas) if mode is Mode.PLAN else None
            return False
        known.converged = state if todo.empty else None
        refused = await execute(self._writer, known.service.metadata.namespace, observed, todo)
        known.refused = trouble(refused, "service")
        return not todo.empty

    def _state(self, known: Known, observed: Observed, replicas: Mapping[RoleName, int], now: float) -> object:
        """Equal when there is nothing to compare again."""
        versions = frozenset(child["metadata"]["resourceVersion"] for child in observed.children.values())
        ready = tuple(group.members and group.pods for group in observed.groups.values())
        parts = tuple(one.role for one in known.roles)
        restart = frozenset(pod.uid for pod in begins_anew(parts, observed, now))
        step = succession(parts, observed, replicas, now)
        return known.service.metadata.generation, self._served, versions, ready, restart, step

    async def _report(
        self,
        known: Known,
        observed: Observed,
        replicas: Mapping[RoleName, int],
        raw: dict[str, Any],
        before: InferenceServiceStatus,
    ) -> None:
        names = [one.role.name for one in known.roles]
        groups = [whole(name, observed, before, replicas[name]) for name in names]
        parts = tuple(one.facts(group) for one, group in zip(known.roles, groups, strict=True))
        facts = Facts(
            known.service,
            parts,
            observed,
            before,
            self._clock(),
            refused=known.refused,
            plan=known.plan,
            rollout=known.rollout(),
            held=known.held,
            missing=known.missing,
            factory=self._factory.spec,
            watts=self.snapshot.watts.get(known.service.metadata.namespace, {}) if self.snapshot else {},
        )
        status = report(facts)
        known.status_written = await self._reporter.write(
            known.service.metadata,
            raw,
            before,
            status,
            known.status_written,
            news=events(before.rollout, status.rollout),
        )
        for one, part in zip(known.roles, parts, strict=True):
            if one.decision is not None and one.decision.changes and facts.carried_out(part):
                await self._tell_decision(known.service.metadata, one.decision, facts.about(part, one.decision.message))
                one.decision = replace(one.decision, from_=one.decision.to)

    async def _tell_decision(self, metadata: ObjectMeta, decision: Decision, message: str) -> None:
        self._metrics.decisions.labels(decision.reason).inc()
        direction = "ScaledUp" if decision.to > decision.from_ else "ScaledDown"
        await self._reporter.tell(metadata, Event("Normal", direction, message))
