"""Pieces that containers of all engines are made of."""

import math
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from aifactory.api.model import ClaimSource, HuggingFaceSource
from aifactory.api.spec import InferenceServiceSpec

from .base import Mount

# Time until every node's proxy has stopped sending to a pod that left the Service.
ENDPOINT_PROPAGATION_SECONDS = 5
HUGGING_FACE_TOKEN = "HF_TOKEN"  # noqa: S105


def literal(name: str, value: str | int) -> Mapping[str, Any]:
    """Environment variable with a fixed value."""
    return {"name": name, "value": str(value)}


def secret(name: str, secret_name: str) -> Mapping[str, Any]:
    """Environment variable that the kubelet fills from the key of the same name in a Secret."""
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": secret_name, "key": name}}}


def scratch(name: str, path: str) -> Mount:
    """Writable disk that lives as long as the pod."""
    return Mount(name=name, path=path, source={"emptyDir": {}})


def whole_seconds(duration: timedelta) -> int:
    """Seconds, rounded up."""
    return math.ceil(duration.total_seconds())


def hub(spec: InferenceServiceSpec) -> HuggingFaceSource | None:
    """The Hugging Face source of the model, if that is where it comes from."""
    return spec.model.source.hugging_face if spec.model.source else None


def claim(spec: InferenceServiceSpec) -> ClaimSource | None:
    """The claim that holds the model, if that is where it comes from."""
    return spec.model.source.persistent_volume_claim if spec.model.source else None


def image_path(spec: InferenceServiceSpec) -> str | None:
    """Path of the weights in the image, if they are there and the user says where."""
    source = spec.model.source
    return source.image.path if source and source.image else None
