"""`InferenceService.status`: everything a user reads. Decimals are strings, times are RFC 3339 in UTC."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, ValidationError

from .checks import Unique
from .coststatus import CostStatus, EnergyStatus
from .meta import FreeText, Model
from .role import RoleName
from .rollout import RolloutStatus

Text = Annotated[str, Field(max_length=512)]
LEARNED = 80


class Condition(Model):
    """One aspect of the service, as in metav1.Condition."""

    type: Annotated[str, Field(max_length=64)] = Field(description="Aspect, unique in the list.")
    status: Annotated[str, Field(pattern="^(True|False|Unknown)$")] = Field(description="True, False or Unknown.")
    observed_generation: int = Field(default=0, description="metadata.generation that this condition is about.")
    last_transition_time: Annotated[str, Field(max_length=32)] = Field(description="When status last changed.")
    reason: Annotated[str, Field(max_length=64)] = Field(description="Cause, one CamelCase word.")
    message: FreeText = Field(default="", description="Sentence for people: what is, and what to change.")


class ReplicasStatus(Model):
    """Numbers of replicas; several pods that serve together are one."""

    desired: int = Field(default=0, description="Wanted now.")
    current: int = Field(default=0, description="Existing and not terminating.")
    ready: int = Field(default=0, description="Answering.")
    pending: int = Field(default=0, description="Starting or loading the model.")
    unschedulable: int = Field(default=0, description="Without a node that can take them, or one of their pods.")


class ResolvedStatus(Model):
    """Values that the operator chose or derived."""

    image: Text = Field(description="Container image.")
    command: Annotated[list[FreeText], Field(max_length=128)] = Field(default=[], description="Command and arguments.")
    precision: Text | None = Field(default=None, description="Number format asked of the engine.")
    profile: Text | None = Field(default=None, description="NIM profile.")
    accelerator: Text | None = Field(default=None, description="GPU request of one replica, such as nvidia.com/gpu: 1.")
    probes: Annotated[dict[str, Text], Field(max_length=8)] = Field(default={}, description="Probe name to path.")
    metrics_path: Text = Field(description="Where Prometheus scrapes.")
    objectives: Annotated[dict[str, Text], Field(max_length=8)] = Field(
        default={}, description="Objective to its target, preset filled in, such as p95 <= 500ms."
    )


class ObjectiveStatus(Model):
    """One objective: target, what is seen, how well it held."""

    objective: Text = Field(description="timeToFirstToken, interTokenLatency, endToEndLatency or throughput.")
    target: Text = Field(description="Target, such as p95 <= 500ms.")
    state: Text = Field(description="OK, IDLE, STALE, MISSING, ERROR or UNSUPPORTED.")
    observed: Text | None = Field(
        default=None, description="Observed now in the target's unit, such as 310ms, 7.05s or 2m23s."
    )
    attainment5m: Text | None = Field(
        default=None, alias="attainment5m", description="Share of the last 5 minutes within the target."
    )
    attainment1h: Text | None = Field(
        default=None, alias="attainment1h", description="Share of the last hour within the target."
    )
    error_budget: Text | None = Field(default=None, description="Share of the hour's error budget that is left.")


class ThroughputStatus(Model):
    """Rates over the metrics window."""

    requests_per_second: Text | None = Field(default=None, description="Completed requests per second.")
    offered_requests_per_second: Text | None = Field(
        default=None, description="Arrivals: completed plus growth of requests in the system."
    )
    input_tokens_per_second: Text | None = Field(default=None, description="Prompt tokens per second.")
    output_tokens_per_second: Text | None = Field(default=None, description="Generated tokens per second.")
    running: Text | None = Field(default=None, description="Requests in the batch now.")
    waiting: Text | None = Field(default=None, description="Requests that wait now.")


class DecisionStatus(Model):
    """One scaling decision."""

    time: Text = Field(description="When it was taken.")
    from_: int = Field(alias="from", description="Replicas before.")
    to: int = Field(description="Replicas after.")
    reason: Text = Field(description="Cause, one CamelCase word.")
    signal: Text | None = Field(default=None, description="Signal that asked for it.")
    cause: Text | None = Field(
        default=None,
        description="Rule by which that many are asked for, as in recommendations; TakenBack: fewer had to be taken "
        "back under such a load. Absent where no signal has answered for it.",
    )
    limited_by: Text | None = Field(default=None, description="What kept it from more, or from fewer.")
    message: FreeText = Field(default="", description="Sentence with the numbers.")


class RecommendationStatus(Model):
    """What one signal alone would choose."""

    signal: Text = Field(description="Name of the signal.")
    state: Text = Field(description="OK, IDLE, STALE, MISSING, ERROR or UNSUPPORTED.")
    value: Text | None = Field(
        default=None,
        description="Observed value. A latency is that of the promised share of requests (slo.attainment), which may "
        "be higher than that of the objective's percentile.",
    )
    target: Text | None = Field(default=None, description="Its limit.")
    ratio: Text | None = Field(
        default=None, description="Value / limit, averaged; what is far beyond the limit counts as twice the limit."
    )
    adds_above: Text | None = Field(
        default=None, description="Ratio above which replicas are added. Absent where they go by load."
    )
    removes_below: Text | None = Field(
        default=None, description="Ratio below which fewer replicas are considered. Absent where they go by load."
    )
    replicas: int | None = Field(default=None, description="Replicas that it asks for.")
    cause: Text | None = Field(
        default=None,
        description="Rule by which it asks for them. By what was learned of one replica: ExpectedLoad, PresentLoad, "
        "Unproven (the load fits by estimate, and fewer replicas have not proven to carry it), StandIn (for replicas "
        "that are stuck or do not start). By the signal itself: TargetMissed and AboveThreshold (grown by the ratio), "
        "WithinThresholds, Consolidation (the fewest that keep the ratio low), Queue (they work off what waits), "
        "OneAtATime (more would not help), NoRequests, Backlog (they complete in time what is due).",
    )


class CapacityStatus(Model):
    """What one replica carries, as it was learned from this service. Tokens are those of prompts and of answers."""

    tokens_per_second_per_replica: Text = Field(
        description="Tokens per second of one replica at which `signal` comes to its limit, as far as it is trusted: "
        "fewer replicas are asked for by this."
    )
    estimated_tokens_per_second_per_replica: Text | None = Field(
        default=None,
        description="The same by estimate, which may be higher: more replicas are asked for by this. Absent where load "
        "does not bring the signal to its limit.",
    )
    tokens_per_second: Text = Field(description="Tokens per second of all replicas now.")
    confidence: Text = Field(description="How sure that is; below 50% what was assumed counts for more.")
    signal: Text = Field(description="Signal that comes to its limit first.")


class ForecastStatus(Model):
    """The load that is expected, in tokens per second of all replicas."""

    model: Text = Field(description="Name of the model that forecast best so far.")
    horizon: Text = Field(description="How far ahead, such as 2m.")
    expected: Text = Field(description="Most tokens per second that it expects.")
    upper: Text = Field(
        description="Tokens per second that room is kept for: the same with the usual error, and more, up to the "
        "highest load lately, the more of the error budget is spent."
    )
    error: Text = Field(
        description="What its forecasts of about the last hour were short of, as a share of the loads that came: root "
        "mean square over root mean square, 10% before it was judged."
    )
    replicas: int = Field(
        description="Replicas that latencies together ask for because of the load. Fewer than `upper` would take where "
        "a latency is still far from its target, or more is not proven."
    )


class AlternativeStatus(Model):
    """A number of replicas that was not chosen."""

    replicas: int = Field(description="That number.")
    reason: Text = Field(description="Why not, one CamelCase word.")
    signal: Text | None = Field(default=None, description="Signal that speaks against it.")
    predicted: Text | None = Field(default=None, description="What its value / limit would become, 100 at most.")
    cause: Text | None = Field(
        default=None, description="Where that alone is no reason: the rule that asks for more, as in recommendations."
    )
    message: FreeText = Field(default="", description="Sentence for people.")


class ScalingStatus(Model):
    """How the number of replicas comes about."""

    decision: DecisionStatus | None = Field(default=None, description="The decision in force.")
    recommendations: Annotated[list[RecommendationStatus], Field(max_length=16)] = Field(
        default=[], description="Each signal's own answer."
    )
    capacity: CapacityStatus | None = Field(default=None, description="What one replica carries, and the load now.")
    forecast: ForecastStatus | None = Field(default=None, description="The load that is expected.")
    rejected: Annotated[list[AlternativeStatus], Field(max_length=8)] = Field(
        default=[], description="Numbers of replicas that were not chosen, and why."
    )
    last_scale_time: Text | None = Field(default=None, description="When replicas last changed.")
    history: Annotated[list[DecisionStatus], Field(max_length=10)] = Field(
        default=[], description="Last changes, newest first."
    )
    learned: Annotated[dict[str, Text], Field(max_length=LEARNED)] = Field(
        default={}, description="What scaling has learned of the service, for the operator after a restart."
    )
    learned_of: Text | None = Field(
        default=None,
        description="Fingerprint of the replicas that this is about: image, arguments, resources, volumes and nodes. "
        "When it changes, what a replica carries and how long it starts are learned anew.",
    )


class RoleStatus(Model):
    """One role of a service that has several."""

    name: Text = Field(description="What its pods do: model-server, frontend, prefill or decode.")
    replicas: ReplicasStatus = Field(description="Numbers of replicas.")
    resolved: ResolvedStatus = Field(description="Values that the operator chose or derived.")
    scaling: ScalingStatus | None = Field(default=None, description="How the number of replicas comes about.")


class FromTo(Model):
    """A number now, and as planned."""

    from_: int = Field(alias="from", description="Now.")
    to: int = Field(description="As planned.")


class ChangeStatus(Model):
    """One object that would be written."""

    action: Text = Field(description="Add, Change or Remove.")
    object: Text = Field(description="Kind and name, such as Deployment/chat.")
    fields: Annotated[list[Text], Field(max_length=20)] = Field(
        default=[], description="Of a change: path: value now -> value then."
    )


class PlanStatus(Model):
    """What mode Active would change."""

    changes: Annotated[list[ChangeStatus], Field(max_length=32)] = Field(
        default=[], description="Objects that would be written; none when all is in place."
    )
    replicas: FromTo = Field(description="Replicas.")
    gpus: FromTo = Field(description="GPUs of all replicas together.")


class InferenceServiceStatus(Model):
    """What is, and why."""

    observed_generation: int | None = Field(default=None, description="metadata.generation that this status is about.")
    conditions: Annotated[list[Condition], Field(max_length=32), Unique("type")] = Field(
        default=[], description="Aspects of the service; Ready sums them up."
    )
    url: Text | None = Field(default=None, description="OpenAI-compatible endpoint inside the cluster.")
    engine: Text | None = Field(default=None, description="Engine that serves.")
    model: Text | None = Field(default=None, description="Served model name.")
    replicas: ReplicasStatus | None = Field(default=None, description="Numbers of replicas.")
    resolved: ResolvedStatus | None = Field(default=None, description="Values that the operator chose or derived.")
    slo: Annotated[list[ObjectiveStatus], Field(max_length=8), Unique("objective")] = Field(
        default=[], description="Objectives and how well they hold."
    )
    slo_attainment: Text | None = Field(
        default=None, description="Worst objective's share of the last 5 minutes within target."
    )
    throughput: ThroughputStatus | None = Field(default=None, description="Rates over the metrics window.")
    cost: CostStatus | None = Field(default=None, description="What the service costs.")
    energy: EnergyStatus | None = Field(
        default=None, description="What power it draws; None while it has no GPUs or their power is not known."
    )
    scaling: ScalingStatus | None = Field(default=None, description="How the number of replicas comes about.")
    roles: Annotated[list[RoleStatus], Field(max_length=8), Unique("name")] = Field(
        default=[], description="Each role of a service that has several; replicas then sums up those that have GPUs."
    )
    rollout: RolloutStatus | None = Field(default=None, description="The canary of the last changed spec.")
    plan: PlanStatus | None = Field(default=None, description="In mode Plan: what mode Active would change.")

    def replicas_of(self, role: RoleName) -> ReplicasStatus | None:
        """Replicas of a role, as last written."""
        found = self._of(role)
        return found.replicas if found else None

    def scaling_of(self, role: RoleName) -> ScalingStatus | None:
        """Scaling of a role, as last written."""
        found = self._of(role)
        return found.scaling if found else None

    def _of(self, name: RoleName) -> "RoleStatus | InferenceServiceStatus | None":
        """What is written of a role: its own entry where there are several."""
        return next((role for role in self.roles if role.name == name), None) if self.roles else self

    @classmethod
    def of(cls, obj: Mapping[str, Any]) -> "InferenceServiceStatus":
        """The status of an object as stored; one that cannot be read, as of another version, counts as none."""
        try:
            return cls.model_validate(obj.get("status") or {})
        except ValidationError:
            return cls()
