"""What SGLang, TensorRT-LLM, Triton, llama.cpp and images of one's own are told."""

from pathlib import Path
from typing import Any

import modelserver.commands
import modelserver.nim
import modelserver.vllm
import pytest
from aifactory.api.engine import Engine
from aifactory.api.inferenceservice import InferenceService
from aifactory.api.owner import ObjectMeta
from aifactory.api.spec import InferenceServiceSpec
from aifactory.runtimes import RUNTIMES, ModelServer, Role, roles
from modelserver.settings import Settings

WITHOUT_LIMIT = modelserver.commands.WITHOUT_LIMIT


def spec_of(engine: str, source: Any = None, model: Any = None, **spec: Any) -> InferenceServiceSpec:
    named = {"name": "served"} | (model or {}) | ({"source": source} if source else {})
    runtime = {"engine": engine} | spec.pop("runtime", {})
    return InferenceServiceSpec.model_validate({"model": named, "runtime": runtime, **spec})


def role(engine: str, **spec: Any) -> Role:
    """The only role of an engine."""
    metadata = ObjectMeta(name="served")
    (found,) = roles(InferenceService(metadata=metadata, spec=spec_of(engine, **spec)))
    return found


def server(engine: str, source: Any = None, model: Any = None, **spec: Any) -> ModelServer:
    return RUNTIMES[Engine(engine)].server(spec_of(engine, source, model, **spec))


def environment(container: ModelServer) -> dict[str, Any]:
    return {variable["name"]: variable.get("value", variable.get("valueFrom")) for variable in container.env}


def text(container: ModelServer) -> str:
    return " ".join((*container.command, *container.args))


CLAIM = {"persistentVolumeClaim": {"name": "weights", "path": "llama/8b"}}


@pytest.mark.parametrize(
    ("source", "location"),
    [
        (None, "served"),
        ({"huggingFace": {"repo": "org/repo"}}, "org/repo"),
        (CLAIM, "/models/llama/8b"),
        ({"image": {"path": "/weights"}}, "/weights"),
    ],
)
@pytest.mark.parametrize(
    ("engine", "way"), [("vllm", "vllm serve {}"), ("sglang", "--model-path {}"), ("trtllm", "trtllm-serve {}")]
)
def test_the_model_is_loaded_from_its_source(engine: str, way: str, source: Any, location: str) -> None:
    assert way.format(location) in text(server(engine, source))


@pytest.mark.parametrize(
    ("source", "model"),
    [
        (None, "--hf-repo served"),
        ({"huggingFace": {"repo": "org/repo-GGUF"}}, "--hf-repo org/repo-GGUF"),
        ({"huggingFace": {"repo": "org/r", "file": "q8.gguf"}}, "--hf-repo org/r --hf-file q8.gguf"),
        ({"persistentVolumeClaim": {"name": "weights", "path": "a.gguf"}}, "--model /models/a.gguf"),
        ({"image": {"path": "/a.gguf"}}, "--model /a.gguf"),
    ],
)
def test_llama_cpp_reads_gguf_files(source: Any, model: str) -> None:
    assert text(server("llamacpp", source)).startswith(f"{model} --alias served")


@pytest.mark.parametrize("engine", ["vllm", "sglang", "trtllm"])
def test_local_weights_need_no_hub_and_adapters_of_the_hub_do(engine: str) -> None:
    assert environment(server(engine, CLAIM))["HF_HUB_OFFLINE"] == "1"
    assert "HF_HUB_OFFLINE" not in environment(server(engine))
    if engine != "trtllm":
        adapters = {"adapters": [{"name": "sql", "huggingFace": {"repo": "acme/sql"}}]}
        assert "HF_HUB_OFFLINE" not in environment(server(engine, CLAIM, adapters))


@pytest.mark.parametrize("engine", ["vllm", "sglang", "trtllm", "llamacpp"])
def test_the_token_is_a_reference_to_the_secret(engine: str) -> None:
    container = server(engine, {"huggingFace": {"repo": "org/repo", "tokenSecret": "hub"}})
    assert environment(container)["HF_TOKEN"] == {"secretKeyRef": {"name": "hub", "key": "HF_TOKEN"}}


EIGHT = {"count": 8, "parallelism": {"data": 2, "pipeline": 2, "expert": True}}
EIGHT_WITHOUT_DATA = {"count": 8, "parallelism": {"pipeline": 2, "expert": True}}


def test_gpus_are_shared_out_between_the_kinds_of_parallelism() -> None:
    vllm, sglang = text(server("vllm", accelerator=EIGHT)), text(server("sglang", accelerator=EIGHT))
    trtllm = text(server("trtllm", accelerator=EIGHT_WITHOUT_DATA))
    assert "--tensor-parallel-size 2 --pipeline-parallel-size 2 --data-parallel-size 2 --enable-expert-parallel" in vllm
    assert "--tp-size 2 --pp-size 2 --dp-size 2 --ep-size 2" in sglang
    assert "--tp_size 4 --pp_size 2 --ep_size 4" in trtllm


