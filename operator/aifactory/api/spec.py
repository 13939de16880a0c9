"""`InferenceService.spec`: what a user asks for."""

from collections.abc import Callable
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from .accelerator import GROUP_VARIABLES, AcceleratorSpec
from .checks import Check, Unique
from .dynamo import DynamoSpec
from .egress import EgressSpec
from .endpointpicker import EndpointPickerSpec
from .engine import Engine, engine_checks
from .expose import ExposeSpec
from .flags import flag_checks
from .meta import (
    CheckedModel,
    Duration,
    FreeText,
    Image,
    Model,
    ObjectName,
    Percent,
    between,
    within,
)
from .model import ModelSpec
from .podtemplate import EnvVar, PodTemplate
from .rollout import RolloutSpec
from .scaling import ScalingMode, ScalingSpec
from .slo import SLOSpec
from .topology import ServiceTopology


class Mode(StrEnum):
    """What the operator does with the object."""

    ACTIVE = "Active"
    PLAN = "Plan"
    PAUSED = "Paused"


METRIC_PATTERN = r'^[a-zA-Z_:][a-zA-Z0-9_:]*(\{[a-z_]+="[-A-Za-z0-9_.]+"\})?$'
MetricName = Annotated[str, StringConstraints(pattern=METRIC_PATTERN, max_length=256)]
HttpPath = Annotated[str, StringConstraints(pattern=r"^/[-A-Za-z0-9_./]*$", max_length=256)]


class KVCachePrecision(StrEnum):
    """Number format of the KV cache."""

    AUTO = "auto"
    FP8 = "fp8"


class LatencyBuckets(StrEnum):
    """Where the histograms of an engine have their edges."""

    DEFAULT = "Default"
    OBJECTIVES = "Objectives"


class ProbesSpec(Model):
    """HTTP paths that answer 200."""

    startup: HttpPath = Field(default="/health", description="Once the model is loaded.")
    readiness: HttpPath = Field(default="/health", description="While requests can be served.")
    liveness: HttpPath = Field(default="/health", description="While the server need not be restarted.")


class MetricsSpec(Model):
    """Prometheus metrics of the server; a name may carry one label, as in requests{state="waiting"}."""

    path: HttpPath | None = Field(default=None, description="Where they are. Default: as of the engine, else /metrics.")
    running: MetricName = Field(description="Gauge: requests in the batch.")
    waiting: MetricName = Field(description="Gauge: requests that wait.")
    time_to_first_token: MetricName | None = Field(
        default=None, description="Histogram in seconds, without _bucket: time to first token."
    )
    inter_token_latency: MetricName | None = Field(
        default=None, description="Histogram in seconds, without _bucket: time between output tokens."
    )
    end_to_end_latency: MetricName | None = Field(
        default=None, description="Histogram in seconds, without _bucket: whole request."
    )
    kv_cache_usage: MetricName | None = Field(default=None, description="Gauge: share of the KV cache in use, 0 to 1.")
    completed: MetricName | None = Field(default=None, description="Counter: completed requests.")
    prompt_tokens: MetricName | None = Field(default=None, description="Counter: prompt tokens.")
    generation_tokens: MetricName | None = Field(default=None, description="Counter: generated tokens.")


