"""`InferenceService.spec.accelerator`: GPUs of one replica, on one node or several."""

from typing import Annotated

from pydantic import Field, StringConstraints

from .checks import Check
from .meta import CheckedModel, LabelKey, LabelValue, Model, ObjectName

# What pods of a replica learn of each other: the leader's name in the cluster's DNS, the pod's own place (the leader's
# is 0), and how many they are.
LEADER_ADDRESS = "AIFACTORY_LEADER_ADDRESS"
NODE_RANK = "AIFACTORY_NODE_RANK"
NODES = "AIFACTORY_NODES"
GROUP_VARIABLES = (LEADER_ADDRESS, NODE_RANK, NODES)

DEFAULT_RESOURCE = "nvidia.com/gpu"


class ParallelismSpec(Model):
    """How one replica uses its GPUs; what data and pipeline leave is the tensor-parallel size."""

    data: int | None = Field(
        default=None, ge=1, le=16, description="Groups of GPUs that serve requests side by side. Default 1."
    )
    pipeline: int = Field(default=1, ge=1, le=16, description="Groups of GPUs that hold consecutive layers.")
    expert: bool = Field(default=False, description="Spread the experts of a mixture-of-experts model over all GPUs.")


class TopologySpec(Model):
    """Where the pods of one replica may be."""

    key: LabelKey = Field(
        description="Node label whose values name domains, such as nvidia.com/gpu.clique for NVLink domains: all pods "
        "of a replica run in one of them, or wait. Nodes without the label are not used. A required "
        "podAffinity in podTemplate would have to hold for the same pods, and never does."
    )
    spread: bool = Field(default=False, description="No two replicas of the service share a domain.")


class ComputeDomainSpec(Model):
    """A ComputeDomain of NVIDIA's DRA driver, which lets GPUs of different nodes reach each other over NVLink."""

    resource_claim_template: ObjectName = Field(
        description="ResourceClaimTemplate of the namespace that the ComputeDomain names in "
        "spec.channel.resourceClaimTemplate; each pod claims a channel by it."
    )


class AcceleratorSpec(CheckedModel):
    """GPUs of one replica."""

    checks = (
        Check(
            cel="!has(self.parallelism) || self.count * self.nodes % ((has(self.parallelism.data) ? "
            "self.parallelism.data : 1) * self.parallelism.pipeline) == 0",
            holds=lambda gpus: gpus.gpus % (gpus.data_parallel * gpus.pipeline_parallel) == 0,
            message="count x nodes must be a multiple of parallelism.data x parallelism.pipeline",
            field="count",
        ),
        Check(
            cel="!has(self.topology) || self.nodes > 1",
            holds=lambda gpus: gpus.topology is None or gpus.nodes > 1,
            message="is about the pods of one replica: set nodes above 1, or use podTemplate.topologySpreadConstraints",
            field="topology",
        ),
        Check(
            cel="!has(self.computeDomain) || self.nodes > 1",
            holds=lambda gpus: gpus.compute_domain is None or gpus.nodes > 1,
            message="connects GPUs of different nodes: set nodes above 1, or remove it",
            field="computeDomain",
        ),
        Check(
            cel=f"!has(self.resourceClaimTemplate) || self.resourceName == '{DEFAULT_RESOURCE}'",
            holds=lambda gpus: gpus.resource_claim_template is None or gpus.resource_name == DEFAULT_RESOURCE,
            message="set resourceName or resourceClaimTemplate, not both",
            field="resourceClaimTemplate",
        ),
    )
    resource_name: Annotated[
        str,
        StringConstraints(
            pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?/[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$", max_length=253
        ),
    ] = Field(default=DEFAULT_RESOURCE, description="Extended resource that nodes advertise.")
    product: LabelValue | None = Field(
        default=None, description="Value of the node label nvidia.com/gpu.product, such as NVIDIA-H100-80GB-HBM3."
    )
    resource_claim_template: ObjectName | None = Field(
        default=None,
        description="ResourceClaimTemplate of the namespace that gives a pod its GPUs by dynamic resource allocation, "
        "instead of an extended resource. It has to ask for count devices.",
    )
    count: int = Field(default=1, ge=1, le=16, description="GPUs per pod.")
    nodes: int = Field(
        default=1, ge=1, le=64, description="Pods per replica, each with count GPUs: a leader and its workers."
    )
    topology: TopologySpec | None = Field(
        default=None, description="Keeps all pods of a replica in one domain, such as a rack."
    )
    compute_domain: ComputeDomainSpec | None = Field(
        default=None, description="NVLink between the pods of a replica, as in GB200 NVL72."
    )
    parallelism: ParallelismSpec | None = Field(
        default=None,
        description="How a replica uses its GPUs. Default: all of them tensor-parallel; between nodes without NVLink "
        "set pipeline to nodes.",
    )

    @property
    def gpus(self) -> int:
        """GPUs of one replica."""
        return self.count * self.nodes

    @property
    def data_parallel(self) -> int:
        """Groups of GPUs that serve requests side by side."""
        return (self.parallelism and self.parallelism.data) or 1

    @property
    def pipeline_parallel(self) -> int:
        """Groups of GPUs that hold consecutive layers."""
        return self.parallelism.pipeline if self.parallelism else 1

    @property
    def tensor_parallel(self) -> int:
        """GPUs that share each layer."""
        return self.gpus // (self.data_parallel * self.pipeline_parallel)

    @property
    def expert_parallel(self) -> bool:
        """Experts are spread over all GPUs."""
        return self.parallelism is not None and self.parallelism.expert
