"""Flags of engines that follow from fields of a spec: its arguments must not give them another value."""

import re
from collections.abc import Callable, Collection, Container, Mapping
from dataclasses import dataclass
from typing import Any

from .checks import FLAG, Check, at, flag, has
from .engine import Engine

_Flags = Mapping[str, tuple[str, ...]]
_TWO_WORDS = re.compile(r"^--[^=\s]+\s")
_ROLE_ARGS = ("topology.disaggregated.prefill.args", "topology.disaggregated.decode.args")

# Flags that the operator always decides, by the field that they follow, if there is one.
_VLLM: _Flags = {
    "model.source": ("--model",),
    "model.name": ("--served-model-name",),
    "model.adapters": ("--enable-lora", "--lora-modules"),
    "runtime.port": ("--port",),
    "accelerator.count": ("--tensor-parallel-size", "-tp"),
    "accelerator.parallelism": (
        *("--pipeline-parallel-size", "-pp", "--data-parallel-size", "-dp", "--enable-expert-parallel"),
    ),
    "accelerator.nodes": (
        *("--nnodes", "-n", "--node-rank", "-r", "--master-addr", "--master-port", "--headless"),
        "--distributed-executor-backend",
    ),
    "drain.timeout": ("--shutdown-timeout",),
    "": ("--host",),
}
_DYNAMO: _Flags = {
    "model.source": ("--model", "--model-path"),
    "model.name": ("--model-name", "--served-model-name"),
    "runtime.port": ("--port",),
    "accelerator.count": ("--tensor-parallel-size", "-tp", "--tp", "--tp-size"),
    "topology.disaggregated": (
        *("--disaggregation-mode", "--is-prefill-worker", "--is-decode-worker", "--kv-transfer-config"),
        *("--disaggregation-bootstrap-port", "--disaggregation-transfer-backend"),
    ),
    "": (*("--endpoint", "--num-workers", "--discovery-backend", "--request-plane", "--event-plane", "--host"),),
}
_ALWAYS: Mapping[tuple[Engine, ...], _Flags] = {
    (Engine.VLLM, Engine.LLMD): _VLLM,
    # It has no field for parallelism: a profile decides.
    (Engine.NIM,): {**_VLLM, "runtime.nimProfile": _VLLM["accelerator.parallelism"], "accelerator.parallelism": ()},
    (Engine.SGLANG,): {
        "model.source": ("--model", "--model-path"),
        "model.name": ("--served-model-name",),
        "model.adapters": ("--enable-lora", "--lora-paths"),
        "runtime.port": ("--port",),
        "accelerator.count": ("--tp", "--tp-size", "--tensor-parallel-size"),
        "accelerator.parallelism": (
            *("--pp", "--pp-size", "--pipeline-parallel-size", "--dp", "--dp-size", "--data-parallel-size"),
            *("--ep", "--ep-size", "--expert-parallel-size"),
        ),
        "accelerator.nodes": ("--nnodes", "--node-rank", "--dist-init-addr", "--nccl-init-addr"),
        "": ("--host", "--enable-metrics"),
    },
    (Engine.TRTLLM,): {
        "model.name": ("--served-model-name",),
        "runtime.port": ("--port",),
        "accelerator.count": ("--tp-size",),
        "accelerator.parallelism": ("--pp-size", "--ep-size"),
        "": ("--host",),
    },
    (Engine.TRITON,): {
        "model.source": ("--model-repository", "--model-store"),
        "runtime.port": ("--http-port",),
        "drain.timeout": ("--exit-timeout-secs",),
        "": ("--metrics-port", "--allow-grpc"),
    },
    (Engine.LLAMACPP,): {
        "model.source": ("-m", "--model", "-hf", "-hfr", "--hf-repo", "-hff", "--hf-file"),
        "model.name": ("-a", "--alias"),
        "runtime.port": ("--port",),
        "runtime.maxSequences": ("-np", "--parallel"),
        "": ("--host", "--metrics"),
    },
    (Engine.DYNAMO,): _DYNAMO,
}


