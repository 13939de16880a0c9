"""One service as the operator sees it, and the life of one from report to report."""

from typing import Any

from aifactory.api import API_VERSION
from aifactory.api.inferenceservice import KIND, InferenceService
from aifactory.api.role import RoleName
from aifactory.api.schema import INFERENCE_SERVICE, object_schema
from aifactory.api.status import Condition, InferenceServiceStatus
from aifactory.autoscale.decision import Alternative, Capacity, Decision, DecisionReason, Forecast
from aifactory.observed import Group, Observed, Pod, Workload
from aifactory.render import resolved
from aifactory.runtimes import roles
from aifactory.signals.objectives import Objective, Signal, resolve
from aifactory.signals.readings import ObjectiveReading, PodReading, Reading, ServiceReadings, State
from aifactory.status.facts import Facts, RoleFacts
from aifactory.status.report import dump, report
from aifactory.status.slo import last_missed
from aifactory.status.transitions import Event, transitions

NOON = 1767268800.0  # 2026-01-01T12:00:00Z
UNSCHEDULABLE_SINCE = NOON - 300
NO_GPUS = "0/3 nodes are available: 3 Insufficient nvidia.com/gpu."
SLEEPS = {"scaling": {"minReplicas": 0, "maxReplicas": 8}}
SCALING = {"scaling": {"minReplicas": 1, "maxReplicas": 8}}


def service(generation: int = 1, **spec: Any) -> InferenceService:
    return InferenceService.model_validate(
        {
            "metadata": {"name": "llama", "namespace": "chat", "uid": "uid-1", "generation": generation},
            "spec": {"model": {"name": "meta/llama"}, "runtime": {"engine": "vllm"}, **spec},
        }
    )


def workload(replicas: int = 1, available: int | None = None, **more: Any) -> Workload:
    """A Deployment that runs the current spec."""
    serving = replicas if available is None else available
    settled = {"generation": 1, "observed_generation": 1, "updated": replicas, "total": replicas}
    return Workload(replicas=replicas, ready=serving, available=serving, **(settled | more))


def pod(name: str = "llama-1", **more: Any) -> Pod:
    """A pod that loads."""
    return Pod(**({"name": name, "created_at": NOON - 600, "template_hash": "one"} | more))


def serving(*names: str, **more: Any) -> tuple[Pod, ...]:
    return tuple(pod(name, ready=True, **more) for name in names or ("llama-1",))


def without_node(name: str = "llama-1", message: str = NO_GPUS) -> Pod:
    return pod(name, unschedulable_since=UNSCHEDULABLE_SINCE, unschedulable_message=message)


def stuck(reason: str, message: str = "", **more: Any) -> Pod:
    """A pod whose container cannot start."""
    return pod(waiting_reason=reason, waiting_message=message, **more)


TTFT = Objective(Signal.TTFT, 0.5, 95)


def objective(value: float | None, state: State = State.OK, of: Objective = TTFT, **more: Any) -> ObjectiveReading:
    return ObjectiveReading(of, Reading(value, state), **more)


def readings(*objectives: ObjectiveReading, pods: tuple[str, ...] = ("llama-1",), **more: Any) -> ServiceReadings:
    """What Prometheus says; every pod of `pods` reports."""
    reporting = {name: PodReading(running=1.0) for name in pods}
    return ServiceReadings(time=NOON, window_seconds=60, objectives=objectives, pods=reporting, **more)


def decision(from_: int, to: int, reason: DecisionReason = DecisionReason.WITHIN_TARGET, **more: Any) -> Decision:
    return Decision(from_=from_, to=to, reason=reason, **({"message": f"{from_} -> {to}"} | more))


def capacity(per_replica: float = 4212.4, load: float = 9144.0, confidence: float = 0.844) -> Capacity:
    return Capacity(per_replica, load, confidence, Signal.ITL)


def forecast(value: float = 11_020.0, upper: float = 12_490.0, error: float = 0.081, seconds: float = 105) -> Forecast:
    return Forecast("trend", seconds, value, upper, error, 4)


def alternative(replicas: int = 2, ratio: float | None = 1.13) -> Alternative:
    return Alternative(replicas, DecisionReason.CONSOLIDATION_REFUSED, Signal.ITL if ratio else None, ratio)


def condition(status: InferenceServiceStatus, kind: str) -> Condition | None:
    """The condition of a type, if it is there."""
    return next((found for found in status.conditions if found.type == kind), None)


class Life:
    """A service that is looked at again and again. Each look is a minute after the one before."""

    def __init__(self, **spec: Any) -> None:
        self.service = service(1, **spec)
        self.status = InferenceServiceStatus()
        self.now = NOON
        self.missed_at: float | None = None
        self.template = ""
        self.events: list[Event] = []
        self.told: list[Event] = []

    def edit(self, **spec: Any) -> None:
        """A user changes the spec."""
        self.service = service(self.service.metadata.generation + 1, **spec)

    def look(self, deployment: Workload | None = None, *pods: Pod, **more: Any) -> InferenceServiceStatus:
        """Report on what is there now; `events` then holds what was told this time, `told` everything."""
        self.now += 60
        (role,) = roles(self.service)
        derived = resolved(role, resolve(self.service.spec.slo))
        group = Group(deployment, pods)
        decided, read = more.pop("decision", None), more.pop("readings", None)
        self.missed_at = last_missed(read, self.missed_at) if read else self.missed_at
        if deployment is not None and not deployment.lagging:
            self.template = deployment.template
        learned, template = more.pop("learned", {}), self.template
        seen = RoleFacts(role, derived, group, decided, read, learned, missed_at=self.missed_at, template=template)
        groups = {role.name: group, RoleName.ACTIVATOR: more.pop("activator", Group())}
        observed = Observed({}, groups, more.pop("canary", Group()))
        facts = Facts(self.service, (seen,), observed, self.status, self.now, **more)
        after = report(facts)
        self.events = list(transitions(self.status.conditions, after.conditions))
        self.told += self.events
        self.status = after
        return after

    @property
    def stored(self) -> dict[str, Any]:
        """The object as the API server gives it out."""
        written = self.service.model_dump(mode="json", by_alias=True, exclude_none=True)
        status = dump(self.status) or object_schema(INFERENCE_SERVICE)["properties"]["status"]["default"]
        return {"apiVersion": API_VERSION, "kind": KIND, **written, "status": status}

    def ready(self) -> tuple[str, str]:
        """Status and reason of Ready."""
        found = condition(self.status, "Ready")
        assert found is not None
        return found.status, found.reason
