"""observe -> decide -> apply -> report, for one service at a time."""

import dataclasses
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from aifactory.api.conditions import Reason
from aifactory.api.inferenceservice import InferenceService, ObjectMeta
from aifactory.api.scaling import ScalingSpec
from aifactory.api.spec import Mode
from aifactory.api.status import InferenceServiceStatus, PlanStatus, ResolvedStatus
from aifactory.autoscale.decision import Decision
from aifactory.autoscale.fleet import Fleet
from aifactory.autoscale.law import decide_replicas
from aifactory.autoscale.memory import Memory
from aifactory.cluster.client import ApiError, Client
from aifactory.cluster.discovery import served_of
from aifactory.cluster.store import Key, Store
from aifactory.cluster.writer import NameTakenError, Writer
from aifactory.decide import Plan, plan, wanted_replicas
from aifactory.lint import explain
from aifactory.observed import Observed
from aifactory.preview import preview
from aifactory.render import OPTIONAL, resolved
from aifactory.runtimes import MetricDialect, dialects, scaling
from aifactory.settings import Settings
from aifactory.signals.objectives import Objective, resolve
from aifactory.signals.readings import ServiceReadings
from aifactory.signals.snapshot import Snapshot
from aifactory.signals.wanted import EVERYTHING, Wanted, both, wanted
from aifactory.status.facts import Facts
from aifactory.status.numbers import timestamp
from aifactory.status.pods import Trouble
from aifactory.status.report import dump, rejected, report, same, steady
from aifactory.status.transitions import Event, transitions
from aifactory.telemetry.metrics import Metrics

logger = logging.getLogger(__name__)
REFUSED_RETRY_SECONDS = 30.0
# A new service is reported on once the controllers of its children have made pods, with one write instead of several.
SETTLE_SECONDS = 0.5


@dataclass(slots=True)
class _Known:
    """What is remembered of a service between two reconciles; losing it costs nothing but a scale-down window."""

    service: InferenceService
    objectives: tuple[Objective, ...] = field(init=False)
    dialects: tuple[MetricDialect, ...] = field(init=False)
    scaling: ScalingSpec | None = field(init=False)
    resolved: ResolvedStatus = field(init=False)
    memory: Memory = field(default_factory=Memory)
    snapshot: Snapshot | None = None
    readings: ServiceReadings | None = None
    decision: Decision | None = None
    converged: object = None
    plan: PlanStatus | None = None
    refused: Trouble | None = None
    status_written: float = 0.0
    raw_status: object = None
    status: InferenceServiceStatus = field(default_factory=InferenceServiceStatus)

    def __post_init__(self) -> None:
        self.follow(self.service)

    def follow(self, service: InferenceService) -> None:
        """Take a new spec, and what follows from it."""
        self.service = service
        self.objectives = resolve(service.spec.slo)
        self.dialects = dialects(service.spec)
        self.scaling = scaling(service.spec)
        self.resolved = resolved(service, self.objectives)
        self.decision = self.plan = None


