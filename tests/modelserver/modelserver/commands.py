"""The command lines of SGLang, TensorRT-LLM, Triton and llama.cpp; a flag that an engine does not have exits with 2."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from .settings import SettingsError, checked

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .settings import Settings

# SIGTERM makes these engines wait for requests in flight without a limit of their own.
WITHOUT_LIMIT = 86_400.0

_SGLANG_VALUED = """
    attention-backend chat-template chunked-prefill-size context-length download-dir dtype ep-size kv-cache-dtype
    log-level max-prefill-tokens max-queued-requests max-running-requests mem-fraction-static quantization
    reasoning-parser revision tokenizer-path tool-call-parser watchdog-timeout
"""
_SGLANG_SWITCHES = "disable-radix-cache enable-dp-attention enable-metrics enable-lora trust-remote-code"
_SGLANG_EDGES = {
    "first_token": "--bucket-time-to-first-token",
    "interval": "--bucket-inter-token-latency",
    "latency": "--bucket-e2e-request-latency",
}
_TRTLLM_VALUED = """
    backend config ep_size extra_llm_api_options kv_cache_free_gpu_memory_fraction log_level max_batch_size
    max_num_tokens max_seq_len reasoning_parser revision tokenizer tool_parser
"""
_LLAMACPP_VALUED = "ctx-size batch-size ubatch-size flash-attn gpu-layers hf-file cache-type-k cache-type-v threads"


def sglang(settings: Settings, arguments: Sequence[str]) -> Settings:
    """`python3 -m sglang.launch_server`. Without --enable-metrics there would be none, so it is demanded."""
    parser = _parser("sglang.launch_server", _SGLANG_VALUED, _SGLANG_SWITCHES)
    parser.add_argument("--model-path", "--model", required=True)
    parser.add_argument("--served-model-name")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=30000)
    parser.add_argument("--tp-size", "--tensor-parallel-size", "--tp", type=int, default=1)
    parser.add_argument("--pp-size", "--pipeline-parallel-size", "--pp", type=int, default=1)
    parser.add_argument("--dp-size", "--data-parallel-size", "--dp", type=int, default=1)
    parser.add_argument("--lora-paths", nargs="+", default=[])
    for flag in _SGLANG_EDGES.values():
        parser.add_argument(flag, dest=flag, nargs="+", type=float, default=[])
    parser.add_argument("--nnodes", type=int, default=1)
    parser.add_argument("--node-rank", type=int, default=0)
    parser.add_argument("--dist-init-addr", "--nccl-init-addr", default="")
    options = parser.parse_args(arguments)
    leader, _, rendezvous_port = options.dist_init_addr.rpartition(":")
    if options.nnodes > 1 and options.dp_size > 1:
        raise SettingsError("SGLang has no data parallelism across nodes without --enable-dp-attention")
    if not options.enable_metrics:
        raise SettingsError("SGLang has no metrics without --enable-metrics")
    return _served(
        settings,
        dialect="sglang",
        model=options.served_model_name or options.model_path,
        host=options.host,
        port=options.port,
        gpus=options.tp_size * options.pp_size * options.dp_size // options.nnodes,
        nodes=options.nnodes,
        rank=options.node_rank,
        leader=leader,
        rendezvous_port=int(rendezvous_port or 0),
        max_num_seqs=int(options.max_running_requests or settings.max_num_seqs),
        shutdown_timeout=WITHOUT_LIMIT,
        adapters=tuple(path.partition("=")[0] for path in options.lora_paths),
        edges={name: tuple(edges) for name, flag in _SGLANG_EDGES.items() if (edges := getattr(options, flag))},
    )


def trtllm(settings: Settings, arguments: Sequence[str]) -> Settings:
    """`trtllm-serve MODEL`. Metrics have to be asked for in the file of --extra_llm_api_options."""
    parser = _parser("trtllm-serve", _TRTLLM_VALUED, "enable_chunked_prefill trust_remote_code")
    parser.add_argument("model")
    parser.add_argument("--served_model_name")
    parser.add_argument("--host", default="localhost")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--tp_size", "--tensor_parallel_size", type=int, default=1)
    parser.add_argument("--pp_size", type=int, default=1)
    options = parser.parse_args(arguments)
    path = options.config or options.extra_llm_api_options
    lines = Path(path).read_text(encoding="utf-8").splitlines() if path else []
    if not {"return_perf_metrics: true", "enable_iter_perf_stats: true"} <= set(lines):
        raise SettingsError("trtllm-serve has no metrics without return_perf_metrics and enable_iter_perf_stats")
    return _served(
        settings,
        dialect="trtllm",
        model=options.served_model_name or options.model,
        host=options.host,
        port=options.port,
        gpus=options.tp_size * options.pp_size,
        max_num_seqs=int(options.max_batch_size or settings.max_num_seqs),
        shutdown_timeout=WITHOUT_LIMIT,
    )


def triton(settings: Settings, arguments: Sequence[str]) -> Settings:
    """`tritonserver`. It listens on all addresses; the names of its models stand in the repository."""
    parser = _parser("tritonserver", "allow-grpc log-verbose model-control-mode metrics-config", "")
    parser.add_argument("--model-repository", "--model-store", required=True)
    parser.add_argument("--http-port", type=int, default=8000)
    parser.add_argument("--metrics-port", type=int, default=8002)
    parser.add_argument("--exit-timeout-secs", type=float, default=30.0)
    options = parser.parse_args(arguments)
    return _served(
        settings,
        dialect="triton",
        port=options.http_port,
        metrics_port=options.metrics_port,
        shutdown_timeout=options.exit_timeout_secs,
    )


def llamacpp(settings: Settings, arguments: Sequence[str]) -> Settings:
    """`llama-server`. SIGTERM cuts what is in flight."""
    parser = _parser("llama-server", _LLAMACPP_VALUED, "metrics no-webui jinja")
    parser.add_argument("--model", "-m")
    parser.add_argument("--hf-repo", "-hf")
    parser.add_argument("--alias", "-a")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--parallel", "-np", type=int, default=4)
    options = parser.parse_args(arguments)
    if not (options.model or options.hf_repo):
        parser.error("a model is needed: --model or --hf-repo")
    if not options.metrics:
        raise SettingsError("llama-server has no metrics without --metrics")
    return _served(
        settings,
        dialect="llamacpp",
        model=options.alias or options.model or options.hf_repo,
        host=options.host,
        port=options.port,
        max_num_seqs=options.parallel,
        shutdown_timeout=0.0,
    )


COMMANDS: Mapping[str, Callable[[Settings, Sequence[str]], Settings]] = {
    "sglang": sglang,
    "trtllm": trtllm,
    "triton": triton,
    "llamacpp": llamacpp,
}
"""By dialect."""


def _parser(program: str, valued: str, switches: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=program, allow_abbrev=False)
    for name in valued.split():
        parser.add_argument(f"--{name}")
    for name in switches.split():
        parser.add_argument(f"--{name}", action="store_true")
    return parser


def _served(settings: Settings, **changes: object) -> Settings:
    return checked(replace(settings, **changes))  # type: ignore[arg-type]
