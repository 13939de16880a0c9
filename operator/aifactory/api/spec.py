"""`InferenceService.spec`: what a user asks for."""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from .checks import Check, Unique
from .meta import CheckedModel, Duration, FreeText, IntOrPercent, LabelValue, Model, ObjectName, within
from .model import ModelSpec
from .podtemplate import EnvVar, PodTemplate
from .scaling import ScalingMode, ScalingSpec
from .slo import SLOSpec


class Mode(StrEnum):
    """What the operator does with the object."""

    ACTIVE = "Active"
    PLAN = "Plan"
    PAUSED = "Paused"


class Engine(StrEnum):
    """The program that serves the model."""

    VLLM = "vllm"
    NIM = "nim"


class RuntimeSpec(Model):
    """The engine and its container."""

    engine: Engine = Field(description="Program that serves the model.")
    image: Annotated[str, StringConstraints(pattern=r"^[^\s]+$", max_length=512)] | None = Field(
        default=None, description="Container image. Default: a version of the engine that this release was tested with."
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
    port: int = Field(default=8000, ge=1024, le=65535, description="Port of the OpenAI-compatible API.")
    startup_timeout: Annotated[Duration, within("1m", "24h")] = Field(
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


class RolloutSpec(CheckedModel):
    """How a changed spec replaces running replicas."""

    checks = (
        Check(
            cel="(self.maxSurge != 0 && self.maxSurge != '0%') || "
            "(self.maxUnavailable != 0 && self.maxUnavailable != '0%')",
            holds=lambda rollout: not {rollout.max_surge, rollout.max_unavailable} <= {0, "0%"},
            message="maxSurge and maxUnavailable must not both be 0: no replica could be replaced",
            field="maxUnavailable",
        ),
    )
    max_surge: IntOrPercent = Field(default=1, description="Extra replicas during a rollout; needs free GPUs.")
    max_unavailable: IntOrPercent = Field(default=0, description="Replicas that may be missing during a rollout.")


class DrainSpec(Model):
    """How a replica leaves."""

    timeout: Annotated[Duration, within("0s", "1h")] = Field(
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
    "--pipeline-parallel-size",
    "-pp",
    "--data-parallel-size",
    "-dp",
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


def _flag(argument: str) -> str:
    """The flag of a command-line word as the engine reads it: without its value, `_` the same as `-`."""
    return argument.split("=")[0].replace("_", "-")


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
            cel="!has(self.runtime.args) || self.runtime.args.all(a, "
            f"!(a.split('=')[0].replace('_', '-') in {list(OWNED_FLAGS)}))",
            holds=lambda spec: not any(_flag(argument) in OWNED_FLAGS for argument in spec.runtime.args or ()),
            message=f"must not contain {', '.join(OWNED_FLAGS)}: "
            "they follow model.name, runtime.port, accelerator.count and drain.timeout",
            field="runtime.args",
        ),
        Check(
            cel=f"!has(self.runtime.env) || self.runtime.env.all(e, !(e.name in {list(OWNED_ENV)}))",
            holds=lambda spec: not any(variable.name in OWNED_ENV for variable in spec.runtime.env or ()),
            message=f"must not set {', '.join(OWNED_ENV)}: "
            "they follow model.name, runtime.port, runtime.nimProfile and accelerator.count",
            field="runtime.env",
        ),
        Check(
            cel="self.runtime.engine == 'nim' || !has(self.runtime.nimProfile)",
            holds=lambda spec: spec.runtime.engine == Engine.NIM or spec.runtime.nim_profile is None,
            message="nimProfile needs runtime.engine nim",
            field="runtime.nimProfile",
        ),
        Check(
            cel="self.runtime.engine != 'vllm' || !has(self.model.source) || !has(self.model.source.ngc)",
            holds=lambda spec: (
                spec.runtime.engine != Engine.VLLM or spec.model.source is None or spec.model.source.ngc is None
            ),
            message="engine vllm cannot read from ngc; use huggingFace, persistentVolumeClaim or image",
            field="model.source.ngc",
        ),
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

    @property
    def initial_replicas(self) -> int:
        """Replicas of a service that has not been measured yet."""
        if self.scaling:
            return self.scaling.min_replicas
        return 1 if self.replicas is None else self.replicas

    @property
    def scales(self) -> bool:
        """Scaling decisions change the workload."""
        return self.mode is Mode.ACTIVE and self.scaling is not None and self.scaling.mode is ScalingMode.APPLY
