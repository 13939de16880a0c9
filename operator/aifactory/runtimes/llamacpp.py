"""llama.cpp: `llama-server` of the image ghcr.io/ggml-org/llama.cpp, for GGUF models.

Flags and metric names are those of tools/server/README.md of ggml-org/llama.cpp.
"""

from collections.abc import Mapping
from typing import Any

from aifactory.api.spec import InferenceServiceSpec

from .base import MetricDialect, ModelServer, OneRole
from .parts import (
    hub,
    hub_token,
    literal,
    local_model,
    model_mounts,
    serving_on,
    writable,
)

IMAGE = "ghcr.io/ggml-org/llama.cpp:server-cuda-b11382"
HOME = "/home/llama"
SEQUENCES = 4

DIALECT = MetricDialect(
    running="llamacpp:requests_processing",
    waiting="llamacpp:requests_deferred",
    prompt_tokens="llamacpp:prompt_tokens_total",
    generation_tokens="llamacpp:tokens_predicted_total",
)


class LlamaCpp(OneRole):
    """SIGTERM cuts the requests in flight, so a leaving pod serves on for the drain timeout."""

    dialects = (DIALECT,)

    def server(self, spec: InferenceServiceSpec) -> ModelServer:
        """The container for this spec; the image's entrypoint is the server."""
        return ModelServer(
            image=spec.runtime.image or IMAGE,
            command=(),
            args=(*_flags(spec), *(spec.runtime.args or ())),
            env=_env(spec),
            mounts=(*writable(HOME), *model_mounts(spec)),
            read_only_root=True,
            pre_stop_seconds=serving_on(spec),
            shutdown_seconds=0,
            sequences=_sequences(spec),
        )


def _sequences(spec: InferenceServiceSpec) -> int:
    return spec.runtime.max_sequences or SEQUENCES


def _flags(spec: InferenceServiceSpec) -> tuple[str, ...]:
    length = spec.runtime.context_length
    return (
        *_model(spec),
        *("--alias", spec.model.name),
        *("--host", "0.0.0.0"),  # noqa: S104
        *("--port", str(spec.runtime.port)),
        *("--parallel", str(_sequences(spec))),
        # The flag is about all sequences together.
        *(("--ctx-size", str(length * _sequences(spec))) if length else ()),
        "--metrics",
    )


def _model(spec: InferenceServiceSpec) -> tuple[str, ...]:
    if local := local_model(spec):
        return "--model", local
    repository = hub(spec)
    if repository is None:
        return "--hf-repo", spec.model.name
    return "--hf-repo", repository.repo, *(("--hf-file", repository.file) if repository.file else ())


def _env(spec: InferenceServiceSpec) -> tuple[Mapping[str, Any], ...]:
    return literal("HOME", HOME), literal("LLAMA_CACHE", f"{HOME}/.cache/llama.cpp"), *hub_token(spec)
