"""Objects that must be refused, with the field to blame, and some that must be accepted.

The same table is held against `aifactory lint`, against a real API server and against a kind cluster.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SMALLEST_SPECS: Mapping[str, Mapping[str, Any]] = {
    "InferenceService": {"model": {"name": "meta/llama-3.1-8b-instruct"}, "runtime": {"engine": "vllm"}},
    "ModelCache": {"source": {"huggingFace": {"repo": "meta-llama/Llama-3.1-8B"}}, "storage": {"size": "20Gi"}},
    # Not of the Hub, where caches of other tests come from: an AIFactory is for all of a cluster.
    "AIFactory": {"mirrors": {"ngc": "https://ngc.mirror.example.com"}},
}
PLURALS = {"InferenceService": "inferenceservices", "ModelCache": "modelcaches", "AIFactory": "aifactories"}
OF_THE_CLUSTER = {"AIFactory"}


@dataclass(frozen=True)
class Good:
    """An object that is accepted; `spec` is merged into the smallest one."""

    case: str
    spec: Mapping[str, Any] = field(default_factory=dict)
    name: str = "chat"
    kind: str = "InferenceService"

    @property
    def manifest(self) -> dict[str, Any]:
        """What a user would apply."""
        return {
            "apiVersion": "aifactory.dev/v1alpha1",
            "kind": self.kind,
            "metadata": {"name": self.name},
            "spec": merge(SMALLEST_SPECS[self.kind], self.spec),
        }


@dataclass(frozen=True, kw_only=True)
class Bad(Good):
    """An object that is refused.

    Attributes:
        path: the field that the error names.
        says: part of the error's text.
        server_says: the same, where the API server has other words.
    """

    path: str
    says: str
    server_says: str = ""


def merge(base: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """JSON merge patch (RFC 7386): None removes a field."""
    merged = {key: value for key, value in base.items() if key not in patch}
    for key, value in patch.items():
        if isinstance(value, Mapping):
            inner = base.get(key)
            merged[key] = merge(inner if isinstance(inner, Mapping) else {}, value)
        elif value is not None:
            merged[key] = value
    return merged