def test_without_parallelism_all_gpus_are_tensor_parallel() -> None:
    assert "--tp-size 4 --enable-metrics" in text(server("sglang", accelerator={"count": 4}))
    assert "--pp_size" not in text(server("trtllm", accelerator={"count": 4}))


LIMITS = {"contextLength": 8192, "maxSequences": 64, "maxBatchedTokens": 4096, "memoryFraction": "87.5%"}


@pytest.mark.parametrize(
    ("engine", "flags"),
    [
        ("vllm", "--max-model-len 8192 --max-num-seqs 64 --max-num-batched-tokens 4096 --gpu-memory-utilization 0.875"),
        (
            "sglang",
            "--context-length 8192 --max-running-requests 64 --chunked-prefill-size 4096 --mem-fraction-static 0.875",
        ),
        (
            "trtllm",
            "--max_seq_len 8192 --max_batch_size 64 --max_num_tokens 4096 --kv_cache_free_gpu_memory_fraction 0.875",
        ),
    ],
)
def test_limits_become_the_flags_of_each_engine(engine: str, flags: str) -> None:
    assert flags in text(server(engine, runtime=LIMITS))


@pytest.mark.parametrize(
    ("engine", "flag"), [("vllm", "--kv-cache-dtype fp8"), ("sglang", "--kv-cache-dtype fp8_e4m3")]
)
def test_the_kv_cache_may_be_fp8(engine: str, flag: str) -> None:
    assert flag in text(server(engine, runtime={"kvCachePrecision": "fp8"}))
    assert "kv-cache-dtype" not in text(server(engine, runtime={"kvCachePrecision": "auto"}))


def test_a_nim_is_told_its_context_length() -> None:
    assert environment(server("nim", runtime={"contextLength": 8192}))["NIM_MAX_MODEL_LEN"] == "8192"


def test_a_nim_finds_adapters_in_one_folder_and_its_backend_reads_them() -> None:
    adapters = {"adapters": [{"name": "law", "persistentVolumeClaim": {"name": "adapters", "path": "law/v2"}}]}
    container = server("nim", model=adapters, runtime={"args": ["--max-lora-rank=64"]})
    assert environment(container)["NIM_PEFT_SOURCE"] == "/opt/nim/loras"
    assert environment(container)["NIM_PASSTHROUGH_ARGS"] == "--enable-lora --max-lora-rank=64"
    (mount,) = [mount for mount in container.mounts if mount.sub_path == "law/v2"]
    assert (mount.path, mount.read_only) == ("/opt/nim/loras/law", True)


def test_health_of_a_nim_moves_with_its_port() -> None:
    container = server("nim", runtime={"healthPort": 8081})
    settings = modelserver.nim.from_environment(Settings(), environment(container))
    assert settings.health_port == container.health_port == 8081
    assert "NIM_HEALTH_PORT" not in environment(server("nim"))


def test_a_nim_without_a_secret_is_told_of_none() -> None:
    offline = environment(server("nim", {"persistentVolumeClaim": {"name": "cache"}}))
    assert {"NGC_API_KEY", "HF_TOKEN"}.isdisjoint(offline)


def test_llama_cpp_gets_the_context_of_all_sequences_together() -> None:
    container = server("llamacpp", runtime={"contextLength": 8192, "maxSequences": 8})
    assert "--parallel 8 --ctx-size 65536" in text(container)
    assert "--ctx-size" not in text(server("llamacpp"))


@pytest.mark.parametrize(
    ("precision", "flags"),
    [
        ("bf16", "--dtype bfloat16"),
        ("fp8", "--quantization fp8"),
        ("nvfp4", "--quantization modelopt_fp4"),
        ("mxfp4", "--quantization mxfp4"),
    ],
)
def test_sglang_is_asked_for_a_number_format(precision: str, flags: str) -> None:
    container = server("sglang", model={"precision": precision})
    assert flags in text(container)
    assert container.precision == precision


ADAPTERS = {
    "adapters": [
        {"name": "sql", "huggingFace": {"repo": "acme/sql-lora"}},
        {"name": "law", "persistentVolumeClaim": {"name": "adapters", "path": "law/v2"}},
    ]
}


@pytest.mark.parametrize(
    ("engine", "flags"), [("vllm", "--enable-lora --lora-modules {}"), ("sglang", "--lora-paths {}")]
)
def test_adapters_are_loaded_beside_the_model(engine: str, flags: str) -> None:
    container = server(engine, model=ADAPTERS)
    assert flags.format("sql=acme/sql-lora law=/adapters/law") in text(container)
    (mount,) = [mount for mount in container.mounts if mount.path == "/adapters/law"]
    assert mount.source == {"persistentVolumeClaim": {"claimName": "adapters", "readOnly": True}}
    assert (mount.sub_path, mount.read_only) == ("law/v2", True)


def test_the_command_line_of_vllm_with_adapters_means_what_the_spec_says() -> None:
    container = server("vllm", model=ADAPTERS, accelerator=EIGHT)
    settings = modelserver.vllm.serve(Settings(), [*container.command[2:], *container.args])
    assert (settings.adapters, settings.gpus) == (("sql", "law"), 8)


