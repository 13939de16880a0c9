"""`InferenceService.status`: everything a user reads. Decimals are strings, times are RFC 3339 in UTC."""

from typing import Annotated

from pydantic import Field

from .checks import Unique
from .coststatus import CostStatus, EnergyStatus
from .meta import FreeText, Model, StatusModel, Text
from .role import RoleName
from .rollout import RolloutStatus
from .scalingstatus import ScalingStatus


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
        default=None, description="Observed now in the target's unit, such as 25.3ms, 7.05s or 2m23s."
    )
    attainment5m: Text | None = Field(
        default=None,
        alias="attainment5m",
        description="Share of the last 5 minutes within the target, read once a minute.",
    )
    attainment1h: Text | None = Field(
        default=None, alias="attainment1h", description="Share of the last hour within the target, read once a minute."
    )
    error_budget: Text | None = Field(
        default=None,
        description="Share of the hour's error budget that is left; negative when more than all of it is spent.",
    )


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


class InferenceServiceStatus(StatusModel):
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
        default=None,
        description="Worst objective's share of the last 5 minutes within target, read once a minute: column SLO of "
        "kubectl get.",
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
