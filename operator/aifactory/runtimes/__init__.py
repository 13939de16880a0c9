"""One module per engine, all behind `base.Runtime`."""

from collections.abc import Mapping

from aifactory.api.spec import Engine

from .base import MetricDialect, ModelServer, Mount, Runtime
from .nim import NIM
from .vllm import VLLM

RUNTIMES: Mapping[Engine, Runtime] = {Engine.VLLM: VLLM(), Engine.NIM: NIM()}

__all__ = ["RUNTIMES", "MetricDialect", "ModelServer", "Mount", "Runtime"]
