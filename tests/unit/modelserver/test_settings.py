"""A server understands the command line and the variables that the real engines get."""

from pathlib import Path

import pytest
from modelserver import nim, vllm
from modelserver.__main__ import resolve
from modelserver.settings import Settings, SettingsError, from_environment, from_flags


def test_the_command_line_of_vllm_sets_what_it_says() -> None:
    arguments = (
        "meta/llama --served-model-name chat --tensor-parallel-size 2 --quantization fp8 --shutdown-timeout 30 "
        "--port 9000 --max-model-len 8192 --max-num-seqs=32 --no-enable-prefix-caching --kv-cache-dtype auto"
    )

    settings = vllm.serve(Settings(), arguments.split())

    assert (settings.dialect, settings.model, settings.port) == ("vllm", "chat", 9000)
    assert (settings.gpus, settings.shutdown_timeout, settings.max_num_seqs) == (2, 30.0, 32)


def test_without_a_served_name_vllm_serves_the_model_under_its_own() -> None:
    assert vllm.serve(Settings(), ["meta/llama"]).model == "meta/llama"


def test_vllm_reads_underscores_in_flags_as_hyphens() -> None:
    assert vllm.serve(Settings(), ["m", "--max_num_seqs=3"]).max_num_seqs == 3


def test_vllm_aborts_on_shutdown_unless_told_otherwise() -> None:
    assert vllm.serve(Settings(), ["m"]).shutdown_timeout == 0
    assert vllm.serve(from_environment({"MODELSERVER_SHUTDOWN_TIMEOUT": "7"}), ["m"]).shutdown_timeout == 7


def test_nim_reads_its_variables() -> None:
    settings = nim.from_environment(
        Settings(),
        {
            "NIM_SERVED_MODEL_NAME": "chat",
            "NIM_SERVER_PORT": "9000",
            "NIM_HTTP_API_PORT": "9001",
            "NIM_TENSOR_PARALLEL_SIZE": "4",
            "NIM_MODEL_PROFILE": "abc",
            "NIM_CACHE_PATH": "/cache",
        },
    )

    assert (settings.dialect, settings.model, settings.port, settings.gpus) == ("nim2", "chat", 9000, 4)
    assert (settings.profile, settings.cache_path) == ("abc", "/cache")


def test_a_nim_variable_that_is_no_number_is_named() -> None:
    with pytest.raises(SettingsError, match="NIM_SERVER_PORT must be a positive integer, not 'http'"):
        nim.from_environment(Settings(), {"NIM_SERVER_PORT": "http"})


def test_the_image_becomes_a_nim_where_nim_variables_are_set_and_writes_its_cache(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NIM_CACHE_PATH", str(tmp_path / "cache"))
    monkeypatch.setenv("MODELSERVER_DIALECT", "nim1")

    assert resolve([]).dialect == "nim1"
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["modelserver.json"]


def test_the_image_takes_the_arguments_of_vllm_as_its_entrypoint_does() -> None:
    assert resolve(["serve", "m", "--port", "1"]) == resolve(["m", "--port", "1"])


def test_variables_set_the_simulation() -> None:
    settings = from_environment({"MODELSERVER_SPEED": "instant", "MODELSERVER_GPUS": "3", "MODELSERVER_FAULTS": "1"})

    assert (settings.base_seconds, settings.gpus, settings.faults) == (0.001, 3, True)


def test_flags_win_over_variables() -> None:
    settings = from_flags(from_environment({"MODELSERVER_GPUS": "3"}), ["--gpus", "2", "--model", "m"])

    assert (settings.gpus, settings.model) == (2, "m")


def test_variables_that_kubernetes_injects_for_a_service_of_that_name_are_passed_over() -> None:
    injected = {"MODELSERVER_PORT": "tcp://10.0.0.1:8000", "MODELSERVER_SERVICE_HOST": "10.0.0.1"}

    assert from_environment(injected) == Settings()


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"MODELSERVER_SPEEDD": "demo"}, "MODELSERVER_SPEEDD is not a setting: use one of"),
        ({"MODELSERVER_SPEED": "warp"}, "MODELSERVER_SPEED 'warp' is unknown: use one of demo"),
        ({"MODELSERVER_GPUS": "two"}, "MODELSERVER_GPUS must be a number"),
        ({"MODELSERVER_GPUS": "0"}, "gpus must be at least 1, not 0"),
        ({"MODELSERVER_FAULTS": "yes"}, "MODELSERVER_FAULTS must be 0 or 1"),
        ({"MODELSERVER_DIALECT": "tgi"}, "dialect 'tgi' is unknown: use one of auto, vllm"),
        ({"MODELSERVER_STARTUP_SECONDS": "-1"}, "startup_seconds must not be negative"),
    ],
)
def test_a_wrong_variable_is_named_with_what_would_do(variables: dict[str, str], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        from_environment(variables)
