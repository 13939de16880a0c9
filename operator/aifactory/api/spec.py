"""`InferenceService.spec`: what a user asks for."""

from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints

from .meta import Duration, FreeText, IntOrPercent, LabelValue, Model, ObjectName, Percent, rules
from .podtemplate import EnvVar, PodTemplate


class Mode(StrEnum):
    """What the operator does with the object."""

    ACTIVE = "Active"
    PLAN = "Plan"
    PAUSED = "Paused"


class Engine(StrEnum):
    """The program that serves the model."""

    VLLM = "vllm"
    NIM = "nim"


class Precision(StrEnum):
    """Number format of the weights."""

    AUTO = "auto"
    BF16 = "bf16"
    FP8 = "fp8"
    NVFP4 = "nvfp4"
    MXFP4 = "mxfp4"
    INT4 = "int4"


class Workload(StrEnum):
    """Preset of objectives."""

    REALTIME = "realtime"
    INTERACTIVE = "interactive"
    OFFLINE = "offline"


class ScalingMode(StrEnum):
    """Whether decisions change the workload."""

    APPLY = "Apply"
    RECOMMEND = "Recommend"


class ImageSource(Model):
    """The weights are inside the container image."""

    path: Annotated[str, StringConstraints(pattern=r"^/[^:]*$", max_length=1024)] | None = Field(
        default=None, description="Absolute path of the weights in the image. Default: the engine knows it."
    )


class NGCSource(Model):
    """NVIDIA NGC."""

    model: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][-A-Za-z0-9_./:]*$", max_length=253)] | None = Field(
        default=None, description="NGC model, such as nvidia/nemo/model:1.0. Default: the one the image is built for."
    )
    auth_secret: ObjectName | None = Field(default=None, description="Secret with the key NGC_API_KEY.")


class HuggingFaceSource(Model):
    """Hugging Face Hub or a mirror named by the engine's own environment variables."""

    repo: Annotated[
        str, StringConstraints(pattern=r"^[A-Za-z0-9][-A-Za-z0-9_.]*(/[-A-Za-z0-9_.]+)?$", max_length=253)
    ] = Field(description="Repository, such as meta-llama/Llama-3.1-8B-Instruct.")
    revision: Annotated[str, StringConstraints(pattern=r"^[-A-Za-z0-9_./]+$", max_length=253)] | None = Field(
        default=None, description="Branch, tag or commit."
    )
    token_secret: ObjectName | None = Field(default=None, description="Secret with the key HF_TOKEN.")


class ClaimSource(Model):
    """Weights on an existing PersistentVolumeClaim."""

    name: ObjectName = Field(description="Name of the claim in the service's namespace.")
    path: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][-A-Za-z0-9_./]*$", max_length=1024)] | None = Field(
        default=None, description="Folder inside the claim. Default: its root."
    )


