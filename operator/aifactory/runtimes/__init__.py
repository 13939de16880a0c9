"""One module per engine, all behind `base.Runtime`."""

from collections.abc import Mapping
from dataclasses import replace

from aifactory.api.engine import Engine
from aifactory.api.inferenceservice import InferenceService

from .activator import Activation, activator
from .base import BETWEEN, Discovery, MetricDialect, ModelServer, Mount, Role, Runtime
from .custom import Custom, dialect
from .dynamo import Dynamo
from .llamacpp import LlamaCpp
from .llmd import LLMD, endpoint_picker
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
    Engine.LLMD: LLMD(),
    Engine.DYNAMO: Dynamo(),
    Engine.CUSTOM: Custom(),
}

ENGINE_DIALECTS = tuple(dict.fromkeys(dialect for runtime in RUNTIMES.values() for dialect in runtime.dialects))


def roles(service: InferenceService) -> tuple[Role, ...]:
    """What the service is made of; clients talk to the first."""
    return tuple(map(_measurable, RUNTIMES[service.spec.runtime.engine].roles(service)))


def _measurable(role: Role) -> Role:
    """With the metric names of the spec, and a limit of running requests where nothing else tells how busy a pod is.

    Some sequences stay free: with all of them taken, nothing shows that more replicas are needed but a queue.
    """
    metrics, scaling, sequences = role.spec.runtime.metrics, role.spec.scaling, role.server.sequences
    if metrics and role.accelerated:
        role = replace(role, dialects=(dialect(metrics),))
    if scaling is None or sequences is None or scaling.behavior.running_per_replica:
        return role
    limit = max(1, int(_BUSY_SHARE * sequences))
    behavior = scaling.behavior.model_copy(update={"running_per_replica": limit})
    spec = role.spec.model_copy(update={"scaling": scaling.model_copy(update={"behavior": behavior})})
    return replace(role, service=role.service.model_copy(update={"spec": spec}))


__all__ = [
    "BETWEEN",
    "ENGINE_DIALECTS",
    "RUNTIMES",
    "Activation",
    "Discovery",
    "MetricDialect",
    "ModelServer",
    "Mount",
    "Role",
    "Runtime",
    "activator",
    "endpoint_picker",
    "roles",
]
