"""Engines by name: how long an iteration takes and what a replica holds, with the source of every number."""

from collections.abc import Mapping
from dataclasses import dataclass

from .batching import Limits, Timing


@dataclass(frozen=True, slots=True)
class EngineModel:
    """One replica: a model on its GPUs. `source` says where its numbers are from.

    To hand a prompt over to another replica takes `per_handed_token` seconds for each of its tokens. `model` and `gpu`
    are the names of what was measured, on so many `gpus`; None and 0 where it was no model or no GPU.
    """

    name: str
    timing: Timing
    limits: Limits
    source: str
    per_handed_token: float = 0.0
    model: str | None = None
    gpu: str | None = None
    gpus: int = 0

    @property
    def described(self) -> str:
        """For people, such as `Llama-3.1-8B on 1 H100`; the source alone where there is no such thing."""
        return f"{self.model} on {self.gpus} {self.gpu}" if self.gpus else self.source


# vLLM's defaults for an API server on a GPU of 70 GiB and more (vllm/engine/arg_utils.py, EngineArgs).
_BATCHED_TOKENS = 8192
_SEQUENCES = 1024
# Coefficients fitted to measured vLLM 0.8.4 servers, in microseconds for an iteration, a prefilled token and a decoding
# sequence, and the KV blocks of 16 tokens that vLLM reported: defaults.yaml of github.com/inference-sim/inference-sim.
# That fit has no term for the length of the context; reading the cached keys and values takes their bytes (config.json
# of the models: 128 and 320 KiB a token) over the memory bandwidth of the data sheets (H100 SXM: 3.35 TB/s, A100 80 GB
# SXM: 2.04 TB/s), divided among the GPUs. A replica that decodes what another has prefilled gets the same bytes over
# the network adapters of its GPUs, one of 400 Gb/s (H100) or 200 Gb/s (A100) for each (data sheets of DGX systems).
_FITTED = "inference-sim defaults.yaml (vLLM 0.8.4), config.json of the model, data sheet of the GPU"
# Where nobody has published a fit: that of Llama-3.3-70B times the parameters that each GPU holds and computes with
# (32.8 to 70.6 billion, model cards; on two GPUs in place of four). KV cache gets what the weights, two bytes for each
# parameter, leave of 90 % of the memory (vLLM's default), and 256 KiB hold a token (config.json of the model).
_SCALED = "inference-sim defaults.yaml for Llama-3.3-70B (vLLM 0.8.4), by parameters per GPU"
_PER_GPU = (32.8 / 2) / (70.6 / 4)

_KIB = 1024
_H100 = "H100", 3.35e12, 400e9 / 8
_A100 = "A100", 2.04e12, 200e9 / 8


def _fitted(
    name: str,
    model: str,
    microseconds: tuple[float, float, float],
    kv_bytes: int,
    gpu: tuple[str, float, float],
    kv_blocks: int,
    gpus: int = 1,
    source: str = _FITTED,
) -> EngineModel:
    """`gpu`: its name, bytes per second of its memory and of its network adapter; `kv_bytes` of a token."""
    product, *bytes_per_second = gpu
    base, prefill, decode = (value * 1e-6 for value in microseconds)
    limits = Limits(_SEQUENCES, _BATCHED_TOKENS, 16 * kv_blocks)
    read, handed = (kv_bytes / (gpus * one) for one in bytes_per_second)
    return EngineModel(name, Timing(base, decode, prefill, read), limits, source, handed, model, product, gpus)


_70B = (12601.3, 76.423, 66.844)
_32B = (_PER_GPU * _70B[0], _PER_GPU * _70B[1], _PER_GPU * _70B[2])
_32B_BLOCKS = int((0.9 * 2 * 80e9 - 2 * 32.8e9) // (16 * 256 * _KIB))
_MODELS = (
    _fitted("llama-3.1-8b-h100", "Llama-3.1-8B", (5752.7, 17.251, 5.999), 128 * _KIB, _H100, 29_205),
    _fitted("llama-3.1-8b-a100", "Llama-3.1-8B", (16441.5, 47.837, 18.206), 128 * _KIB, _A100, 29_205),
    _fitted("llama-3.3-70b-4xh100", "Llama-3.3-70B", _70B, 320 * _KIB, _H100, 128_273, gpus=4),
    _fitted("qwen3-32b-2xh100", "Qwen3-32B", _32B, 256 * _KIB, _H100, _32B_BLOCKS, gpus=2, source=_SCALED),
    EngineModel(
        "vllm-cpu",
        Timing(base=0.0067, per_decode=0.00026, per_prefill_token=3.3e-5, per_kv_token=8e-8),
        Limits(max_num_seqs=256, max_num_batched_tokens=4096, kv_tokens=262_144),
        "fitted to a sweep of vLLM 0.32.0 with a model of two layers on two CPU cores",
    ),
    EngineModel(
        "demo",
        Timing(base=0.020, per_decode=0.0022, per_prefill_token=0.0001, per_kv_token=1e-6),
        Limits(max_num_seqs=14, max_num_batched_tokens=512, kv_tokens=16_384),
        "invented: the model-server simulator of `make demo` at its default speed",
        per_handed_token=1e-5,
    ),
)
ENGINES: Mapping[str, EngineModel] = {model.name: model for model in _MODELS}