class Reconciler:
    """Brings services to what their specs and signals ask for. `clock` gives epoch seconds."""

    def __init__(
        self, store: Store, writer: Writer, settings: Settings, metrics: Metrics, clock: Callable[[], float]
    ) -> None:
        self._store = store
        self._writer = writer
        self._settings = settings
        self._metrics = metrics
        self._clock = clock
        self._known: dict[Key, _Known] = {}
        self._served: frozenset[str] = frozenset()
        self.snapshot: Snapshot | None = None

    async def discover(self, client: Client) -> None:
        """Learn which optional kinds the cluster serves; before that, children of these kinds would be removed.

        Raises:
            ApiError: if the cluster cannot be asked; nothing changes then.
        """
        self._served = await served_of(client, OPTIONAL)

    def wanted(self) -> Wanted:
        """What the next snapshot has to hold; a service that was not looked at yet may want anything."""
        known = wanted((key, one.objectives, one.dialects) for key, one in self._known.items())
        complete = all(key in self._known for key in self._store.services())
        return known if complete else both(EVERYTHING, known)

    async def reconcile(self, key: Key) -> float | None:
        """One round for one service; the result is the time until the next, in seconds."""
        started, outcome = time.monotonic(), "error"
        try:
            outcome, delay = await self._reconcile(key)
        finally:
            self._metrics.reconciles.labels(outcome).observe(time.monotonic() - started)
        return delay

    async def _reconcile(self, key: Key) -> tuple[str, float | None]:
        raw = self._store.service(key)
        if raw is None or raw["metadata"].get("deletionTimestamp"):
            self._known.pop(key, None)
            return "gone", None
        try:
            known = self._recall(key, raw)
        except ValidationError as error:
            before = InferenceServiceStatus.of(raw)
            metadata = ObjectMeta.model_validate(raw["metadata"])
            status = rejected(before, metadata.generation, "; ".join(map(str, explain(error))), self._clock())
            await self._write_status(metadata, None, raw, before, status)
            return "rejected", self._settings.resync
        before = known.status
        observed = self._store.observe(key)
        self._decide(known, observed)
        decided = known.decision.to if known.decision is not None and known.service.spec.scales else None
        replicas = wanted_replicas(known.service.spec, observed, before, decided)
        changed = await self._apply(known, observed, replicas)
        if observed.workload is None and changed and known.refused is None:
            return "created", SETTLE_SECONDS
        await self._report(known, self._store.observe(key) if changed else observed, raw, before)
        if known.refused is not None:
            return "refused", REFUSED_RETRY_SECONDS
        return "changed" if changed else "unchanged", self._settings.resync

    def _recall(self, key: Key, raw: dict[str, Any]) -> _Known:
        metadata = raw["metadata"]
        known = self._known.get(key)
        if known is None or known.service.metadata.uid != metadata["uid"]:
            known = self._known[key] = _Known(InferenceService.model_validate(raw))
        elif known.service.metadata.generation != metadata["generation"]:
            known.follow(InferenceService.model_validate(raw))
        if known.raw_status is None or known.raw_status is not raw.get("status"):
            known.raw_status, known.status = raw.get("status"), InferenceServiceStatus.of(raw)
        return known

    def _decide(self, known: _Known, observed: Observed) -> None:
        """Run the control law once for each new snapshot."""
        snapshot, spec = self.snapshot, known.service.spec
        if snapshot is None or snapshot is known.snapshot:
            return
        known.snapshot = snapshot
        serving = frozenset(pod.name for pod in observed.serving_pods)
        known.readings = snapshot.service(*known.service.key, serving, known.objectives, known.dialects)
        known.decision = None
        if known.scaling is not None and observed.workload is not None:
            now = self._clock()
            fleet = Fleet.of(observed, spec.runtime.startup_timeout, now)
            known.decision, known.memory = decide_replicas(
                known.scaling, known.objectives, fleet, known.readings, known.memory, now
            )

    async def _apply(self, known: _Known, observed: Observed, replicas: int) -> bool:
        """Whether anything was written. What was compared and found in place is not compared again until it changes."""
        known.refused = None
        if known.service.spec.mode is Mode.PAUSED:
            return False
        if known.converged == (state := self._state(known, observed, replicas)):
            return False
        in_flight = {name: pod.in_flight for name, pod in known.readings.pods.items()} if known.readings else {}
        todo = plan(known.service, observed, replicas, in_flight, served=self._served)
        if known.service.spec.mode is Mode.PLAN:
            known.converged, known.plan = state, preview(known.service, observed, todo, replicas)
            return False
        known.converged = state if todo.empty else None
        try:
            await self._execute(known.service, observed, todo)
        except NameTakenError as error:
            known.refused = Trouble(Reason.NAME_TAKEN, f"{error}; rename the service or remove that object")
        except ApiError as error:
            if not error.rejected:
                raise
            known.refused = Trouble(Reason.APPLY_REJECTED, f"the API server refuses a child object: {error.message}")
        return not todo.empty

    def _state(self, known: _Known, observed: Observed, replicas: int) -> object:
        """Equal when there is nothing to compare again."""
        versions = frozenset(child["metadata"]["resourceVersion"] for child in observed.children.values())
        return known.service.metadata.generation, self._served, replicas, versions

    async def _execute(self, service: InferenceService, observed: Observed, todo: Plan) -> None:
        namespace, name = service.key
        for pod, cost in todo.deletion_costs.items():
            await self._writer.set_deletion_cost(namespace, pod, cost)
        for child in todo.apply:
            exists = (child["kind"], child["metadata"]["name"]) in observed.children
            await self._writer.apply(child, exists=exists)
        for child in todo.delete:
            await self._writer.delete(child)
        if todo.replicas is not None and not any(child["kind"] == "Deployment" for child in todo.apply):
            await self._writer.scale(namespace, name, todo.replicas)

    async def _report(
        self, known: _Known, observed: Observed, raw: dict[str, Any], before: InferenceServiceStatus
    ) -> None:
        now = self._clock()
        facts = Facts(
            known.service,
            known.resolved,
            observed,
            before,
            now,
            known.decision,
            known.readings,
            known.refused,
            known.plan,
        )
        await self._write_status(known.service.metadata, known, raw, before, report(facts))
        decision = known.decision
        if decision is not None and decision.changes and facts.scales:
            self._metrics.decisions.labels(decision.reason).inc()
            direction = "ScaledUp" if decision.to > decision.from_ else "ScaledDown"
            await self._tell(known.service.metadata, Event("Normal", direction, decision.message))
            known.decision = dataclasses.replace(decision, from_=decision.to)

    async def _write_status(
        self,
        metadata: ObjectMeta,
        known: _Known | None,
        raw: dict[str, Any],
        before: InferenceServiceStatus,
        status: InferenceServiceStatus,
    ) -> None:
        if status == before:
            return
        now, old, new = self._clock(), raw.get("status") or {}, dump(status)
        due = known is None or now - known.status_written >= self._settings.status_interval
        if same(old, new) or (steady(old) == steady(new) and not due):
            return
        await self._writer.status(metadata, new)
        if known is not None:
            known.status_written = now
        for event in transitions(before.conditions, status.conditions):
            await self._tell(metadata, event)

    async def _tell(self, metadata: ObjectMeta, event: Event) -> None:
        try:
            await self._writer.event(metadata, event, timestamp(self._clock()))
        except ApiError as error:
            logger.warning("no Event about %s/%s: %s", metadata.namespace, metadata.name, error)
