"""What a field of the spec is turned into cannot be said a second time in the arguments."""

import re
from typing import Any

import pytest
from aifactory.api.engine import Engine, takes
from aifactory.api.inferenceservice import InferenceService
from aifactory.api.meta import STORED
from aifactory.api.owner import ObjectMeta
from aifactory.api.spec import InferenceServiceSpec
from aifactory.runtimes import roles
from pydantic import ValidationError

SETTINGS: dict[str, Any] = {
    "contextLength": 4096,
    "maxSequences": 64,
    "maxBatchedTokens": 2048,
    "memoryFraction": "90%",
    "kvCachePrecision": "fp8",
    "latencyBuckets": "Objectives",
}
# What the operator has to say to engines whatever a spec asks for, and a user may say in another way.
OPEN = {"--extra-llm-api-options", "--publish-metrics", "--enable-metrics", "--override-engine-args"}
LATENCIES = ("timeToFirstToken", "interTokenLatency", "endToEndLatency")
GOAL = {"target": "1s"}
ADAPTERS = [{"name": "sql", "persistentVolumeClaim": {"name": "loras"}}]
SPLIT = {"disaggregated": {}}
ENGINES = {
    **{name: {"engine": name} for name in ("vllm", "llmd", "sglang", "trtllm", "triton", "llamacpp")},
    **{f"dynamo-{name}": {"engine": "dynamo", "dynamo": {"backend": name}} for name in ("vllm", "sglang", "trtllm")},
}


def spec(runtime: dict[str, Any], precision: str, nodes: int) -> dict[str, Any]:
    """Everything that becomes a flag of an engine."""
    engine, taken = runtime["engine"], Engine(runtime["engine"])
    limits = {name: value for name, value in SETTINGS.items() if takes(taken, f"runtime.{name}")}
    parallel = {"pipeline": 2, "expert": True} | ({"data": 2} if engine != "trtllm" and nodes == 1 else {})
    source = {"huggingFace": {"repo": "a/b", "revision": "main"}}
    return {
        "model": {
            "name": "served",
            "source": source if takes(taken, "model.source.huggingFace") else {"image": {"path": "/models"}},
            **({"precision": precision} if engine in ("vllm", "llmd", "sglang") else {}),
            **({"adapters": ADAPTERS} if takes(taken, "model.adapters") else {}),
        },
        "runtime": limits | runtime,
        **({"topology": SPLIT} if engine == "dynamo" else {}),
        "accelerator": {
            "count": 8,
            **({"parallelism": parallel} if takes(taken, "accelerator.parallelism") else {}),
            **({"nodes": nodes} if engine in ("vllm", "sglang") else {}),
        },
        "slo": {"objectives": dict.fromkeys(LATENCIES, GOAL)},
    }


def flags(asked: dict[str, Any]) -> set[str]:
    """Every flag of every model server, as engines read it."""
    service = InferenceService(metadata=ObjectMeta(name="chat"), spec=InferenceServiceSpec.model_validate(asked))
    words = [word for role in roles(service) if role.accelerated for word in role.server.args]
    return {word.split("=")[0].replace("_", "-") for word in words if re.match("--?[a-z]", word)}


@pytest.mark.parametrize(("precision", "nodes"), [("bf16", 1), ("fp8", 2)])
@pytest.mark.parametrize("runtime", ENGINES.values(), ids=ENGINES)
def test_a_flag_that_the_operator_gives_is_refused_by_its_name(
    runtime: dict[str, Any], precision: str, nodes: int
) -> None:
    given = flags(spec(runtime, precision, nodes)) - OPEN
    assert given
    for flag in given:
        with pytest.raises(ValidationError, match=f"must not contain {flag}: (it follows|the operator sets)"):
            InferenceServiceSpec.model_validate(spec(runtime | {"args": ["--seed", f"{flag}=1"]}, precision, nodes))


def test_a_stored_service_goes_on_with_an_argument_that_a_later_rule_refuses() -> None:
    runtime = {"engine": "vllm", "contextLength": 8192, "args": ["--max-model-len=4096"]}
    raw = {"metadata": {"name": "chat", "namespace": "n"}, "spec": {"model": {"name": "m"}, "runtime": runtime}}
    with pytest.raises(ValidationError, match=r"it follows runtime\.contextLength"):
        InferenceService.model_validate(raw)
    assert InferenceService.model_validate(raw, context=STORED).spec.runtime.args == ["--max-model-len=4096"]
    owned = {**raw, "spec": {**raw["spec"], "runtime": {"engine": "vllm", "args": ["--port=1"]}}}
    with pytest.raises(ValidationError, match="--port"):
        InferenceService.model_validate(owned, context=STORED)
