"""The workers of NVIDIA Dynamo: one command line per backend.

Flags are those that `python3 -m dynamo.<backend> --help` of Dynamo 1.6 lists; a disaggregated pair is started as in
NVIDIA's examples/backends/*/deploy/disagg.yaml.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from aifactory.api.dynamo import Backend
from aifactory.api.role import RoleName
from aifactory.api.spec import InferenceServiceSpec

from . import sglang, trtllm, vllm
from .base import MetricDialect
from .parts import given, model_location, revision, share

RELEASE = "1.6.0"
DIALECT = MetricDialect(
    running='dynamo_component_inflight_requests{dynamo_endpoint="generate"}',
    waiting="dynamo_work_handler_queue_depth",
    completed='dynamo_component_requests_total{dynamo_component="backend"}',
)
"""What Dynamo itself counts in every worker, after what the engine counts; prefill workers are another component."""

_BOOTSTRAP_PORT = 12345
Words = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Worker:
    """How a backend is started.

    `limits` maps fields of spec.runtime to flags. `split` are the further words of prefill and of decode workers beside
    `--disaggregation-mode`, `always` those of every worker. `mute` workers have no metrics of an engine.
    """

    image: str
    module: str
    model: str
    name: str
    tensor: str
    revision: str | None
    limits: Mapping[str, str]
    dialects: tuple[MetricDialect, ...]
    always: Words = ()
    split: Mapping[RoleName, Words] = field(default_factory=dict)
    mute: tuple[RoleName, ...] = ()

    def command(self) -> Words:
        """The program."""
        return "python3", "-m", self.module

    def flags(self, spec: InferenceServiceSpec, role: RoleName) -> Words:
        """Its flags, without the user's."""
        runtime = spec.runtime
        limits = {**runtime.model_dump(include=set(self.limits)), "memory_fraction": share(runtime.memory_fraction)}
        return (
            *(self.model, model_location(spec)),
            *(self.name, spec.model.name),
            *((self.tensor, str(spec.accelerator.tensor_parallel)) if self.tensor else ()),
            *(given(self.revision, revision(spec)) if self.revision else ()),
            *(word for name, flag in self.limits.items() for word in given(flag, limits[name])),
            *self.always,
            *self._part(role),
        )

    def dialects_of(self, role: RoleName) -> tuple[MetricDialect, ...]:
        """The metric names that its workers may speak."""
        return (*(() if role in self.mute else self.dialects), DIALECT)

    def _part(self, role: RoleName) -> Words:
        if role is RoleName.MODEL_SERVER:
            return ()
        return "--disaggregation-mode", role.value, *self.split.get(role, ())


def _image(name: str) -> str:
    return f"nvcr.io/nvidia/ai-dynamo/{name}:{RELEASE}"


def _both(*words: str) -> Mapping[RoleName, Words]:
    return {RoleName.PREFILL: words, RoleName.DECODE: words}


_VLLM_LIMITS = {
    "context_length": "--max-model-len",
    "max_sequences": "--max-num-seqs",
    "max_batched_tokens": "--max-num-batched-tokens",
    "memory_fraction": "--gpu-memory-utilization",
}
# vLLM's NixlConnector takes either side from the request (vLLM documentation, "NixlConnector Usage Guide").
_NIXL = ("--kv-transfer-config", json.dumps({"kv_connector": "NixlConnector", "kv_role": "kv_both"}))
_TRANSCEIVER = ("--override-engine-args", json.dumps({"cache_transceiver_config": {"backend": "DEFAULT"}}))

WORKERS: Mapping[Backend, Worker] = {
    Backend.VLLM: Worker(
        image=_image("vllm-runtime"),
        module="dynamo.vllm",
        model="--model",
        name="--served-model-name",
        tensor="--tensor-parallel-size",
        revision="--revision",
        limits=_VLLM_LIMITS,
        dialects=(vllm.DIALECT,),
        split=_both(*_NIXL),
    ),
    Backend.SGLANG: Worker(
        image=_image("sglang-runtime"),
        module="dynamo.sglang",
        model="--model-path",
        name="--served-model-name",
        tensor="--tp-size",
        revision="--revision",
        limits={
            "context_length": "--context-length",
            "max_sequences": "--max-running-requests",
            "max_batched_tokens": "--chunked-prefill-size",
            "memory_fraction": "--mem-fraction-static",
        },
        dialects=sglang.SGLang.dialects,
        always=("--enable-metrics",),
        split=_both(
            *("--disaggregation-transfer-backend", "nixl", "--host", "0.0.0.0"),  # noqa: S104
            *("--disaggregation-bootstrap-port", str(_BOOTSTRAP_PORT)),
        ),
    ),
    Backend.TRTLLM: Worker(
        image=_image("tensorrtllm-runtime"),
        module="dynamo.trtllm",
        model="--model",
        name="--served-model-name",
        tensor="--tensor-parallel-size",
        revision="--revision",
        limits={
            "context_length": "--max-seq-len",
            "max_sequences": "--max-batch-size",
            "max_batched_tokens": "--max-num-tokens",
            "memory_fraction": "--free-gpu-memory-fraction",
        },
        dialects=(trtllm.DIALECT,),
        always=("--publish-metrics",),
        split=_both(*_TRANSCEIVER),
    ),
    # It speaks vLLM's metrics. Any image of Dynamo has it.
    Backend.MOCKER: Worker(
        image=_image("vllm-runtime"),
        module="dynamo.mocker",
        model="--model-path",
        name="--model-name",
        tensor="",
        revision=None,
        limits=_VLLM_LIMITS,
        dialects=(vllm.DIALECT,),
        mute=(RoleName.PREFILL,),
    ),
}
