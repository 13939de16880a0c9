"""The engines, and what a spec may ask of each of them."""

from collections.abc import Mapping
from enum import StrEnum

from .checks import Check, at, has


class Engine(StrEnum):
    """The program that serves the model."""

    VLLM = "vllm"
    NIM = "nim"
    SGLANG = "sglang"
    TRTLLM = "trtllm"
    TRITON = "triton"
    LLAMACPP = "llamacpp"
    LLMD = "llmd"
    DYNAMO = "dynamo"
    CUSTOM = "custom"


TRITON_METRICS_PORT = 8002
_VLLMS = (Engine.VLLM, Engine.LLMD)
_SERVERS = (*_VLLMS, Engine.SGLANG, Engine.TRTLLM)
# Fields below spec that only some engines understand.
_ONLY: Mapping[str, tuple[Engine, ...]] = {
    "model.source.ngc": (Engine.NIM,),
    "model.source.huggingFace": (*_SERVERS, Engine.NIM, Engine.LLAMACPP, Engine.DYNAMO),
    "model.source.huggingFace.file": (Engine.LLAMACPP,),
    "model.adapters": (*_VLLMS, Engine.SGLANG, Engine.NIM),
    "runtime.nimProfile": (Engine.NIM,),
    "runtime.endpointPicker": (Engine.LLMD,),
    "runtime.command": (Engine.CUSTOM,),
    "runtime.probes": (Engine.CUSTOM,),
    "runtime.healthPort": (Engine.NIM, Engine.CUSTOM),
    "runtime.dynamo": (Engine.DYNAMO,),
    # A canary would be one of the frontends, which compute nothing.
    "rollout.canary": tuple(engine for engine in Engine if engine is not Engine.DYNAMO),
    "topology.disaggregated": (Engine.DYNAMO,),
    "runtime.contextLength": (*_SERVERS, Engine.NIM, Engine.LLAMACPP, Engine.DYNAMO),
    "runtime.maxSequences": (*_SERVERS, Engine.LLAMACPP, Engine.DYNAMO),
    "runtime.maxBatchedTokens": (*_SERVERS, Engine.DYNAMO),
    "runtime.kvCachePrecision": (*_VLLMS, Engine.SGLANG),
    "runtime.memoryFraction": (*_SERVERS, Engine.DYNAMO),
    "runtime.latencyBuckets": (*_VLLMS, Engine.SGLANG),
    "accelerator.parallelism": _SERVERS,
    "accelerator.parallelism.data": (*_VLLMS, Engine.SGLANG),
}
# Engines whose pods find each other by arguments alone. Others start workers by MPI over ssh, or by scripts around Ray.
_MULTI_NODE = (Engine.VLLM, Engine.SGLANG, Engine.CUSTOM)
# Fields below spec that some engines cannot do without.
_NEEDED: Mapping[str, tuple[Engine, ...]] = {
    "model.source": (Engine.TRITON,),
    "runtime.image": (Engine.CUSTOM,),
    "runtime.metrics": (Engine.CUSTOM,),
}
# Number formats that can be asked of an engine beside `auto`, which leaves the choice to the weights or the image.
# Engines that are not named here take all.
_PRECISIONS: Mapping[Engine, tuple[str, ...]] = {
    Engine.NIM: ("bf16", "fp8", "nvfp4", "mxfp4"),
    Engine.SGLANG: ("bf16", "fp8", "nvfp4", "mxfp4"),
    Engine.TRTLLM: (),
    Engine.TRITON: (),
    Engine.LLAMACPP: (),
    Engine.DYNAMO: (),
    Engine.CUSTOM: (),
}


def takes(engine: Engine, path: str) -> bool:
    """Whether a spec with this engine may have the field at a path below spec."""
    return engine in _ONLY.get(path, (engine,))


def engine_checks() -> tuple[Check, ...]:
    """Rules on `InferenceServiceSpec` that follow from its engine."""
    return (
        *(_only(path, engines) for path, engines in _ONLY.items()),
        *(_needed(path, engines) for path, engines in _NEEDED.items()),
        Check(
            cel=f"self.runtime.engine != 'triton' || self.runtime.port != {TRITON_METRICS_PORT}",
            holds=lambda spec: spec.runtime.engine != Engine.TRITON or spec.runtime.port != TRITON_METRICS_PORT,
            message=f"{TRITON_METRICS_PORT} is where Triton has its metrics; use another port",
            field="runtime.port",
        ),
        Check(
            cel="self.runtime.engine != 'nim' || !has(self.model.adapters) || "
            "self.model.adapters.all(a, has(a.persistentVolumeClaim))",
            holds=lambda spec: (
                spec.runtime.engine != Engine.NIM
                or all(adapter.persistent_volume_claim for adapter in spec.model.adapters or ())
            ),
            message="a NIM reads adapters from a persistentVolumeClaim only",
            field="model.adapters",
        ),
        Check(
            cel=f"self.accelerator.nodes == 1 || self.runtime.engine in {_texts(_MULTI_NODE)}",
            holds=lambda spec: spec.accelerator.nodes == 1 or spec.runtime.engine in _MULTI_NODE,
            message=f"only runtime.engine {_either(_MULTI_NODE)} can span nodes here; others need MPI or Ray to start "
            "their workers: use nodes 1",
            field="accelerator.nodes",
        ),
        Check(
            cel="self.runtime.engine != 'sglang' || self.accelerator.nodes == 1 || !has(self.accelerator.parallelism) "
            "|| !has(self.accelerator.parallelism.data) || self.accelerator.parallelism.data == 1",
            holds=lambda spec: (
                spec.runtime.engine != Engine.SGLANG
                or spec.accelerator.nodes == 1
                or spec.accelerator.data_parallel == 1
            ),
            message="SGLang has no data parallelism across nodes: use more replicas, or nodes 1",
            field="accelerator.parallelism.data",
        ),
        *(_precision(engine, ("auto", *others)) for engine, others in _PRECISIONS.items()),
    )


def _only(path: str, engines: tuple[Engine, ...]) -> Check:
    return Check(
        cel=f"self.runtime.engine in {_texts(engines)} || !({has(path)})",
        holds=lambda spec: spec.runtime.engine in engines or at(spec, path) is None,
        message=f"only runtime.engine {_either(engines)} can be given this; remove it",
        field=path,
    )


def _needed(path: str, engines: tuple[Engine, ...]) -> Check:
    return Check(
        cel=f"!(self.runtime.engine in {_texts(engines)}) || ({has(path)})",
        holds=lambda spec: spec.runtime.engine not in engines or at(spec, path) is not None,
        message=f"runtime.engine {_either(engines)} needs {path}",
        field=path.partition(".")[0],
    )


def _precision(engine: Engine, allowed: tuple[str, ...]) -> Check:
    return Check(
        cel=f"self.runtime.engine != '{engine}' || self.model.precision in {list(allowed)}",
        holds=lambda spec: spec.runtime.engine != engine or spec.model.precision in allowed,
        message=f"with runtime.engine {engine} must be {_either(allowed)}: other formats come with the weights",
        field="model.precision",
    )


def _texts(engines: tuple[Engine, ...]) -> list[str]:
    return [engine.value for engine in engines]


def _either(words: tuple[str, ...]) -> str:
    return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))
