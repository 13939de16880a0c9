"""Services with the pods that they have, and what a GPU costs."""

from typing import Any

from aifactory.api.factory import AIFactorySpec
from aifactory.api.inferenceservice import InferenceService
from aifactory.api.role import RoleName
from aifactory.observed import Group, Observed, Pod
from aifactory.runtimes import Role, roles

H100, B200 = "NVIDIA-H100-80GB-HBM3", "NVIDIA-B200"
GPU = "nvidia.com/gpu"
CATALOGUE = AIFactorySpec.model_validate(
    {
        "accelerators": [
            {"product": H100, "pricePerGPUHour": "2.50", "wattsPerGPU": 700},
            {"product": B200, "pricePerGPUHour": "6.25", "wattsPerGPU": 1000},
        ]
    }
)
BUDGET = {"costPerHour": "40", "gpuCostPerHour": "3.00"}


def parts(product: str | None = H100, engine: str = "vllm", **spec: Any) -> tuple[Role, ...]:
    """Roles of a service."""
    accelerator = {"count": 1, **({"product": product} if product else {}), **spec.pop("accelerator", {})}
    body = {"model": {"name": "meta/llama"}, "runtime": {"engine": engine}, "accelerator": accelerator, **spec}
    metadata = {"name": "llama", "namespace": "chat"}
    return roles(InferenceService.model_validate({"metadata": metadata, "spec": body}))


def pod(name: str = "a", gpus: int = 1, **more: Any) -> Pod:
    """A pod that serves on a node."""
    fields = {"created_at": 0.0, "ready": True, "devices": ((GPU, gpus),), "product": H100}
    return Pod(name, **(fields | more))


def holding(*pods: Pod, role: RoleName = RoleName.MODEL_SERVER, canary: tuple[Pod, ...] = ()) -> Observed:
    """A service whose pods are of one role."""
    return Observed({}, {role: Group(pods=pods)}, Group(pods=canary))