class ModelSource(Model):
    """Where the weights come from; exactly one."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                "[has(self.image), has(self.ngc), has(self.huggingFace), has(self.persistentVolumeClaim)]"
                ".filter(x, x).size() == 1",
                "set exactly one of image, ngc, huggingFace or persistentVolumeClaim",
            )
        )
    )
    image: ImageSource | None = Field(default=None, description="Inside the container image.")
    ngc: NGCSource | None = Field(default=None, description="NVIDIA NGC.")
    hugging_face: HuggingFaceSource | None = Field(default=None, description="Hugging Face Hub.")
    persistent_volume_claim: ClaimSource | None = Field(default=None, description="An existing claim.")


class ModelSpec(Model):
    """The model that clients ask for."""

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][-A-Za-z0-9_./:]*$", min_length=1, max_length=253)] = (
        Field(description="Served model name, the `model` of OpenAI requests.")
    )
    source: ModelSource | None = Field(
        default=None,
        description="Where the weights come from. Default: Hugging Face repository of the same name for vllm, the image for nim.",
    )
    precision: Precision = Field(default=Precision.AUTO, description="Number format of the weights.")


class RuntimeSpec(Model):
    """The engine and its container."""

    engine: Engine = Field(description="Program that serves the model.")
    image: Annotated[str, StringConstraints(pattern=r"^[^\s]+$", max_length=512)] | None = Field(
        default=None, description="Container image. Default: a version of the engine that this release was tested with."
    )
    args: Annotated[list[FreeText], Field(max_length=64)] | None = Field(
        default=None, description="Extra engine arguments, one list item a word; no shell reads them."
    )
    env: Annotated[list[EnvVar], Field(max_length=64)] | None = Field(
        default=None, description="Extra environment variables."
    )
    image_pull_secrets: Annotated[list[ObjectName], Field(max_length=8)] | None = Field(
        default=None, description="Names of Secrets for pulling the image."
    )
    nim_profile: Annotated[str, StringConstraints(pattern=r"^[-A-Za-z0-9_.]+$", max_length=128)] | None = Field(
        default=None, description="NIM profile to use. Default: the NIM chooses by GPU and precision."
    )
    port: int = Field(default=8000, ge=1024, le=65535, description="Port of the OpenAI-compatible API.")
    startup_timeout: Duration = Field(
        default=timedelta(minutes=30), description="How long a replica may load before it is restarted, 1m to 24h."
    )


class AcceleratorSpec(Model):
    """GPUs of one replica."""

    resource_name: Annotated[
        str,
        StringConstraints(
            pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?/[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$", max_length=253
        ),
    ] = Field(default="nvidia.com/gpu", description="Extended resource that nodes advertise.")
    product: LabelValue | None = Field(
        default=None, description="Value of the node label nvidia.com/gpu.product, such as NVIDIA-H100-80GB-HBM3."
    )
    count: int = Field(default=1, ge=1, le=16, description="GPUs per replica; also the tensor-parallel size.")


_LATENCY_RULE = (
    "duration(self.target) > duration('0s') && duration(self.target) <= duration('1h')",
    "target must be above 0 and at most 1h",
)


class LatencyObjective(Model):
    """A percentile of a latency must stay at or below a target."""

    model_config = ConfigDict(json_schema_extra=rules(_LATENCY_RULE))
    percentile: int = Field(default=95, ge=50, le=99, description="Percentile of requests or tokens, 50 to 99.")
    target: Duration = Field(description="Upper limit, such as 500ms.")


class ThroughputObjective(Model):
    """Output tokens per second of the whole service while there is work."""

    tokens_per_second: int = Field(ge=1, le=1_000_000_000, description="Output tokens per second.")


class Objectives(Model):
    """Objectives; those left out come from the workload preset."""

    time_to_first_token: LatencyObjective | None = Field(default=None, description="Time to first token.")
    inter_token_latency: LatencyObjective | None = Field(default=None, description="Time between output tokens.")
    end_to_end_latency: LatencyObjective | None = Field(default=None, description="Whole request.")
    throughput: ThroughputObjective | None = Field(default=None, description="Output tokens per second.")


class SLOSpec(Model):
    """Service level objectives."""

    workload: Workload = Field(
        default=Workload.INTERACTIVE,
        description="Preset: realtime (TTFT 250ms, ITL 25ms), interactive (TTFT 500ms, ITL 50ms), offline (none).",
    )
    objectives: Objectives | None = Field(default=None, description="Objectives that override the preset.")
    attainment: Percent = Field(
        default=Decimal("0.99"),
        description="Share of requests within the target over an hour; the rest is the error budget.",
    )


class ScaleUp(Model):
    """How fast replicas are added."""

    threshold: Percent = Field(default=Decimal("0.55"), description="Observed / target above which replicas are added.")
    max_percent: int = Field(default=100, ge=1, le=1000, description="Most replicas added per period, % of current.")
    max_replicas: int = Field(default=4, ge=1, le=1000, description="Or this number, whichever is larger.")
    period: Duration = Field(default=timedelta(seconds=60), description="Length of that period.")
    panic_factor: int = Field(
        default=2,
        ge=2,
        le=10,
        description="Offered load this many times above what is completed starts panic: no scale-down.",
    )
    panic_hold: Duration = Field(
        default=timedelta(seconds=60), description="How long panic lasts after its last trigger."
    )


class ScaleDown(Model):
    """How slowly replicas are removed."""

    threshold: Percent = Field(
        default=Decimal("0.40"), description="Observed / target below which removing is considered."
    )
    stabilization_window: Duration = Field(
        default=timedelta(minutes=5), description="The highest recommendation of this window counts."
    )
    max_replicas: int = Field(default=1, ge=1, le=1000, description="Most replicas removed per period.")
    period: Duration = Field(default=timedelta(minutes=2), description="Length of that period.")


class ScalingBehavior(Model):
    """Constants of the control law; the defaults suit models that load in minutes."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                "double(self.scaleDown.threshold.replace('%', '')) < double(self.scaleUp.threshold.replace('%', ''))",
                "scaleDown.threshold must be below scaleUp.threshold",
            )
        )
    )
    averaging_window: Duration = Field(
        default=timedelta(seconds=45), description="Signals are averaged over this time."
    )
    waiting_per_replica: int = Field(
        default=5, ge=1, le=10_000, description="Waiting requests per replica that count as the limit."
    )
    kv_cache_usage: Percent = Field(default=Decimal("0.85"), description="KV-cache usage that counts as the limit.")
    gpu_shortage_after: Duration = Field(
        default=timedelta(minutes=2),
        description="A pod unschedulable this long means GPU shortage: no more are asked for.",
    )
    stall_after: Duration = Field(
        default=timedelta(seconds=60),
        description="Requests wait but no token for this long means the engine is stalled.",
    )
    scale_up: ScaleUp = Field(default=ScaleUp(), description="Adding replicas.")
    scale_down: ScaleDown = Field(default=ScaleDown(), description="Removing replicas.")


