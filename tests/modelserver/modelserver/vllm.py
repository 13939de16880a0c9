"""The command line of `vllm serve`: flags that shape the simulation are honoured, the engine's other flags accepted.

A flag that vLLM does not have ends the process with exit status 2, as vLLM does.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from typing import TYPE_CHECKING

from .settings import SettingsError, checked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .settings import Settings

VALUED = """
    allowed-local-media-path api-key api-server-count attention-backend block-size chat-template
    compilation-config config-format data-parallel-address data-parallel-rpc-port data-parallel-size
    data-parallel-size-local disable-access-log-for-endpoints distributed-executor-backend download-dir dtype
    generation-config gpu-memory-utilization guided-decoding-backend hf-config-path hf-overrides hf-token
    kv-cache-dtype kv-cache-memory-bytes kv-events-config kv-transfer-config limit-mm-per-prompt load-format
    logits-processors long-prefill-token-threshold max-cpu-loras
    max-log-len max-logprobs max-lora-rank max-loras max-num-partial-prefills max-parallel-loading-workers
    middleware model-impl model-loader-extra-config num-gpu-blocks-override
    otlp-traces-endpoint override-generation-config pipeline-parallel-size prefix-caching-hash-algo quantization
    reasoning-parser response-role revision root-path runner safetensors-load-strategy scheduling-policy seed
    show-hidden-metrics-for-version skip-mm-profiling speculative-config ssl-ca-certs ssl-certfile ssl-keyfile
    swap-space task tokenizer tokenizer-mode tokenizer-revision tool-call-parser tool-parser-plugin
    uvicorn-log-level
"""

SWITCHES = """
    async-scheduling calculate-kv-scales disable-cascade-attn disable-custom-all-reduce disable-fastapi-docs
    disable-hybrid-kv-cache-manager disable-log-requests disable-log-stats disable-sliding-window
    disable-uvicorn-access-log enable-auto-tool-choice enable-chunked-prefill enable-eplb enable-expert-parallel
    enable-force-include-usage enable-log-requests enable-lora enable-prefix-caching
    enable-prompt-tokens-details enable-request-id-headers enable-server-load-tracking enable-sleep-mode
    enable-ssl-refresh enforce-eager headless multi-step-stream-outputs return-tokens-as-token-ids
    trust-remote-code
"""

FAMILIES = {
    "time_to_first_token": "first_token",
    "inter_token_latency": "interval",
    "request_latency": "latency",
}
"""Families of histograms whose edges can be given, of those that are simulated, and the latency that each is of."""

SHORT = {"quantization": "-q", "pipeline-parallel-size": "-pp", "data-parallel-size": "-dp"}


def serve(settings: Settings, arguments: Sequence[str]) -> Settings:
    """Lay the arguments after `vllm serve` over the settings.

    The served model name is the first of --served-model-name, else the model; --max-num-seqs and
    --max-num-batched-tokens bound a batch; --num-gpu-blocks-override sizes the KV cache in blocks.
    """
    options = _parser().parse_args(_hyphenated(arguments))
    gpus = (
        options.tensor_parallel_size * int(options.pipeline_parallel_size or 1) * int(options.data_parallel_size or 1)
    )
    if options.node_rank and not options.headless:
        raise SettingsError("vLLM runs no API server on other nodes than the first: give them --headless")
    patience = settings.shutdown_timeout if options.shutdown_timeout is None else options.shutdown_timeout
    block_size = int(options.block_size or settings.block_size)
    blocks = int(options.num_gpu_blocks_override or 0)
    return checked(
        replace(
            settings,
            dialect="vllm",
            model=options.served_model_name[0] if options.served_model_name else options.model_tag or options.model,
            host=options.host or settings.host,
            port=options.port,
            gpus=gpus // options.nnodes,
            block_size=block_size,
            kv_tokens=blocks * block_size or settings.kv_tokens,
            max_num_seqs=options.max_num_seqs or settings.max_num_seqs,
            max_num_batched_tokens=options.max_num_batched_tokens or settings.max_num_batched_tokens,
            shutdown_timeout=patience,
            edges=_edges(options.custom_histogram_buckets),
            adapters=tuple(module.partition("=")[0] for module in options.lora_modules),
            nodes=options.nnodes,
            rank=options.node_rank,
            leader=options.master_addr,
            rendezvous_port=options.master_port,
        )
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="vllm serve", usage="vllm serve [model_tag] [options]", allow_abbrev=False)
    parser.add_argument("model_tag", nargs="?")
    parser.add_argument("--model", default="Qwen/Qwen3-0.6B")
    parser.add_argument("--served-model-name", nargs="+")
    parser.add_argument("--host")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--tensor-parallel-size", "-tp", type=int, default=1)
    parser.add_argument("--max-num-seqs", type=int)
    parser.add_argument("--max-num-batched-tokens", type=int)
    parser.add_argument("--max-model-len")
    parser.add_argument("--shutdown-timeout", type=float)
    parser.add_argument("--nnodes", "-n", type=int, default=1)
    parser.add_argument("--node-rank", "-r", type=int, default=0)
    parser.add_argument("--master-addr", default="127.0.0.1")
    parser.add_argument("--master-port", type=int, default=29501)
    parser.add_argument("--lora-modules", nargs="+", default=[])
    parser.add_argument("--custom-histogram-buckets", type=json.loads, default={})
    for name in VALUED.split():
        parser.add_argument(*([SHORT[name]] if name in SHORT else []), f"--{name}")
    for name in SWITCHES.split():
        parser.add_argument(f"--{name}", action=argparse.BooleanOptionalAction)
    return parser


def _edges(families: dict[str, list[float]]) -> dict[str, tuple[float, ...]]:
    """By latency. Raises SettingsError on what vLLM refuses: unknown families, edges that do not rise from above 0."""
    for family, edges in families.items():
        if family not in FAMILIES:
            raise SettingsError(f"--custom-histogram-buckets: {family} is unknown: use one of {', '.join(FAMILIES)}")
        if not edges or edges[0] <= 0 or sorted(set(edges)) != edges:
            raise SettingsError(f"--custom-histogram-buckets: edges of {family} must be positive and rise")
    return {FAMILIES[family]: tuple(edges) for family, edges in families.items()}


def _hyphenated(arguments: Sequence[str]) -> list[str]:
    """vLLM reads --max_num_seqs as --max-num-seqs."""
    spelled = []
    for argument in arguments:
        flag, equals, value = argument.partition("=")
        spelled.append(f"{flag.replace('_', '-')}{equals}{value}" if flag.startswith("--") else argument)
    return spelled
