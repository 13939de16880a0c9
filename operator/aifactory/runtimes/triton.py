"""Triton Inference Server with the TensorRT-LLM backend, from a model repository.

Flags are those of NVIDIA's Triton documentation, metric names those of the backend's custom_metrics_reporter.cc. The
API is Triton's own (`/v2/models/NAME/generate`), not OpenAI's.
"""

from aifactory.api.engine import TRITON_METRICS_PORT
from aifactory.api.spec import InferenceServiceSpec

from .base import MetricDialect, ModelServer, OneRole
from .parts import (
    ENDPOINT_PROPAGATION_SECONDS,
    literal,
    model_location,
    model_mounts,
    whole_seconds,
    writable,
)

IMAGE = "nvcr.io/nvidia/tritonserver:26.03-trtllm-python-py3"
HOME = "/home/triton"

DIALECT = MetricDialect(
    running='nv_trt_llm_request_metrics{request_type="scheduled"}',
    waiting='nv_trt_llm_request_metrics{request_type="waiting"}',
    kv_cache_usage='nv_trt_llm_kv_cache_block_metrics{kv_cache_block_type="fraction"}',
    completed="nv_llm_output_token_len_count",
    prompt_tokens="nv_llm_input_token_len_sum",
    generation_tokens="nv_llm_output_token_len_sum",
)
"""No latency is measured. Lengths of answers are a histogram, whose count is the number of requests answered."""


class Triton(OneRole):
    """SIGTERM makes Triton finish the requests in flight for at most `--exit-timeout-secs`."""

    dialects = (DIALECT,)

    def server(self, spec: InferenceServiceSpec) -> ModelServer:
        """The container for this spec."""
        drain = whole_seconds(spec.drain.timeout)
        return ModelServer(
            image=spec.runtime.image or IMAGE,
            command=("tritonserver",),
            args=(
                f"--model-repository={model_location(spec)}",
                f"--http-port={spec.runtime.port}",
                f"--metrics-port={TRITON_METRICS_PORT}",
                "--allow-grpc=false",
                f"--exit-timeout-secs={drain}",
                *(spec.runtime.args or ()),
            ),
            env=(
                literal("HOME", HOME),
                # One process then leads the workers of all GPUs, as without mpirun.
                *((literal("TRTLLM_ORCHESTRATOR", 1),) if spec.accelerator.count > 1 else ()),
            ),
            mounts=(*writable(HOME), *model_mounts(spec)),
            startup_path="/v2/health/ready",
            liveness_path="/v2/health/live",
            readiness_path="/v2/health/ready",
            metrics_port=TRITON_METRICS_PORT,
            pre_stop_seconds=ENDPOINT_PROPAGATION_SECONDS,
            shutdown_seconds=drain,
        )
