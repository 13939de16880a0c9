"""NVIDIA NIM for LLMs, 1.x, 2.x and later: a container that is told everything by environment variables.

Variables, ports and paths are those of NVIDIA's "NIM for Large Language Models" documentation, pages Environment
Variables, Advanced Configuration, Model Download and Observability.
"""

import shlex
from collections.abc import Mapping
from typing import Any

from aifactory.api.model import NGCSource
from aifactory.api.spec import InferenceServiceSpec

from . import vllm
from .base import MetricDialect, ModelServer, Mount, OneRole
from .parts import (
    adapter_mounts,
    asked_precision,
    cache,
    claim,
    hub,
    hub_token,
    image_path,
    literal,
    local_model,
    model_mounts,
    scratch,
    secret,
    serving_on,
)

REGISTRY = "nvcr.io/nim"
MODEL_FREE_IMAGE = f"{REGISTRY}/nvidia/model-free-nim:3.0.0"
CACHE = "/opt/nim/.cache"
# Each folder in it is an adapter, under the name that requests ask for.
ADAPTERS = "/opt/nim/loras"
# The user that NIM images are built for and the group that NVIDIA's own operator gives them.
USER_ID = 1000
GROUP_ID = 2000

DIALECT_1 = MetricDialect(
    time_to_first_token="time_to_first_token_seconds",  # noqa: S106
    inter_token_latency="time_per_output_token_seconds",  # noqa: S106
    end_to_end_latency="e2e_request_latency_seconds",
    running="num_requests_running",
    waiting="num_requests_waiting",
    kv_cache_usage="gpu_cache_usage_perc",
    completed="request_finish_total",
    prompt_tokens="prompt_tokens_total",
    generation_tokens="generation_tokens_total",
)


class NIM(OneRole):
    """NIM promises nothing about requests in flight after SIGTERM, so a leaving pod serves on for the drain timeout."""

    dialects = (DIALECT_1, vllm.DIALECT)

    def server(self, spec: InferenceServiceSpec) -> ModelServer:
        """The container for this spec."""
        model_path = _model_path(spec)
        return ModelServer(
            image=spec.runtime.image or _image(spec.model.name, model_path),
            command=(),
            args=(),
            env=_env(spec, model_path),
            mounts=(_cache(spec), *_weights(spec), *adapter_mounts(spec, ADAPTERS)),
            startup_path="/v1/health/ready",
            liveness_path="/v1/health/live",
            readiness_path="/v1/health/ready",
            metrics_path="/v1/metrics",
            user=USER_ID,
            group=GROUP_ID,
            volume_group=GROUP_ID,
            pre_stop_seconds=serving_on(spec),
            shutdown_seconds=0,
            precision=asked_precision(spec),
            profile=spec.runtime.nim_profile,
            health_port=spec.runtime.health_port,
        )


def _image(model_name: str, model_path: str | None) -> str:
    """The image built for the model, or the one that loads any model from `model_path`."""
    return MODEL_FREE_IMAGE if model_path else f"{REGISTRY}/{model_name.lower()}:latest"


def _model_path(spec: InferenceServiceSpec) -> str | None:
    """Value of NIM_MODEL_PATH; None when the image knows its model."""
    if repository := hub(spec):
        return f"hf://{repository.repo}" + (f":{repository.revision}" if repository.revision else "")
    catalog = _catalog(spec)
    return (
        f"ngc://{catalog.model}"
        if catalog and catalog.model
        else (local_model(spec) if cache(spec) else image_path(spec))
    )


def _env(spec: InferenceServiceSpec, model_path: str | None) -> tuple[Mapping[str, Any], ...]:
    runtime, catalog = spec.runtime, _catalog(spec)
    return (
        literal("NIM_SERVED_MODEL_NAME", spec.model.name),
        literal("NIM_TENSOR_PARALLEL_SIZE", spec.accelerator.count),
        literal("NIM_SERVER_PORT", runtime.port),
        literal("NIM_HTTP_API_PORT", runtime.port),
        literal("NIM_CACHE_PATH", CACHE),
        literal("OUTLINES_CACHE_DIR", "/tmp/outlines"),  # noqa: S108
        *((literal("NIM_MODEL_PATH", model_path),) if model_path else ()),
        *((literal("NIM_MAX_MODEL_LEN", runtime.context_length),) if runtime.context_length else ()),
        *_profile(spec),
        *((literal("NIM_HEALTH_PORT", runtime.health_port),) if runtime.health_port else ()),
        *((literal("NIM_PEFT_SOURCE", ADAPTERS),) if spec.model.adapters else ()),
        *((literal("NIM_PASSTHROUGH_ARGS", shlex.join(_arguments(spec))),) if _arguments(spec) else ()),
        *((literal("NIM_SDK_USE_NATIVE_TLS", 1),) if runtime.egress else ()),
        *((secret("NGC_API_KEY", catalog.auth_secret),) if catalog and catalog.auth_secret else ()),
        *hub_token(spec),
    )


def _profile(spec: InferenceServiceSpec) -> tuple[Mapping[str, Any], ...]:
    """The profile that is named, else what the one that the NIM chooses for its GPUs must have.

    Tags are those of NVIDIA's documentation ("Model Profiles and Selection"); its guides for Nemotron models select by
    them in this form ("Deployment tuning parameters").
    """
    if spec.runtime.nim_profile:
        return (literal("NIM_MODEL_PROFILE", spec.runtime.nim_profile),)
    if precision := asked_precision(spec):
        return (literal("NIM_TAGS_SELECTOR", f"precision={precision},tp={spec.accelerator.count}"),)
    return ()


def _arguments(spec: InferenceServiceSpec) -> tuple[str, ...]:
    """Words for the engine inside the NIM: its backend reads adapters only when told to."""
    return (*(("--enable-lora",) if spec.model.adapters else ()), *(spec.runtime.args or ()))


def _cache(spec: InferenceServiceSpec) -> Mount:
    volume = claim(spec)
    if volume is None:
        return scratch("aifactory-cache", CACHE)
    source = {"persistentVolumeClaim": {"claimName": volume.name}}
    return Mount(name="aifactory-cache", path=CACHE, source=source, sub_path=volume.path)


def _weights(spec: InferenceServiceSpec) -> tuple[Mount, ...]:
    """What a ModelCache has fetched; a claim of one's own is NIM's own cache instead."""
    return model_mounts(spec) if cache(spec) else ()


def _catalog(spec: InferenceServiceSpec) -> NGCSource | None:
    return spec.model.source.ngc if spec.model.source else None
