"""What is simulated: a service on an engine under a load."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import inf

from aifactory.api.inferenceservice import InferenceService
from aifactory.api.scaling import ScalingSpec
from aifactory.autoscale.bounds import bounds
from aifactory.autoscale.zero import awake
from aifactory.runtimes import Role, roles
from aifactory.runtimes.buckets import edges
from aifactory.settings import Settings
from aifactory.signals.objectives import Objective, Signal, resolve

from .engine.batching import Limits
from .engine.counters import histogram_edges
from .engine.models import EngineModel
from .trace import Request

_SETTINGS = Settings.model_fields


class ScenarioError(ValueError):
    """A service that cannot be simulated; the message names the field and the fix."""


@dataclass(frozen=True, slots=True)
class Watch:
    """How a service is looked at, in seconds: between scrapes, between ticks of the operator, window of its rates."""

    scrape: float = 15.0
    tick: float = _SETTINGS["tick"].default
    window: float = _SETTINGS["metrics_window"].default


_USUAL = Watch()


@dataclass(frozen=True, slots=True)
class Scenario:
    """Times are seconds from the start of the trace. `startup` is the mean time that a pod takes to load on its node.

    The trace begins with `initial` replicas that serve; None leaves it to the policy. Nodes have GPUs for `room`.
    """

    role: Role
    scaling: ScalingSpec
    objectives: tuple[Objective, ...]
    engine: EngineModel
    edges: Mapping[str, tuple[float, ...]]
    requests: tuple[Request, ...]
    startup: float
    seed: int
    watch: Watch = _USUAL
    initial: int | None = None
    room: float = inf

    @property
    def end(self) -> float:
        """When the last request arrives, or, of an offline service, when it has to be completed."""
        return self.requests[-1].at + (self.within or 0.0)

    @property
    def within(self) -> float | None:
        """Seconds that a request of an offline service may take; None where there are objectives."""
        found = self.role.spec.slo.may_take
        return None if found is None else found.total_seconds()

    @property
    def gpus(self) -> int:
        """GPUs of one replica."""
        return self.role.spec.accelerator.gpus

    @property
    def attainment(self) -> float:
        """The share of requests that has to be within all latency objectives, or completed in time."""
        return float(self.role.spec.slo.attainment)

    @property
    def targets(self) -> Mapping[Signal, float]:
        """Seconds by latency objective."""
        return {one.signal: one.target for one in self.objectives if one.percentile is not None}


def scenario(
    service: InferenceService,
    engine: EngineModel,
    requests: list[Request],
    *,
    startup: float,
    seed: int,
    watch: Watch = _USUAL,
    initial: int | None = None,
    gpus: int | None = None,
) -> Scenario:
    """The service on an engine, within the limits that its spec sets, in a cluster of `gpus` or of as many as it takes.

    Raises:
        ScenarioError: if it is not made of equal pods that scale, or nothing tells good answers from late ones.
    """
    parts = [role for role in roles(service) if role.accelerated]
    if len(parts) != 1:
        raise ScenarioError("spec.runtime: only services of equal model servers can be simulated yet")
    role = _undated(parts[0])
    spec, scaling = role.spec, role.spec.scaling
    if scaling is None:
        raise ScenarioError("spec.scaling: is required; give scaling.maxReplicas in place of replicas")
    objectives, each = resolve(spec.slo), spec.accelerator.gpus
    if gpus is not None and gpus < each:
        raise ScenarioError(f"--gpus must be at least {each}, as one replica has so many, not {gpus}")
    if spec.slo.may_take is None and all(objective.percentile is None for objective in objectives):
        raise ScenarioError(
            "spec.slo: give a latency objective, or workload offline without objectives, to tell good answers from late"
        )
    return Scenario(
        role=role,
        scaling=scaling,
        objectives=objectives,
        engine=replace(engine, limits=_limits(role, engine.limits)),
        edges=histogram_edges(edges(spec)),
        requests=tuple(requests),
        startup=startup,
        seed=seed,
        watch=watch,
        initial=initial,
        room=inf if gpus is None else gpus // each,
    )


def _undated(role: Role) -> Role:
    """Without schedules, as a trace has no date, and with what the budget allows as bounds, for every policy.

    A last replica stays: nobody holds requests here.
    """
    scaling, gpus = role.spec.scaling, role.spec.accelerator.gpus
    if scaling is None:
        return role
    budgeted = awake(scaling).model_copy(update={"schedules": None})
    plain = bounds(budgeted, gpus, 0.0).applied(budgeted).model_copy(update={"budget": None})
    spec = role.spec.model_copy(update={"scaling": plain})
    return replace(role, service=role.service.model_copy(update={"spec": spec}))


def _limits(role: Role, limits: Limits) -> Limits:
    runtime = role.spec.runtime
    return replace(
        limits,
        max_num_seqs=runtime.max_sequences or limits.max_num_seqs,
        max_num_batched_tokens=runtime.max_batched_tokens or limits.max_num_batched_tokens,
    )
