"""vLLM: `vllm serve` of the image vllm/vllm-openai."""

import json
from collections.abc import Mapping
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

IMAGE = "vllm/vllm-openai:v0.32.0"
HOME = "/home/vllm"
# The user `vllm` of the image (vllm-project/vllm pull request 40275). Others work as well: USER and HOME are set.
USER_ID = 2000
GROUP_ID = 2000

PRECISION_FLAGS: Mapping[Precision, tuple[str, ...]] = {
    Precision.AUTO: (),
    Precision.BF16: ("--dtype", "bfloat16"),
    Precision.FP8: ("--quantization", "fp8"),
    Precision.NVFP4: ("--quantization", "modelopt_fp4"),
    Precision.MXFP4: ("--quantization", "mxfp4"),
    Precision.INT4: ("--quantization", "compressed-tensors"),
}
"""Flags that ask for a number format (vLLM documentation, "Quantization": online, modelopt and llm_compressor/int4).

fp8 and mxfp4 convert a BF16 checkpoint while loading. nvfp4 needs a checkpoint of NVIDIA Model Optimizer and int4 one
of LLM Compressor: given another, vLLM ends with an error rather than serve another format. `auto` passes nothing, and
vLLM reads the format, of whichever tool, from the checkpoint.
"""

DIALECT = MetricDialect(
    time_to_first_token="vllm:time_to_first_token_seconds",  # noqa: S106
    # The mean of each request, which is what a user notices; vllm:inter_token_latency_seconds has every token, so that
    # one long prompt beside them makes tokens late long before it makes answers slow.
    inter_token_latency="vllm:request_time_per_output_token_seconds",  # noqa: S106
    end_to_end_latency="vllm:e2e_request_latency_seconds",
    running="vllm:num_requests_running",
    waiting="vllm:num_requests_waiting",
    kv_cache_usage="vllm:kv_cache_usage_perc",
    completed="vllm:request_success_total",
    prompt_tokens="vllm:prompt_tokens_total",
    generation_tokens="vllm:generation_tokens_total",
    live_tokens=True,
)


BUCKET_FAMILIES: Mapping[str, str] = {
    "time_to_first_token": "time_to_first_token",
    "inter_token_latency": "inter_token_latency",
    "end_to_end_latency": "request_latency",
}


class VLLM(OneRole):
    """SIGTERM makes vLLM finish the requests in flight for at most `--shutdown-timeout` seconds."""

    dialects = (DIALECT,)

    def server(self, spec: InferenceServiceSpec) -> ModelServer:
        """The container for this spec."""
        drain = whole_seconds(spec.drain.timeout)
        return ModelServer(
            image=spec.runtime.image or IMAGE,
            command=("vllm", "serve", model_location(spec)),
            args=(*_flags(spec, drain), *(spec.runtime.args or ())),
            worker_args=("--headless",),
            env=_env(spec),
            mounts=(*writable(HOME), *model_mounts(spec), *adapter_mounts(spec)),
            user=USER_ID,
            group=GROUP_ID,
            volume_group=GROUP_ID,
            read_only_root=True,
            pre_stop_seconds=ENDPOINT_PROPAGATION_SECONDS,
            shutdown_seconds=drain,
            precision=asked_precision(spec),
        )


def _flags(spec: InferenceServiceSpec, drain: int) -> tuple[str, ...]:
    gpus, runtime = spec.accelerator, spec.runtime
    fp8 = runtime.kv_cache_precision is KVCachePrecision.FP8
    return (
        *("--served-model-name", spec.model.name),
        *("--host", "0.0.0.0"),  # noqa: S104
        *("--port", str(runtime.port)),
        *("--tensor-parallel-size", str(gpus.tensor_parallel)),
        *(("--pipeline-parallel-size", str(gpus.pipeline_parallel)) if gpus.pipeline_parallel > 1 else ()),
        *(("--data-parallel-size", str(gpus.data_parallel)) if gpus.data_parallel > 1 else ()),
        *(("--enable-expert-parallel",) if gpus.expert_parallel else ()),
        *(_nodes(gpus.nodes) if gpus.nodes > 1 else ()),
        *given("--revision", revision(spec)),
        *PRECISION_FLAGS[spec.model.precision],
        *given("--max-model-len", runtime.context_length),
        *given("--max-num-seqs", runtime.max_sequences),
        *given("--max-num-batched-tokens", runtime.max_batched_tokens),
        *given("--gpu-memory-utilization", share(runtime.memory_fraction)),
        *(("--kv-cache-dtype", "fp8") if fp8 else ()),
        *given("--custom-histogram-buckets", _buckets(spec)),
        *(("--enable-lora", "--lora-modules", *adapter_paths(spec)) if spec.model.adapters else ()),
        *("--shutdown-timeout", str(drain)),
    )


def _buckets(spec: InferenceServiceSpec) -> str | None:
    """Edges as JSON, by the families of vLLM's documentation ("Production Metrics", "Custom Histogram Buckets")."""
    found = {BUCKET_FAMILIES[latency]: values for latency, values in edges(spec).items()}
    return json.dumps(found) if found else None


def _nodes(nodes: int) -> tuple[str, ...]:
    """Processes of several nodes without Ray (vLLM documentation, "Running vLLM with MultiProcessing").

    Needs vLLM 0.12 or later (vllm-project/vllm pull request 23691).
    """
    return (
        *("--distributed-executor-backend", "mp"),
        *("--nnodes", str(nodes)),
        *("--node-rank", RANK),
        *("--master-addr", LEADER),
        *("--master-port", str(RENDEZVOUS_PORT)),
    )


def _env(spec: InferenceServiceSpec) -> tuple[Mapping[str, Any], ...]:
    return (
        literal("HOME", HOME),
        literal("USER", "vllm"),
        literal("VLLM_NO_USAGE_STATS", 1),
        *hub_environment(spec, HOME),
    )