class RuntimeSpec(Model):
    """The engine and its container."""

    engine: Engine = Field(description="Program that serves the model.")
    image: Image | None = Field(
        default=None, description="Container image. Default: a version of the engine that this release was tested with."
    )
    command: Annotated[list[FreeText], Field(min_length=1, max_length=64)] | None = Field(
        default=None, description="Program and first arguments of engine custom. Default: the image's own entrypoint."
    )
    args: Annotated[list[FreeText], Field(max_length=64)] | None = Field(
        default=None, description="Extra engine arguments, one list item a word; no shell reads them."
    )
    env: Annotated[list[EnvVar], Field(max_length=64), Unique("name")] | None = Field(
        default=None, description="Extra environment variables, each with a name of its own."
    )
    image_pull_secrets: Annotated[list[ObjectName], Field(max_length=8), Unique()] | None = Field(
        default=None, description="Names of Secrets for pulling the image."
    )
    nim_profile: Annotated[str, StringConstraints(pattern=r"^[-A-Za-z0-9_.]+$", max_length=128)] | None = Field(
        default=None, description="NIM profile to use. Default: the NIM chooses by GPU and precision."
    )
    context_length: int | None = Field(
        default=None, ge=128, le=16_777_216, description="Longest request, prompt and answer, in tokens."
    )
    max_sequences: int | None = Field(default=None, ge=1, le=65_536, description="Most requests in the batch.")
    max_batched_tokens: int | None = Field(
        default=None, ge=128, le=1_048_576, description="Most tokens that one step of the engine computes."
    )
    kv_cache_precision: KVCachePrecision | None = Field(
        default=None, description="Number format of the KV cache: fp8 holds twice the tokens of 16 bits."
    )
    memory_fraction: Annotated[Percent, between("10%", "99%")] | None = Field(
        default=None,
        description="GPU memory for the engine, such as 90%; TensorRT-LLM: of what the weights leave free.",
    )
    latency_buckets: LatencyBuckets | None = Field(
        default=None,
        description="Edges of the latency histograms. Objectives: at each target and shares of it, so that attainment "
        "is exact; a changed objective then restarts replicas. vLLM from 0.30.1. Default: the engine's own.",
    )
    endpoint_picker: EndpointPickerSpec | None = Field(
        default=None, description="Engine llmd: what chooses a replica for each request that comes by a Gateway."
    )
    dynamo: DynamoSpec | None = Field(default=None, description="Parts of engine dynamo.")
    egress: EgressSpec | None = Field(default=None, description="Proxy and certificates for downloads.")
    probes: ProbesSpec | None = Field(default=None, description="Health endpoints of engine custom.")
    health_port: int | None = Field(
        default=None, ge=1024, le=65535, description="Port of the health endpoints. Default: port."
    )
    metrics: MetricsSpec | None = Field(
        default=None, description="Metrics of engine custom, or of another engine's build that names them differently."
    )
    port: int = Field(default=8000, ge=1024, le=65535, description="Port of the OpenAI-compatible API.")
    startup_timeout: Annotated[Duration, within("1m", "24h")] = Field(
        default=timedelta(minutes=30), description="How long a replica may load before it is restarted, 1m to 24h."
    )


class DrainSpec(Model):
    """How a replica leaves."""

    timeout: Annotated[Duration, within("0s", "1h")] = Field(
        default=timedelta(minutes=2), description="Time that requests in flight get to finish, at most 1h."
    )


# Variables that the operator sets from other fields; a second value would contradict the object.
OWNED_ENV = (
    "NIM_SERVED_MODEL_NAME",
    "NIM_SERVER_PORT",
    "NIM_HTTP_API_PORT",
    "NIM_TENSOR_PARALLEL_SIZE",
    "NIM_MODEL_PROFILE",
    "NIM_CACHE_PATH",
    "NIM_HEALTH_PORT",
    "NIM_PEFT_SOURCE",
    *GROUP_VARIABLES,
    "DYN_NAMESPACE",
    "DYN_NAMESPACE_PREFIX",
    "DYN_NAMESPACE_WORKER_SUFFIX",
    "DYN_DISCOVERY_BACKEND",
    "DYN_REQUEST_PLANE",
    "DYN_EVENT_PLANE",
    "DYN_SYSTEM_PORT",
    "DYN_HTTP_PORT",
)


# What a service without replicas cannot be, and why: CEL, the same in Python, a clause.
_NEVER_ASLEEP: tuple[tuple[str, Callable[[Any], bool], str], ...] = (
    (
        "self.runtime.engine in ['dynamo', 'llmd']",
        lambda spec: spec.runtime.engine in (Engine.DYNAMO, Engine.LLMD),
        "with runtime.engine dynamo or llmd, requests reach replicas past the Service that would hold them",
    ),
    (
        "self.accelerator.nodes > 1",
        lambda spec: spec.accelerator.nodes > 1,
        "with accelerator.nodes above 1, replicas of several pods are not woken by requests",
    ),
    (
        "has(self.rollout.canary)",
        lambda spec: spec.rollout.canary is not None,
        "with rollout.canary, a changed spec needs replicas to be compared with",
    ),
)


def _stays(cel: str, applies: Callable[[Any], bool], why: str) -> Check:
    """At least one replica of such a service stays."""
    return Check(
        cel=f"!has(self.scaling) || self.scaling.minReplicas > 0 || !({cel})",
        holds=lambda spec: spec.scaling is None or spec.scaling.min_replicas > 0 or not applies(spec),
        message=f"must be at least 1: {why}",
        field="scaling.minReplicas",
    )