class ScalingFallback(Model):
    """What to do when signals stay away."""

    replicas: int = Field(ge=1, le=10_000, description="Raise to this number, never lower.")
    after: Duration = Field(default=timedelta(minutes=10), description="After this time without signals.")


class ScalingSpec(Model):
    """Replicas follow the objectives between two bounds."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            ("self.minReplicas <= self.maxReplicas", "minReplicas must not be above maxReplicas"),
        )
    )
    min_replicas: int = Field(default=1, ge=1, le=10_000, description="Fewest replicas.")
    max_replicas: int = Field(ge=1, le=10_000, description="Most replicas.")
    mode: ScalingMode = Field(default=ScalingMode.APPLY, description="Apply decisions, or only report them.")
    behavior: ScalingBehavior = Field(default=ScalingBehavior(), description="Constants of the control law.")
    fallback: ScalingFallback | None = Field(default=None, description="When signals stay away.")


class RolloutSpec(Model):
    """How a changed spec replaces running replicas."""

    max_surge: IntOrPercent = Field(default=1, description="Extra replicas during a rollout; needs free GPUs.")
    max_unavailable: IntOrPercent = Field(default=0, description="Replicas that may be missing during a rollout.")


class DrainSpec(Model):
    """How a replica leaves."""

    timeout: Duration = Field(
        default=timedelta(minutes=2), description="Time that requests in flight get to finish, at most 1h."
    )


# Flags and variables that the operator sets from other fields; a second value would contradict the object.
OWNED_FLAGS = (
    "--model",
    "--served-model-name",
    "--host",
    "--port",
    "--tensor-parallel-size",
    "-tp",
    "--shutdown-timeout",
)
OWNED_ENV = (
    "NIM_SERVED_MODEL_NAME",
    "NIM_SERVER_PORT",
    "NIM_HTTP_API_PORT",
    "NIM_TENSOR_PARALLEL_SIZE",
    "NIM_MODEL_PROFILE",
    "NIM_CACHE_PATH",
)


def _quoted(words: tuple[str, ...]) -> str:
    return "[" + ", ".join(f"'{word}'" for word in words) + "]"


class InferenceServiceSpec(Model):
    """A model, the engine that serves it, its GPUs, its objectives, its scaling."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            ("!(has(self.replicas) && has(self.scaling))", "set replicas or scaling, not both"),
            (
                f"!has(self.runtime.args) || self.runtime.args.all(a, !(a.split('=')[0] in {_quoted(OWNED_FLAGS)}))",
                f"runtime.args must not contain {', '.join(OWNED_FLAGS)}: they follow model.name, runtime.port, "
                "accelerator.count and drain.timeout",
            ),
            (
                f"!has(self.runtime.env) || self.runtime.env.all(e, !(e.name in {_quoted(OWNED_ENV)}))",
                f"runtime.env must not set {', '.join(OWNED_ENV)}: they follow model.name, runtime.port, "
                "runtime.nimProfile and accelerator.count",
            ),
            (
                "self.runtime.engine == 'nim' || !has(self.runtime.nimProfile)",
                "runtime.nimProfile needs runtime.engine nim",
            ),
            (
                "self.runtime.engine != 'vllm' || !has(self.model.source) || !has(self.model.source.ngc)",
                "engine vllm cannot read from model.source.ngc; use huggingFace, persistentVolumeClaim or image",
            ),
            (
                "duration(self.runtime.startupTimeout) >= duration('1m') && duration(self.runtime.startupTimeout) <= duration('24h')",
                "runtime.startupTimeout must be from 1m to 24h",
            ),
            ("duration(self.drain.timeout) <= duration('1h')", "drain.timeout must be at most 1h"),
        )
    )
    mode: Mode = Field(
        default=Mode.ACTIVE, description="Active; Plan: report only, change nothing; Paused: leave all as it is."
    )
    model: ModelSpec = Field(description="The model that clients ask for.")
    runtime: RuntimeSpec = Field(description="The engine and its container.")
    accelerator: AcceleratorSpec = Field(default=AcceleratorSpec(), description="GPUs of one replica.")
    slo: SLOSpec = Field(default=SLOSpec(), description="Service level objectives.")
    replicas: int | None = Field(
        default=None, ge=0, le=10_000, description="Fixed number of replicas. Default 1 without scaling."
    )
    scaling: ScalingSpec | None = Field(default=None, description="Replicas follow the objectives.")
    rollout: RolloutSpec = Field(default=RolloutSpec(), description="How a changed spec replaces running replicas.")
    drain: DrainSpec = Field(default=DrainSpec(), description="How a replica leaves.")
    pod_template: PodTemplate | None = Field(default=None, description="Additions to the pods.")
