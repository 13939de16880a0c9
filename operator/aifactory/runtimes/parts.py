"""Pieces that containers of all engines are made of."""

import math
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

from aifactory.api.accelerator import LEADER_ADDRESS, NODE_RANK
from aifactory.api.model import CachedCopy, CacheReference, ClaimSource, HuggingFaceSource, Precision
from aifactory.api.modelcache import cache_claim
from aifactory.api.spec import InferenceServiceSpec

from .base import Mount

# Time until every node's proxy has stopped sending to a pod that left the Service.
ENDPOINT_PROPAGATION_SECONDS = 5
HUGGING_FACE_TOKEN = "HF_TOKEN"  # noqa: S105
MODELS = "/models"
MODEL_VOLUME = "aifactory-model"
ADAPTERS = "/adapters"
# Where the leader of a replica with several pods waits for its workers.
RENDEZVOUS_PORT = 29500


def literal(name: str, value: str | int) -> Mapping[str, Any]:
    """Environment variable with a fixed value."""
    return {"name": name, "value": str(value)}


def secret(name: str, secret_name: str) -> Mapping[str, Any]:
    """Environment variable that the kubelet fills from the key of the same name in a Secret."""
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": secret_name, "key": name}}}


def from_pod(name: str, field: str) -> Mapping[str, Any]:
    """Environment variable with a field of the pod, such as `metadata.name`."""
    return {"name": name, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": field}}}


def scratch(name: str, path: str) -> Mount:
    """Writable disk that lives as long as the pod."""
    return Mount(name=name, path=path, source={"emptyDir": {}})


def writable(home: str) -> tuple[Mount, ...]:
    """Where programs expect to be able to write: their home, and /tmp."""
    return scratch("aifactory-home", home), scratch("aifactory-tmp", "/tmp")  # noqa: S108


def whole_seconds(duration: timedelta) -> int:
    """Seconds, rounded up."""
    return math.ceil(duration.total_seconds())


def serving_on(spec: InferenceServiceSpec) -> int:
    """Seconds that a pod still serves when it is to leave, if its engine does not finish requests after SIGTERM."""
    return max(ENDPOINT_PROPAGATION_SECONDS, whole_seconds(spec.drain.timeout))


def given(flag: str, value: str | int | None) -> tuple[str, ...]:
    """A flag with its value, nothing without one."""
    return () if value is None else (flag, str(value))


def share(fraction: Decimal | None) -> str | None:
    """A share of something as engines read it, such as `0.9`."""
    return None if fraction is None else f"{fraction.normalize():f}"


def reference(variable: str) -> str:
    """A variable of the container in an argument or another variable; the kubelet fills it in."""
    return f"$({variable})"


LEADER = reference(LEADER_ADDRESS)
RANK = reference(NODE_RANK)


def hub(spec: InferenceServiceSpec) -> HuggingFaceSource | None:
    """The Hugging Face source of the model, if that is where it comes from."""
    return spec.model.source.hugging_face if spec.model.source else None


def claim(spec: InferenceServiceSpec) -> ClaimSource | None:
    """The claim that holds the model, if that is where it comes from."""
    return spec.model.source.persistent_volume_claim if spec.model.source else None


def cache(spec: InferenceServiceSpec) -> CacheReference | None:
    """The cache that holds the model, if that is where it comes from."""
    return spec.model.source.model_cache if spec.model.source else None


def image_path(spec: InferenceServiceSpec) -> str | None:
    """Path of the weights in the image, if they are there and the user says where."""
    source = spec.model.source
    return source.image.path if source and source.image else None


def local_model(spec: InferenceServiceSpec) -> str | None:
    """Path of the model in the container, None when the engine fetches it."""
    volume = claim(spec) or cache(spec)
    return _below(MODELS, volume.path) if volume else image_path(spec)


def model_location(spec: InferenceServiceSpec) -> str:
    """Path, or Hugging Face repository, that the engine loads; without a source the repository of the model's name."""
    repository = hub(spec)
    return local_model(spec) or (repository.repo if repository else spec.model.name)


def asked_precision(spec: InferenceServiceSpec) -> str | None:
    """The number format that is asked for, None when it is left to the weights."""
    precision = spec.model.precision
    return None if precision is Precision.AUTO else precision.value


def revision(spec: InferenceServiceSpec) -> str | None:
    """Branch, tag or commit of the repository, if one is asked for."""
    repository = hub(spec)
    return repository.revision if repository else None


def model_mounts(spec: InferenceServiceSpec) -> tuple[Mount, ...]:
    """The claim, or the folder of a cache's claim, that holds the model; below MODELS."""
    if volume := claim(spec):
        return (_claimed(MODEL_VOLUME, volume.name, MODELS),)
    cached = cache(spec)
    if isinstance(cached, CachedCopy):
        return (_claimed(MODEL_VOLUME, cached.claim, MODELS, cached.folder),)
    return (_claimed(MODEL_VOLUME, cache_claim(cached.name), MODELS),) if cached else ()


def adapter_mounts(spec: InferenceServiceSpec, folder: str = ADAPTERS) -> tuple[Mount, ...]:
    """Claims that hold LoRA adapters, each below a folder under the name of its adapter."""
    claims = ((a.name, a.persistent_volume_claim) for a in spec.model.adapters or () if a.persistent_volume_claim)
    return tuple(
        _claimed(f"aifactory-adapter-{number}", volume.name, f"{folder}/{name}", volume.path)
        for number, (name, volume) in enumerate(claims)
    )


def adapter_paths(spec: InferenceServiceSpec) -> tuple[str, ...]:
    """Name and path, or Hugging Face repository, of each LoRA adapter, joined by `=`."""
    return tuple(
        f"{adapter.name}={adapter.hugging_face.repo if adapter.hugging_face else f'{ADAPTERS}/{adapter.name}'}"
        for adapter in spec.model.adapters or ()
    )


def hub_environment(spec: InferenceServiceSpec, home: str) -> tuple[Mapping[str, Any], ...]:
    """What the Hugging Face libraries need to know; without anything to fetch they must not try."""
    fetched = any(adapter.hugging_face for adapter in spec.model.adapters or ())
    offline = local_model(spec) is not None and not fetched
    return (
        literal("HF_HOME", f"{home}/.cache/huggingface"),
        *((literal("HF_HUB_OFFLINE", 1),) if offline else ()),
        *hub_token(spec),
    )


def hub_token(spec: InferenceServiceSpec) -> tuple[Mapping[str, Any], ...]:
    """The Hugging Face token, if there is one."""
    repository = hub(spec)
    return (secret(HUGGING_FACE_TOKEN, repository.token_secret),) if repository and repository.token_secret else ()


def _claimed(name: str, claim_name: str, path: str, sub_path: str | None = None) -> Mount:
    source = {"persistentVolumeClaim": {"claimName": claim_name, "readOnly": True}}
    return Mount(name=name, path=path, source=source, sub_path=sub_path, read_only=True)


def _below(folder: str, path: str | None) -> str:
    return f"{folder}/{path}" if path else folder