class InferenceServiceSpec(CheckedModel):
    """A model, the engine that serves it, its GPUs, its objectives, its scaling."""

    checks = (
        Check(
            cel="!(has(self.replicas) && has(self.scaling))",
            holds=lambda spec: spec.replicas is None or spec.scaling is None,
            message="set replicas or scaling, not both",
            field="replicas",
        ),
        Check(
            cel=f"!has(self.runtime.env) || self.runtime.env.all(e, !(e.name in {list(OWNED_ENV)}))",
            holds=lambda spec: not any(variable.name in OWNED_ENV for variable in spec.runtime.env or ()),
            message=f"must not set {', '.join(OWNED_ENV)}: they follow other fields of the spec",
            field="runtime.env",
        ),
        Check(
            cel="!has(self.runtime.healthPort) || self.runtime.healthPort != self.runtime.port",
            holds=lambda spec: spec.runtime.health_port != spec.runtime.port,
            message="must not be runtime.port, which has the health endpoints anyway",
            field="runtime.healthPort",
        ),
        Check(
            cel="!has(self.rollout.canary) || self.accelerator.nodes == 1",
            holds=lambda spec: spec.rollout.canary is None or spec.accelerator.nodes == 1,
            message="is tried with replicas of one pod only: remove it, or use accelerator.nodes 1",
            field="rollout.canary",
        ),
        Check(
            cel="!has(self.topology.disaggregated) || !(has(self.replicas) || has(self.scaling))",
            holds=lambda spec: spec.topology.disaggregated is None or spec.replicas is spec.scaling is None,
            message="set replicas or scaling of prefill and of decode here, not of the service",
            field="topology.disaggregated",
        ),
        *(_stays(cel, applies, why) for cel, applies, why in _NEVER_ASLEEP),
        *engine_checks(),
        *flag_checks(),
    )
    mode: Mode = Field(
        default=Mode.ACTIVE, description="Active; Plan: report only, change nothing; Paused: leave all as it is."
    )
    model: ModelSpec = Field(description="The model that clients ask for.")
    runtime: RuntimeSpec = Field(description="The engine and its container.")
    accelerator: AcceleratorSpec = Field(default=AcceleratorSpec(), description="GPUs of one replica.")
    topology: ServiceTopology = Field(default=ServiceTopology(), description="Parts that a replica is split into.")
    slo: SLOSpec = Field(default=SLOSpec(), description="Service level objectives.")
    replicas: int | None = Field(
        default=None, ge=0, le=10_000, description="Fixed number of replicas. Default 1 without scaling."
    )
    scaling: ScalingSpec | None = Field(default=None, description="Replicas follow the objectives.")
    rollout: RolloutSpec = Field(default=RolloutSpec(), description="How a changed spec replaces running replicas.")
    drain: DrainSpec = Field(default=DrainSpec(), description="How a replica leaves.")
    expose: ExposeSpec | None = Field(default=None, description="A way in from outside the cluster.")
    pod_template: PodTemplate | None = Field(default=None, description="Additions to the pods.")

    @property
    def initial_replicas(self) -> int:
        """Replicas of a service that has not been measured yet: at least one, so that mistakes show at once."""
        if self.scaling:
            return max(1, self.scaling.min_replicas)
        return 1 if self.replicas is None else self.replicas

    @property
    def may_sleep(self) -> bool:
        """There need not be a replica while nobody asks."""
        return self.scaling is not None and self.scaling.to_zero is not None

    @property
    def wakes(self) -> bool:
        """A request brings a replica back where there is none."""
        return self.may_sleep and self.scales

    @property
    def scales(self) -> bool:
        """Scaling decisions change the workload."""
        return self.scaling is not None and self.reporting is None

    @property
    def reporting(self) -> Mode | ScalingMode | None:
        """The mode in which scaling decisions are only reported; None where they are carried out."""
        if self.mode is not Mode.ACTIVE:
            return self.mode
        return ScalingMode.RECOMMEND if self.recommends else None

    @property
    def recommends(self) -> bool:
        """Scaling decisions are reported, and replicas are somebody else's."""
        return self.scaling is not None and self.scaling.mode is ScalingMode.RECOMMEND
