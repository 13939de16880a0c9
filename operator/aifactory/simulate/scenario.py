"""What is simulated: a service on an engine under a load."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import inf

from aifactory.api.dynamo import DynamoSpec
from aifactory.api.engine import Engine
from aifactory.api.inferenceservice import InferenceService
from aifactory.api.scaling import ScalingSpec
from aifactory.autoscale.bounds import bounds
from aifactory.autoscale.zero import awake
from aifactory.runtimes import Role, roles
from aifactory.runtimes.buckets import edges
from aifactory.settings import Settings
from aifactory.signals.objectives import LATENCIES, Objective, Signal, resolve

from .engine.batching import Sequence
from .engine.counters import TOKENS, histogram_edges
from .engine.edges import BETWEEN_TOKENS_DYNAMO, FIRST_TOKEN_DYNAMO, REQUEST_DYNAMO
from .engine.models import EngineModel
from .trace import Request

_SETTINGS = Settings.model_fields
_FRONTEND_EDGES = {
    "time_to_first_token": FIRST_TOKEN_DYNAMO,
    "inter_token_latency": BETWEEN_TOKENS_DYNAMO,
    TOKENS: BETWEEN_TOKENS_DYNAMO,
    "end_to_end_latency": REQUEST_DYNAMO,
}


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
    """Equal replicas under a load.

    Times are seconds from the start of the trace. `startup` is the mean time that a pod takes to load on its node.
    The trace begins with `initial` replicas that serve; None leaves it to the policy. Nodes have GPUs for `room`.
    Where `prefill` has replicas of its own, which compute the prompts of the same load, these decode.
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
    prefill: "Scenario | None" = None

    @property
    def parts(self) -> "tuple[Scenario, ...]":
        """Each role by itself, in the order in which a request passes through them; what is not of a role is shared."""
        if self.prefill is None:
            return (self,)
        prefill = replace(self.prefill, startup=self.startup, seed=self.seed, watch=self.watch, initial=self.initial)
        return prefill, self

    def sequence(self, request: Request, arrived_at: float) -> Sequence:
        """What a replica has to do for a request.

        To one that decodes, keys and values of the prompt are handed over but for those of the last token, which are
        computed again to get the first token of the answer (vLLM, v1/core/sched/scheduler.py).
        """
        computed = 0 if self.prefill is None else request.prompt_tokens - 1
        return Sequence(request.prompt_tokens, request.output_tokens, arrived_at, computed=computed)

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
    def serves_on(self) -> float:
        """Seconds that a pod which leaves serves on, whether it has requests or not."""
        return float(self.role.server.pre_stop_seconds)

    @property
    def attainment(self) -> float:
        """The share of requests that has to be within all latency objectives, or completed in time."""
        return float(self.role.spec.slo.attainment)

    @property
    def targets(self) -> Mapping[Signal, float]:
        """Seconds by latency objective that these replicas follow."""
        return {one.signal: one.target for one in self.objectives if one.percentile is not None}

    @property
    def promised(self) -> Mapping[Signal, float]:
        """Seconds by latency objective, of all parts."""
        return {signal: target for part in self.parts for signal, target in part.targets.items()}


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
        ScenarioError: if none of its pods scale, its bounds refuse `initial`, or nothing tells good answers from late.
    """
    parts = [_undated(role) for role in roles(service) if role.accelerated]
    if len(parts) > 1 and gpus is not None:
        raise ScenarioError("--gpus cannot be given for prefill and decode apart: leave it out")
    if all(role.spec.scaling is None for role in parts):
        field = "spec.scaling" if len(parts) == 1 else "spec.topology.disaggregated.prefill.scaling, or that of decode"
        raise ScenarioError(f"{field}: is required; give scaling.maxReplicas in place of replicas")
    role = parts[-1]
    found = Scenario(
        role=role,
        scaling=_scaling(role),
        objectives=_followed(role),
        engine=_limited(role, engine),
        edges=histogram_edges(edges(role.spec) if frontends(role) is None else _FRONTEND_EDGES),
        requests=tuple(requests),
        startup=startup,
        seed=seed,
        watch=watch,
        initial=initial,
        room=_room(role, gpus),
    )
    if len(parts) > 1:
        found = replace(found, prefill=_prefilling(found, parts[0], engine))
    if initial is not None:
        for part in found.parts:
            _check_initial(initial, part)
    return found


def frontends(role: Role) -> DynamoSpec | None:
    """What measures whole requests and chooses a worker for each; None of engines that clients ask themselves."""
    runtime = role.spec.runtime
    return (runtime.dynamo or DynamoSpec()) if runtime.engine is Engine.DYNAMO else None


def _prefilling(decoding: Scenario, role: Role, engine: EngineModel) -> Scenario:
    """The same load, of each request the prompt alone, which gives one token that nobody gets."""
    return replace(
        decoding,
        role=role,
        scaling=_scaling(role),
        objectives=_followed(role),
        engine=_limited(role, engine),
        requests=tuple(replace(request, output_tokens=1) for request in decoding.requests),
    )


def _followed(role: Role) -> tuple[Objective, ...]:
    """The objectives that a role follows.

    Raises:
        ScenarioError: if none of them is a latency, and the service is not offline.
    """
    found = tuple(one for one in resolve(role.spec.slo) if role.follows is None or one.signal in role.follows)
    if role.spec.slo.may_take is None and all(objective.percentile is None for objective in found):
        known = [signal for signal in LATENCIES if signal in (role.follows or ())]
        of = f" that {role.name} follows ({' or '.join(known)})" if known else ""
        raise ScenarioError(
            f"spec.slo: give a latency objective{of}, or workload offline without objectives, "
            "to tell good answers from late"
        )
    return found


def _scaling(role: Role) -> ScalingSpec:
    """Between the bounds of the spec, or a fixed number."""
    replicas = role.spec.initial_replicas
    return role.spec.scaling or ScalingSpec(min_replicas=replicas, max_replicas=replicas)


def _check_initial(replicas: int, part: Scenario) -> None:
    """A fixed number of replicas is begun with as it is."""
    low, high = part.scaling.min_replicas, part.scaling.max_replicas
    if part.role.spec.scaling and not low <= replicas <= high:
        raise ScenarioError(
            f"--initial-replicas must be from {low} to {high}, as minReplicas, maxReplicas and budget allow, "
            f"not {replicas}"
        )


def _room(role: Role, gpus: int | None) -> float:
    """Replicas that a cluster has GPUs for."""
    each = role.spec.accelerator.gpus
    if gpus is not None and gpus < each:
        raise ScenarioError(f"--gpus must be at least {each}, as one replica has so many, not {gpus}")
    return inf if gpus is None else gpus // each


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


def _limited(role: Role, engine: EngineModel) -> EngineModel:
    """The engine within the limits that a spec sets."""
    runtime, limits = role.spec.runtime, engine.limits
    limits = replace(
        limits,
        max_num_seqs=runtime.max_sequences or limits.max_num_seqs,
        max_num_batched_tokens=runtime.max_batched_tokens or limits.max_num_batched_tokens,
    )
    return replace(engine, limits=limits)
