"""The services that are offered, and their children as the operator renders them."""

from typing import Any

from aifactory.api.inferenceservice import InferenceService
from aifactory.render import render
from aifactory.render.drift import stamp

Object = dict[str, Any]
NAMESPACE = "default"
_SCALING = {"minReplicas": 1, "maxReplicas": 4}
_SLO = {"workload": "interactive"}


def fixed(name: str) -> Object:
    """A service of one replica."""
    return _service(name, {"replicas": 1})


def scaled(name: str) -> Object:
    """A service that scales on its latency objectives."""
    return _service(name, {"scaling": _SCALING, "slo": _SLO})


def names(count: int) -> list[str]:
    """Distinct names."""
    return [f"model-{number:04}" for number in range(count)]


def children(stored: Object) -> list[Object]:
    """What the operator applies for a service that the API server holds, in its order."""
    service = InferenceService.model_validate(stored)
    return [stamp(child) for child in render(service, {}, served=())]


def _service(name: str, sizing: Object) -> Object:
    return {
        "apiVersion": "aifactory.dev/v1alpha1",
        "kind": "InferenceService",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "model": {"name": "meta-llama/Llama-3.1-8B-Instruct"},
            "runtime": {"engine": "vllm"},
            "accelerator": {"product": "NVIDIA-H100-80GB-HBM3"},
            **sizing,
        },
    }