@dataclass(frozen=True, slots=True)
class _Setting:
    """A field that becomes flags of some engines where `cel`, or the same in Python, holds of the spec."""

    field: str
    cel: str
    holds: Callable[[Any], bool]
    flags: Mapping[Engine, tuple[str, ...]]


def _when_set(field: str, flags: Mapping[Engine, tuple[str, ...]]) -> _Setting:
    return _Setting(field, has(field), lambda spec: at(spec, field) is not None, flags)


def _vllms(*flags: str) -> Mapping[Engine, tuple[str, ...]]:
    return {Engine.VLLM: flags, Engine.LLMD: flags}


_SETTINGS = (
    _when_set(
        "runtime.contextLength",
        {
            **_vllms("--max-model-len"),
            Engine.NIM: ("--max-model-len",),
            Engine.SGLANG: ("--context-length",),
            Engine.TRTLLM: ("--max-seq-len",),
            Engine.LLAMACPP: ("-c", "--ctx-size"),
            Engine.DYNAMO: ("--max-model-len", "--context-length", "--max-seq-len"),
        },
    ),
    _when_set(
        "runtime.maxSequences",
        {
            **_vllms("--max-num-seqs"),
            Engine.SGLANG: ("--max-running-requests",),
            Engine.TRTLLM: ("--max-batch-size",),
            Engine.DYNAMO: ("--max-num-seqs", "--max-running-requests", "--max-batch-size"),
        },
    ),
    _when_set(
        "runtime.maxBatchedTokens",
        {
            **_vllms("--max-num-batched-tokens"),
            Engine.SGLANG: ("--chunked-prefill-size",),
            Engine.TRTLLM: ("--max-num-tokens",),
            Engine.DYNAMO: ("--max-num-batched-tokens", "--chunked-prefill-size", "--max-num-tokens"),
        },
    ),
    _when_set(
        "runtime.memoryFraction",
        {
            **_vllms("--gpu-memory-utilization"),
            Engine.SGLANG: ("--mem-fraction-static",),
            Engine.TRTLLM: ("--kv-cache-free-gpu-memory-fraction", "--free-gpu-memory-fraction"),
            Engine.DYNAMO: ("--gpu-memory-utilization", "--mem-fraction-static", "--free-gpu-memory-fraction"),
        },
    ),
    _when_set(
        "model.source.huggingFace.revision",
        {
            **_vllms("--revision"),
            Engine.SGLANG: ("--revision",),
            Engine.TRTLLM: ("--revision",),
            Engine.DYNAMO: ("--revision",),
        },
    ),
    _Setting(
        "runtime.kvCachePrecision",
        f"{has('runtime.kvCachePrecision')} && self.runtime.kvCachePrecision != 'auto'",
        lambda spec: spec.runtime.kv_cache_precision not in (None, "auto"),
        {**_vllms("--kv-cache-dtype"), Engine.SGLANG: ("--kv-cache-dtype",)},
    ),
    _Setting(
        "runtime.latencyBuckets",
        f"{has('runtime.latencyBuckets')} && self.runtime.latencyBuckets == 'Objectives'",
        lambda spec: spec.runtime.latency_buckets == "Objectives",
        {
            **_vllms("--custom-histogram-buckets"),
            Engine.SGLANG: (
                *("--bucket-time-to-first-token", "--bucket-inter-token-latency", "--bucket-e2e-request-latency"),
            ),
        },
    ),
    _Setting(
        "model.precision",
        "self.model.precision != 'auto'",
        lambda spec: spec.model.precision != "auto",
        {**_vllms("--quantization", "-q"), Engine.SGLANG: ("--quantization",)},
    ),
    _Setting(
        "model.precision",
        "self.model.precision == 'bf16'",
        lambda spec: spec.model.precision == "bf16",
        {**_vllms("--dtype"), Engine.SGLANG: ("--dtype",)},
    ),
)


