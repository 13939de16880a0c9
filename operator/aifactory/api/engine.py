"""The engines, and what a spec may ask of each of them."""

from collections.abc import Mapping
from enum import StrEnum
from functools import reduce
from typing import Any

from pydantic.alias_generators import to_snake

from .checks import Check


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
_VLLM_FLAGS = (
    *("--model", "--served-model-name", "--host", "--port", "--tensor-parallel-size", "-tp"),
    *("--pipeline-parallel-size", "-pp", "--data-parallel-size", "-dp", "--enable-expert-parallel"),
    *("--shutdown-timeout", "--enable-lora", "--lora-modules"),
    *("--nnodes", "-n", "--node-rank", "-r", "--master-addr", "--master-port", "--headless"),
    "--distributed-executor-backend",
)
# Flags that the operator sets from other fields; a second value would contradict the object.
_OWNED_FLAGS: Mapping[Engine, tuple[str, ...]] = {
    Engine.VLLM: _VLLM_FLAGS,
    Engine.LLMD: _VLLM_FLAGS,
    Engine.NIM: _VLLM_FLAGS,
    Engine.SGLANG: (
        *("--model", "--model-path", "--served-model-name", "--host", "--port", "--tp", "--tp-size"),
        *("--tensor-parallel-size", "--pp", "--pp-size", "--pipeline-parallel-size", "--dp", "--dp-size"),
        *("--data-parallel-size", "--ep", "--ep-size", "--expert-parallel-size", "--enable-metrics"),
        *("--enable-lora", "--lora-paths", "--nnodes", "--node-rank", "--dist-init-addr", "--nccl-init-addr"),
    ),
    Engine.TRTLLM: ("--served-model-name", "--host", "--port", "--tp-size", "--pp-size", "--ep-size"),
    Engine.TRITON: (
        "--model-repository",
        "--model-store",
        "--http-port",
        "--metrics-port",
        "--allow-grpc",
        "--exit-timeout-secs",
    ),
    Engine.LLAMACPP: (
        *("-m", "--model", "-hf", "-hfr", "--hf-repo", "-hff", "--hf-file", "-a", "--alias", "--host", "--port"),
        *("--metrics", "-np", "--parallel"),
    ),
    Engine.DYNAMO: (
        *("--model", "--model-path", "--model-name", "--served-model-name", "--endpoint", "--num-workers"),
        *("--tensor-parallel-size", "-tp", "--tp", "--tp-size", "--disaggregation-mode", "--is-prefill-worker"),
        *("--is-decode-worker", "--disaggregation-bootstrap-port", "--disaggregation-transfer-backend"),
        *("--kv-transfer-config", "--discovery-backend", "--request-plane", "--event-plane", "--host", "--port"),
    ),
    Engine.CUSTOM: (),
}
_ROLE_ARGS = ("topology.disaggregated.prefill.args", "topology.disaggregated.decode.args")


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
        *(_free_of(engine, flags) for engine, flags in _OWNED_FLAGS.items() if flags),
        *(_free_of(Engine.DYNAMO, _OWNED_FLAGS[Engine.DYNAMO], path) for path in _ROLE_ARGS),
    )


def _only(path: str, engines: tuple[Engine, ...]) -> Check:
    return Check(
        cel=f"self.runtime.engine in {_texts(engines)} || !({_has(path)})",
        holds=lambda spec: spec.runtime.engine in engines or _at(spec, path) is None,
        message=f"only runtime.engine {_either(engines)} can be given this; remove it",
        field=path,
    )


def _needed(path: str, engines: tuple[Engine, ...]) -> Check:
    return Check(
        cel=f"!(self.runtime.engine in {_texts(engines)}) || ({_has(path)})",
        holds=lambda spec: spec.runtime.engine not in engines or _at(spec, path) is not None,
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


def _free_of(engine: Engine, flags: tuple[str, ...], path: str = "runtime.args") -> Check:
    return Check(
        cel=f"self.runtime.engine != '{engine}' || !({_has(path)}) || self.{path}.all(a, "
        f"!(a.split('=')[0].replace('_', '-') in {list(flags)}))",
        holds=lambda spec: (
            spec.runtime.engine != engine or not any(_flag(word) in flags for word in _at(spec, path) or ())
        ),
        message=f"must not contain {', '.join(flags)}: they follow other fields of the spec",
        field=path,
    )


def _flag(argument: str) -> str:
    """The flag of a command-line word as the engine reads it: without its value, `_` the same as `-`."""
    return argument.split("=")[0].replace("_", "-")


def _at(spec: Any, path: str) -> Any:
    """The value at a path of field names, None where one on the way is absent."""
    return reduce(lambda value, name: value and getattr(value, to_snake(name)), path.split("."), spec)


def _has(path: str) -> str:
    """CEL for: the field and all optional ones on the way to it are there."""
    names = path.split(".")
    return " && ".join(f"has(self.{'.'.join(names[:length])})" for length in range(2, len(names) + 1))


def _texts(engines: tuple[Engine, ...]) -> list[str]:
    return [engine.value for engine in engines]


def _either(words: tuple[str, ...]) -> str:
    return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))
