"""One module per engine, all behind `base.Runtime`."""

from collections.abc import Mapping

from aifactory.api.spec import Engine, InferenceServiceSpec

from .base import MetricDialect, ModelServer, Mount, Runtime
from .nim import NIM
from .vllm import VLLM

RUNTIMES: Mapping[Engine, Runtime] = {Engine.VLLM: VLLM(), Engine.NIM: NIM()}

ENGINE_DIALECTS = tuple(dict.fromkeys(dialect for runtime in RUNTIMES.values() for dialect in runtime.dialects))


def dialects(spec: InferenceServiceSpec) -> tuple[MetricDialect, ...]:
    """The metric names that pods of this spec may speak."""
    return RUNTIMES[spec.runtime.engine].dialects


__all__ = ["ENGINE_DIALECTS", "RUNTIMES", "MetricDialect", "ModelServer", "Mount", "Runtime", "dialects"]
