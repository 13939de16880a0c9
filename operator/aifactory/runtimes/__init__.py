"""One module per engine, all behind `base.Runtime`."""

from collections.abc import Mapping

from aifactory.api.engine import Engine
from aifactory.api.scaling import ScalingSpec
from aifactory.api.spec import InferenceServiceSpec

from .base import MetricDialect, ModelServer, Mount, Runtime
from .custom import Custom, dialect
from .llamacpp import LlamaCpp
from .nim import NIM
from .sglang import SGLang
from .triton import Triton
from .trtllm import TRTLLM
from .vllm import VLLM

_BUSY_SHARE = 0.8
RUNTIMES: Mapping[Engine, Runtime] = {
    Engine.VLLM: VLLM(),
    Engine.NIM: NIM(),
    Engine.SGLANG: SGLang(),
    Engine.TRTLLM: TRTLLM(),
    Engine.TRITON: Triton(),
    Engine.LLAMACPP: LlamaCpp(),
    Engine.CUSTOM: Custom(),
}

ENGINE_DIALECTS = tuple(dict.fromkeys(dialect for runtime in RUNTIMES.values() for dialect in runtime.dialects))


def dialects(spec: InferenceServiceSpec) -> tuple[MetricDialect, ...]:
    """The metric names that pods of this spec may speak."""
    metrics = spec.runtime.metrics
    return (dialect(metrics),) if metrics else RUNTIMES[spec.runtime.engine].dialects


def scaling(spec: InferenceServiceSpec) -> ScalingSpec | None:
    """`spec.scaling`, with a limit of running requests from the engine where nothing else tells how busy it is.

    Some sequences stay free: with all of them taken, nothing shows that more replicas are needed but a queue.
    """
    sequences = RUNTIMES[spec.runtime.engine].server(spec).sequences
    if spec.scaling is None or sequences is None or spec.scaling.behavior.running_per_replica:
        return spec.scaling
    limit = max(1, int(_BUSY_SHARE * sequences))
    behavior = spec.scaling.behavior.model_copy(update={"running_per_replica": limit})
    return spec.scaling.model_copy(update={"behavior": behavior})


__all__ = ["ENGINE_DIALECTS", "RUNTIMES", "MetricDialect", "ModelServer", "Mount", "Runtime", "dialects", "scaling"]