def test_the_command_line_of_sglang_means_what_the_spec_says() -> None:
    container = server("sglang", model=ADAPTERS, runtime={"port": 9000, "maxSequences": 32}, accelerator=EIGHT)
    assert container.command == ("python3", "-m", "sglang.launch_server")
    settings = modelserver.commands.sglang(Settings(), container.args)
    assert (settings.model, settings.host, settings.port, settings.gpus) == ("served", "0.0.0.0", 9000, 8)
    assert (settings.max_num_seqs, settings.adapters) == (32, ("sql", "law"))


def test_the_command_line_of_tensorrt_llm_means_what_the_spec_says(tmp_path: Path) -> None:
    container = server("trtllm", runtime={"port": 9000, "maxSequences": 32}, accelerator={"count": 2})
    assert container.config is not None
    file = tmp_path / "config.yaml"
    file.write_text(container.config.text)
    words = [str(file) if word == container.config.path else word for word in (*container.command[1:], *container.args)]
    settings = modelserver.commands.trtllm(Settings(), words)
    assert (settings.model, settings.host, settings.port, settings.gpus) == ("served", "0.0.0.0", 9000, 2)
    assert settings.max_num_seqs == 32


def test_the_command_line_of_triton_means_what_the_spec_says() -> None:
    container = server("triton", CLAIM, runtime={"port": 9000}, drain={"timeout": "90s"})
    settings = modelserver.commands.triton(Settings(), container.args)
    assert (settings.port, settings.metrics_port) == (9000, container.metrics_port)
    assert settings.shutdown_timeout == container.shutdown_seconds == 90


def test_the_command_line_of_llama_cpp_means_what_the_spec_says() -> None:
    container = server("llamacpp", runtime={"port": 9000, "maxSequences": 8})
    settings = modelserver.commands.llamacpp(Settings(), container.args)
    assert (settings.model, settings.host, settings.port, settings.max_num_seqs) == ("served", "0.0.0.0", 9000, 8)


def test_triton_leads_several_gpus_from_one_process() -> None:
    assert environment(server("triton", CLAIM, accelerator={"count": 2}))["TRTLLM_ORCHESTRATOR"] == "1"
    assert "TRTLLM_ORCHESTRATOR" not in environment(server("triton", CLAIM))


METRICS = {"running": "busy", "waiting": 'requests{state="waiting"}', "timeToFirstToken": "first_token_seconds"}
CUSTOM = {"image": "example.com/server", "command": ["serve"], "args": ["--x"], "metrics": METRICS}


def test_an_image_of_ones_own_runs_as_the_spec_says() -> None:
    container = server("custom", runtime=CUSTOM | {"port": 9000, "probes": {"startup": "/ready"}})
    assert (container.image, text(container)) == ("example.com/server", "serve --x")
    assert environment(container) == {"PORT": "9000", "MODEL_NAME": "served"}
    assert (container.startup_path, container.readiness_path) == ("/ready", "/health")


def test_metric_names_of_a_spec_replace_those_of_the_engine() -> None:
    (own,) = role("custom", runtime=CUSTOM).dialects
    assert (own.running, own.waiting) == ("busy", 'requests{state="waiting"}')
    assert (own.time_to_first_token, own.inter_token_latency) == ("first_token_seconds", None)
    assert role("vllm", runtime={"metrics": METRICS}).dialects == (own,)
    assert role("vllm").dialects == RUNTIMES[Engine.VLLM].dialects


def test_sglang_is_read_under_both_spellings_and_by_counters_that_move_first() -> None:
    first, underscored, *older = (dialect.generation_tokens for dialect in RUNTIMES[Engine.SGLANG].dialects)
    assert first == 'sglang:realtime_tokens_total{mode="decode"}'
    assert underscored == 'sglang_realtime_tokens_total{mode="decode"}'
    assert older == ["sglang:generation_tokens_total", "sglang_generation_tokens_total"]


@pytest.mark.parametrize(("sequences", "limit"), [(None, 3), (1, 1), (10, 8)])
def test_llama_cpp_scales_before_all_its_sequences_are_taken(sequences: int | None, limit: int) -> None:
    runtime = {"maxSequences": sequences} if sequences else {}
    found = role("llamacpp", runtime=runtime, scaling={"maxReplicas": 4}).spec.scaling
    assert found is not None
    assert found.behavior.running_per_replica == limit


def test_a_limit_of_running_requests_in_the_spec_wins_and_others_have_none() -> None:
    asked = {"maxReplicas": 4, "behavior": {"runningPerReplica": 100}}
    for engine, wanted, limit in (("llamacpp", asked, 100), ("vllm", asked, 100), ("vllm", {"maxReplicas": 4}, None)):
        found = role(engine, scaling=wanted).spec.scaling
        assert found is not None
        assert found.behavior.running_per_replica == limit
    assert role("llamacpp").spec.scaling is None
