"""What `vllm serve` is told."""

from pathlib import Path

import modelserver.vllm
import pytest
from aifactory.api.spec import InferenceServiceSpec
from aifactory.runtimes import ModelServer
from aifactory.runtimes.vllm import DIALECT, VLLM
from modelserver.settings import Settings

RECORDING = Path(__file__).parents[2] / "modelserver" / "data" / "vllm-0.32.0.prom"


def server(source=None, precision="auto", **spec) -> ModelServer:
    model = {"name": "served", "precision": precision} | ({"source": source} if source else {})
    runtime = {"engine": "vllm"} | spec.pop("runtime", {})
    return VLLM().server(InferenceServiceSpec.model_validate({"model": model, "runtime": runtime, **spec}))


def environment(container: ModelServer) -> dict[str, str | None]:
    return {variable["name"]: variable.get("value") for variable in container.env}


@pytest.mark.parametrize(
    ("source", "model"),
    [
        (None, "served"),
        ({"huggingFace": {"repo": "org/repo"}}, "org/repo"),
        ({"persistentVolumeClaim": {"name": "weights"}}, "/models"),
        ({"persistentVolumeClaim": {"name": "weights", "path": "llama/8b"}}, "/models/llama/8b"),
        ({"image": {"path": "/weights"}}, "/weights"),
    ],
)
def test_model_is_loaded_from_its_source_and_served_under_its_name(source, model):
    container = server(source)
    assert container.command == ("vllm", "serve", model)
    assert container.args[:2] == ("--served-model-name", "served")


@pytest.mark.parametrize(
    ("precision", "flags"),
    [
        ("auto", ()),
        ("bf16", ("--dtype", "bfloat16")),
        ("fp8", ("--quantization", "fp8")),
        ("nvfp4", ("--quantization", "modelopt_fp4")),
        ("mxfp4", ("--quantization", "mxfp4")),
        ("int4", ("--quantization", "compressed-tensors")),
    ],
)
def test_precision_becomes_flags(precision, flags):
    plain = server().args
    assert server(precision=precision).args == (*plain[:-2], *flags, *plain[-2:])


def test_precision_is_reported_only_when_asked_for():
    assert server().precision is None
    assert server(precision="fp8").precision == "fp8"


def test_revision_is_pinned_when_given():
    container = server({"huggingFace": {"repo": "org/repo", "revision": "v2"}})
    assert "--revision v2" in " ".join(container.args)


def test_users_arguments_come_last_word_by_word():
    assert server(runtime={"args": ["--max-model-len", "8 192; rm"]}).args[-2:] == ("--max-model-len", "8 192; rm")


def test_command_line_means_what_the_spec_says():
    container = server(precision="fp8", runtime={"port": 9000}, accelerator={"count": 4}, drain={"timeout": "1500ms"})
    settings = modelserver.vllm.serve(Settings(), [*container.command[2:], *container.args])
    assert (settings.model, settings.port, settings.gpus) == ("served", 9000, 4)
    assert settings.shutdown_timeout == container.shutdown_seconds == 2


def test_token_is_a_reference_to_the_secret():
    (token,) = [
        v for v in server({"huggingFace": {"repo": "o/r", "tokenSecret": "hub"}}).env if v["name"] == "HF_TOKEN"
    ]
    assert token == {"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": {"name": "hub", "key": "HF_TOKEN"}}}


@pytest.mark.parametrize("source", [{"persistentVolumeClaim": {"name": "weights"}}, {"image": {"path": "/weights"}}])
def test_local_weights_need_no_hub(source):
    assert environment(server(source))["HF_HUB_OFFLINE"] == "1"


@pytest.mark.parametrize("source", [None, {"huggingFace": {"repo": "org/repo"}}])
def test_remote_weights_may_use_the_hub(source):
    assert "HF_HUB_OFFLINE" not in environment(server(source))


def test_a_claim_is_mounted_read_only():
    (claim,) = [m for m in server({"persistentVolumeClaim": {"name": "weights"}}).mounts if m.path == "/models"]
    assert claim.read_only
    assert claim.source == {"persistentVolumeClaim": {"claimName": "weights", "readOnly": True}}


def test_metric_names_are_those_of_a_recorded_server():
    samples = {line.split("{")[0].split(" ")[0] for line in RECORDING.read_text().splitlines()}
    for histogram in (DIALECT.time_to_first_token, DIALECT.inter_token_latency, DIALECT.end_to_end_latency):
        assert f"{histogram}_bucket" in samples
    assert {
        *(DIALECT.running, DIALECT.waiting, DIALECT.kv_cache_usage),
        *(DIALECT.completed, DIALECT.prompt_tokens, DIALECT.generation_tokens),
    } <= samples