def flag_checks() -> tuple[Check, ...]:
    """Rules on `InferenceServiceSpec`: no argument contradicts a field."""
    return (
        *(_always(engines, flags) for engines, flags in _ALWAYS.items()),
        *(_always((Engine.DYNAMO,), _DYNAMO, path) for path in _ROLE_ARGS),
        *(_one_word(path) for path in ("runtime.args", *_ROLE_ARGS)),
        *(_where(setting, "runtime.args", setting.flags) for setting in _SETTINGS),
        *(
            _where(setting, path, (Engine.DYNAMO,))
            for setting in _SETTINGS
            if Engine.DYNAMO in setting.flags
            for path in _ROLE_ARGS
        ),
    )


def _always(engines: tuple[Engine, ...], flags: _Flags, path: str = "runtime.args") -> Check:
    because = {flag: _because(field) for field, names in flags.items() for flag in names}
    listed = str(list(because))

    def told(spec: Any) -> str:
        flag = _first(spec, path, because)
        return f"must not contain {flag}: {because[flag]}"

    return Check(
        cel=f"!(self.runtime.engine in {[engine.value for engine in engines]}) || {_free_cel(path, listed)}",
        holds=lambda spec: spec.runtime.engine not in engines or not _first(spec, path, because),
        message=f"must not contain flags that {' and '.join(engines)} get from other fields of the spec",
        field=path,
        told=told,
        told_cel=_told_cel(path, listed, f"{because}[a]"),
    )


def _one_word(path: str) -> Check:
    """An engine takes `--flag value` in one item for a flag that it does not know, and ends once it has a GPU."""
    two_words = f"a.matches(r'{_TWO_WORDS.pattern}')"

    def first(spec: Any) -> str:
        return next((flag(word).split()[0] for word in at(spec, path) or () if _TWO_WORDS.match(word)), "")

    return Check(
        cel=f"self.runtime.engine == '{Engine.CUSTOM}' || !({has(path)}) || !self.{path}.exists(a, {two_words})",
        holds=lambda spec: spec.runtime.engine is Engine.CUSTOM or not first(spec),
        message="must have a flag and its value as two list items, or joined by =",
        field=path,
        told=lambda spec: f"must have {first(spec)} and its value as two list items, or joined by =",
        admission=True,
    )


def _where(setting: _Setting, path: str, engines: Collection[Engine]) -> Check:
    flags = {engine: names for engine, names in setting.flags.items() if engine in engines}
    because = _because(setting.field)
    listed = str({engine.value: list(names) for engine, names in flags.items()})
    of_engine = f"{listed}[self.runtime.engine]"
    return Check(
        cel=f"!({setting.cel}) || !(self.runtime.engine in {listed}) || {_free_cel(path, of_engine)}",
        holds=lambda spec: not setting.holds(spec) or not _first(spec, path, flags.get(spec.runtime.engine, ())),
        message=f"must not contain the flag that {setting.field} becomes",
        field=path,
        told=lambda spec: f"must not contain {_first(spec, path, flags[spec.runtime.engine])}: {because}",
        told_cel=_told_cel(path, of_engine, f"'{because}'"),
        admission=True,
    )


def _because(field: str) -> str:
    return f"it follows {field}" if field else "the operator sets it"


def _first(spec: Any, path: str, flags: Container[str]) -> str:
    """The first of the flags that the arguments at a path contain; empty if they contain none."""
    return next((found for found in map(flag, at(spec, path) or ()) if found in flags), "")


def _free_cel(path: str, flags: str) -> str:
    return f"!({has(path)}) || self.{path}.all(a, !({FLAG} in {flags}))"


def _told_cel(path: str, flags: str, because: str) -> str:
    words = f"self.{path}.map(a, {FLAG}).filter(a, a in {flags})"
    return f"{words}.map(a, 'must not contain ' + a + ': ' + {because})[0]"
