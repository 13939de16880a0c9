"""TensorRT-LLM: `trtllm-serve` of the image nvcr.io/nvidia/tensorrt-llm/release.

Flags and settings are those of NVIDIA's page "trtllm-serve", metric names those of tensorrt_llm/metrics/collector.py
from release 1.3 on; earlier ones have no gauges of running and waiting requests.
"""

from collections.abc import Mapping
from typing import Any

from aifactory.api.spec import InferenceServiceSpec

from .base import EngineConfig, MetricDialect, ModelServer, OneRole
from .parts import (
    ENDPOINT_PROPAGATION_SECONDS,
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

IMAGE = "nvcr.io/nvidia/tensorrt-llm/release:1.3.0rc29"
HOME = "/home/trtllm"

DIALECT = MetricDialect(
    time_to_first_token="trtllm_time_to_first_token_seconds",  # noqa: S106
    inter_token_latency="trtllm_time_per_output_token_seconds",  # noqa: S106
    end_to_end_latency="trtllm_e2e_request_latency_seconds",
    running="trtllm_num_requests_running",
    waiting="trtllm_num_requests_waiting",
    kv_cache_usage="trtllm_kv_cache_utilization",
    completed="trtllm_request_success_total",
    prompt_tokens="trtllm_prompt_tokens_total",
    generation_tokens="trtllm_generation_tokens_total",
    lazy_requests=True,
)
"""Inter-token latency is the mean of each request; this engine does not time single tokens."""

# Without the first there is no metrics page, without the second no gauges on it.
CONFIG = EngineConfig("/etc/aifactory/trtllm.yaml", "return_perf_metrics: true\nenable_iter_perf_stats: true\n")


class TRTLLM(OneRole):
    """SIGTERM makes trtllm-serve finish the requests in flight, however long they take; the kubelet bounds that.

    The model is a checkpoint, whose number format it brings along, or the folder of a built engine.
    """

    dialects = (DIALECT,)

    def server(self, spec: InferenceServiceSpec) -> ModelServer:
        """The container for this spec."""
        return ModelServer(
            image=spec.runtime.image or IMAGE,
            command=("trtllm-serve", model_location(spec)),
            args=(*_flags(spec), *(spec.runtime.args or ())),
            env=_env(spec),
            mounts=(*writable(HOME), *model_mounts(spec)),
            metrics_path="/prometheus/metrics",
            pre_stop_seconds=ENDPOINT_PROPAGATION_SECONDS,
            shutdown_seconds=whole_seconds(spec.drain.timeout),
            config=CONFIG,
        )


def _flags(spec: InferenceServiceSpec) -> tuple[str, ...]:
    gpus, runtime = spec.accelerator, spec.runtime
    return (
        *given("--revision", revision(spec)),
        *("--served_model_name", spec.model.name),
        *("--host", "0.0.0.0"),  # noqa: S104
        *("--port", str(runtime.port)),
        *("--tp_size", str(gpus.tensor_parallel)),
        *(("--pp_size", str(gpus.pipeline_parallel)) if gpus.pipeline_parallel > 1 else ()),
        *(("--ep_size", str(gpus.tensor_parallel)) if gpus.expert_parallel else ()),
        *given("--max_seq_len", runtime.context_length),
        *given("--max_batch_size", runtime.max_sequences),
        *given("--max_num_tokens", runtime.max_batched_tokens),
        *given("--kv_cache_free_gpu_memory_fraction", share(runtime.memory_fraction)),
        *("--extra_llm_api_options", CONFIG.path),
    )


def _env(spec: InferenceServiceSpec) -> tuple[Mapping[str, Any], ...]:
    return (
        literal("HOME", HOME),
        literal("USER", "trtllm"),
        literal("TRTLLM_NO_USAGE_STATS", 1),
        *hub_environment(spec, HOME),
    )
