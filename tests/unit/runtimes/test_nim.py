"""What a NIM container is told."""

import shlex

import modelserver.nim
import pytest
from aifactory.api.spec import InferenceServiceSpec
from aifactory.runtimes import ModelServer, vllm
from aifactory.runtimes.nim import DIALECT_1, MODEL_FREE_IMAGE, NIM
from modelserver.settings import Settings


def server(source=None, name="Meta/Llama-3", **spec) -> ModelServer:
    model = {"name": name} | ({"source": source} if source else {})
    runtime = {"engine": "nim"} | spec.pop("runtime", {})
    return NIM().server(InferenceServiceSpec.model_validate({"model": model, "runtime": runtime, **spec}))


def environment(container: ModelServer) -> dict[str, str]:
    return {variable["name"]: variable["value"] for variable in container.env if "value" in variable}


def references(container: ModelServer) -> dict[str, dict[str, str]]:
    return {v["name"]: v["valueFrom"]["secretKeyRef"] for v in container.env if "valueFrom" in v}


@pytest.mark.parametrize(
    ("source", "image"),
    [
        (None, "nvcr.io/nim/meta/llama-3:latest"),
        ({"ngc": {"authSecret": "ngc"}}, "nvcr.io/nim/meta/llama-3:latest"),
        ({"persistentVolumeClaim": {"name": "cache"}}, "nvcr.io/nim/meta/llama-3:latest"),
        ({"image": {}}, "nvcr.io/nim/meta/llama-3:latest"),
        ({"huggingFace": {"repo": "org/repo"}}, MODEL_FREE_IMAGE),
        ({"ngc": {"model": "org/team/model:1.0"}}, MODEL_FREE_IMAGE),
    ],
)
def test_default_image_fits_the_source(source, image):
    assert server(source).image == image


def test_users_image_wins():
    assert server({"huggingFace": {"repo": "org/repo"}}, runtime={"image": "mirror/nim:1"}).image == "mirror/nim:1"


@pytest.mark.parametrize(
    ("source", "path"),
    [
        (None, None),
        ({"ngc": {"authSecret": "ngc"}}, None),
        ({"huggingFace": {"repo": "org/repo"}}, "hf://org/repo"),
        ({"huggingFace": {"repo": "org/repo", "revision": "v2"}}, "hf://org/repo:v2"),
        ({"ngc": {"model": "org/team/model:1.0"}}, "ngc://org/team/model:1.0"),
        ({"image": {"path": "/weights"}}, "/weights"),
    ],
)
def test_model_path_is_set_only_when_the_image_does_not_know_its_model(source, path):
    assert environment(server(source)).get("NIM_MODEL_PATH") == path


def test_keys_are_references_to_secrets():
    ngc = references(server({"ngc": {"authSecret": "ngc"}}))
    hub = references(server({"huggingFace": {"repo": "o/r", "tokenSecret": "hub"}}))
    assert ngc == {"NGC_API_KEY": {"name": "ngc", "key": "NGC_API_KEY"}}
    assert hub == {"HF_TOKEN": {"name": "hub", "key": "HF_TOKEN"}}


def test_environment_means_what_the_spec_says():
    container = server(runtime={"port": 9000, "nimProfile": "abc"}, accelerator={"count": 4})
    settings = modelserver.nim.from_environment(Settings(), environment(container))
    assert (settings.model, settings.port, settings.gpus) == ("Meta/Llama-3", 9000, 4)
    assert (settings.profile, container.profile) == ("abc", "abc")


@pytest.mark.parametrize(("precision", "reported"), [("auto", None), ("fp8", "fp8")])
def test_the_precision_of_a_profile_is_reported_when_it_is_stated(precision, reported):
    model = {"name": "m", "precision": precision}
    spec = {"model": model, "runtime": {"engine": "nim", "nimProfile": "abc"}}
    assert NIM().server(InferenceServiceSpec.model_validate(spec)).precision == reported


def test_a_precision_limits_the_profiles_that_a_nim_chooses_from():
    asked = server(model={"name": "m", "precision": "fp8"}, accelerator={"count": 2})
    assert environment(asked)["NIM_TAGS_SELECTOR"] == "precision=fp8,tp=2"
    assert asked.precision == "fp8"
    assert "NIM_TAGS_SELECTOR" not in environment(server())


def test_a_named_profile_is_taken_as_it_is():
    named = server(model={"name": "m", "precision": "fp8"}, runtime={"nimProfile": "abc"})
    assert "NIM_TAGS_SELECTOR" not in environment(named)
    assert environment(named)["NIM_MODEL_PROFILE"] == "abc"


def test_the_port_is_set_under_the_names_of_all_versions():
    variables = environment(server(runtime={"port": 9000}))
    assert variables["NIM_SERVER_PORT"] == variables["NIM_HTTP_API_PORT"] == "9000"


def test_arguments_reach_the_engine_word_by_word():
    words = ["--max-model-len", "8192", "--chat-template", "it's $(a) path"]
    assert shlex.split(environment(server(runtime={"args": words}))["NIM_PASSTHROUGH_ARGS"]) == words


def test_the_image_keeps_its_entrypoint():
    assert (server().command, server().args) == ((), ())


@pytest.mark.parametrize(("timeout", "seconds"), [("0s", 5), ("2m", 120), ("90500ms", 91)])
def test_a_leaving_pod_serves_on_for_the_drain_timeout(timeout, seconds):
    assert server(drain={"timeout": timeout}).pre_stop_seconds == seconds


def test_the_cache_is_scratch_space_or_the_users_claim():
    (scratch,) = server().mounts
    (claim,) = server({"persistentVolumeClaim": {"name": "cache", "path": "llama"}}).mounts
    assert scratch.path == claim.path == environment(server())["NIM_CACHE_PATH"]
    assert scratch.source == {"emptyDir": {}}
    assert (claim.source, claim.sub_path, claim.read_only) == (
        {"persistentVolumeClaim": {"claimName": "cache"}},
        "llama",
        False,
    )


def test_both_metric_dialects_are_known():
    assert NIM().dialects == (DIALECT_1, vllm.DIALECT)
    assert DIALECT_1.time_to_first_token == "time_to_first_token_seconds"
