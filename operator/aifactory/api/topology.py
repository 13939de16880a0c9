"""`spec.topology`: parts that do the work of a replica, each with pods of its own."""

from typing import Annotated

from pydantic import Field

from .accelerator import AcceleratorSpec
from .checks import Check
from .meta import CheckedModel, FreeText, Model
from .scaling import ScalingSpec


class WorkersSpec(CheckedModel):
    """Pods that do one part of the work."""

    checks = (
        Check(
            cel="!(has(self.replicas) && has(self.scaling))",
            holds=lambda workers: workers.replicas is None or workers.scaling is None,
            message="set replicas or scaling, not both",
            field="replicas",
        ),
        Check(
            cel="!has(self.accelerator) || self.accelerator.nodes == 1 && !has(self.accelerator.parallelism)",
            holds=lambda workers: (
                workers.accelerator is None
                or (workers.accelerator.nodes == 1 and workers.accelerator.parallelism is None)
            ),
            message="GPUs of one node, all tensor-parallel: remove nodes and parallelism",
            field="accelerator",
        ),
        Check(
            cel="!has(self.scaling) || self.scaling.minReplicas > 0",
            holds=lambda workers: workers.scaling is None or workers.scaling.min_replicas > 0,
            message="must be at least 1: one part of a service cannot be woken by requests",
            field="scaling.minReplicas",
        ),
    )
    accelerator: AcceleratorSpec | None = Field(default=None, description="GPUs of one. Default: spec.accelerator.")
    args: Annotated[list[FreeText], Field(max_length=64)] | None = Field(
        default=None,
        description="Extra engine arguments beside runtime.args, one list item a word; no shell reads them.",
    )
    replicas: int | None = Field(
        default=None, ge=1, le=10_000, description="Fixed number of replicas. Default 1 without scaling."
    )
    scaling: ScalingSpec | None = Field(default=None, description="Replicas follow the objectives of this part.")


class DisaggregatedSpec(Model):
    """Prompts are computed by other GPUs than answers, and each kind has its own number of replicas."""

    prefill: WorkersSpec = Field(default=WorkersSpec(), description="Compute prompts; follow the time to first token.")
    decode: WorkersSpec = Field(
        default=WorkersSpec(),
        description="Generate tokens; follow inter-token and end-to-end latency and throughput.",
    )


class ServiceTopology(Model):
    """Parts that a replica is split into; none by default."""

    disaggregated: DisaggregatedSpec | None = Field(default=None, description="Prefill apart from decode.")
