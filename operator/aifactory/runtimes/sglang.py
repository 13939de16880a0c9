"""SGLang: `sglang.launch_server` of the image lmsysorg/sglang.

Flags, variables and metric names are those of SGLang's documentation ("Server Arguments", "Production Metrics") and of
its metrics_collector.py.
"""

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from aifactory.api.model import Precision
from aifactory.api.spec import InferenceServiceSpec, KVCachePrecision

from .base import MetricDialect, ModelServer, OneRole
from .buckets import edges
from .parts import (
    ENDPOINT_PROPAGATION_SECONDS,
    LEADER,
    RANK,
    RENDEZVOUS_PORT,
    adapter_mounts,
    adapter_paths,
    asked_precision,
    given,
    hub_environment,
    literal,
    model_location,
    model_mounts,
    revision,
    share,
    whole_seconds,
    writable,
)

IMAGE = "lmsysorg/sglang:v0.5.20-cu130"
HOME = "/home/sglang"

PRECISION_FLAGS: Mapping[Precision, tuple[str, ...]] = {
    Precision.AUTO: (),
    Precision.BF16: ("--dtype", "bfloat16"),
    Precision.FP8: ("--quantization", "fp8"),
    Precision.NVFP4: ("--quantization", "modelopt_fp4"),
    Precision.MXFP4: ("--quantization", "mxfp4"),
}
"""fp8 converts a BF16 checkpoint while loading; nvfp4 and mxfp4 need a checkpoint of that format."""

DIALECT = MetricDialect(
    time_to_first_token="sglang:time_to_first_token_seconds",  # noqa: S106
    inter_token_latency="sglang:inter_token_latency_seconds",  # noqa: S106
    end_to_end_latency="sglang:e2e_request_latency_seconds",
    running="sglang:num_running_reqs",
    waiting="sglang:num_queue_reqs",
    kv_cache_usage="sglang:token_usage",
    completed="sglang:num_requests_total",
    prompt_tokens='sglang:realtime_tokens_total{mode="prefill_compute"}',
    generation_tokens='sglang:realtime_tokens_total{mode="decode"}',
    live_tokens=True,
)
# These counters move only when a request ends, so a newer release is better read by the others.
OLDER = replace(
    DIALECT,
    inter_token_latency="sglang:time_per_output_token_seconds",  # noqa: S106
    prompt_tokens="sglang:prompt_tokens_total",
    generation_tokens="sglang:generation_tokens_total",
    live_tokens=False,
)


def _underscored(dialect: MetricDialect) -> MetricDialect:
    """What Prometheus stores when the page was negotiated with escaped names."""
    names: dict[str, Any] = {field.name: getattr(dialect, field.name) for field in fields(dialect)}
    texts = {field: name.replace("sglang:", "sglang_") for field, name in names.items() if isinstance(name, str)}
    return replace(dialect, **{**names, **texts})


BUCKET_FLAGS: Mapping[str, str] = {
    "time_to_first_token": "--bucket-time-to-first-token",
    "inter_token_latency": "--bucket-inter-token-latency",
    "end_to_end_latency": "--bucket-e2e-request-latency",
}


class SGLang(OneRole):
    """SIGTERM makes SGLang finish the requests in flight, however long they take; the kubelet bounds that."""

    dialects = (DIALECT, _underscored(DIALECT), OLDER, _underscored(OLDER))

    def server(self, spec: InferenceServiceSpec) -> ModelServer:
        """The container for this spec."""
        return ModelServer(
            image=spec.runtime.image or IMAGE,
            command=("python3", "-m", "sglang.launch_server"),
            args=(*_flags(spec), *(spec.runtime.args or ())),
            env=_env(spec),
            mounts=(*writable(HOME), *model_mounts(spec), *adapter_mounts(spec)),
            pre_stop_seconds=ENDPOINT_PROPAGATION_SECONDS,
            shutdown_seconds=whole_seconds(spec.drain.timeout),
            precision=asked_precision(spec),
        )


def _flags(spec: InferenceServiceSpec) -> tuple[str, ...]:
    gpus, runtime = spec.accelerator, spec.runtime
    fp8 = runtime.kv_cache_precision is KVCachePrecision.FP8
    return (
        *("--model-path", model_location(spec)),
        *given("--revision", revision(spec)),
        *("--served-model-name", spec.model.name),
        *("--host", "0.0.0.0"),  # noqa: S104
        *("--port", str(runtime.port)),
        *("--tp-size", str(gpus.tensor_parallel)),
        *(("--pp-size", str(gpus.pipeline_parallel)) if gpus.pipeline_parallel > 1 else ()),
        *(("--dp-size", str(gpus.data_parallel)) if gpus.data_parallel > 1 else ()),
        *(("--ep-size", str(gpus.tensor_parallel)) if gpus.expert_parallel else ()),
        *(_nodes(gpus.nodes) if gpus.nodes > 1 else ()),
        *PRECISION_FLAGS[spec.model.precision],
        *given("--context-length", runtime.context_length),
        *given("--max-running-requests", runtime.max_sequences),
        *given("--chunked-prefill-size", runtime.max_batched_tokens),
        *given("--mem-fraction-static", share(runtime.memory_fraction)),
        *(("--kv-cache-dtype", "fp8_e4m3") if fp8 else ()),
        *(("--lora-paths", *adapter_paths(spec)) if spec.model.adapters else ()),
        *(word for latency, values in edges(spec).items() for word in (BUCKET_FLAGS[latency], *map(str, values))),
        "--enable-metrics",
    )


def _nodes(nodes: int) -> tuple[str, ...]:
    """Several nodes ("Server Arguments", section multi-node); sizes of parallelism count the GPUs of all of them."""
    return (
        *("--nnodes", str(nodes)),
        *("--node-rank", RANK),
        *("--dist-init-addr", f"{LEADER}:{RENDEZVOUS_PORT}"),
    )


def _env(spec: InferenceServiceSpec) -> tuple[Mapping[str, Any], ...]:
    return (
        literal("HOME", HOME),
        literal("USER", "sglang"),
        # The health check would otherwise wait for a generated token, behind all that are queued.
        literal("SGLANG_ENABLE_HEALTH_ENDPOINT_GENERATION", "false"),
        *hub_environment(spec, HOME),
    )
