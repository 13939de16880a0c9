"""What Dynamo's frontends and workers are told, and what of their metrics is read."""

import re
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from aifactory.api.inferenceservice import InferenceService
from aifactory.api.owner import ObjectMeta
from aifactory.api.role import RoleName
from aifactory.api.spec import InferenceServiceSpec
from aifactory.runtimes import BETWEEN, MetricDialect, Role, dynamo, dynamo_workers, roles, vllm
from prometheus_client.parser import text_string_to_metric_families

RECORDINGS = Path(__file__).parents[2] / "dynamo" / "data"
FRONTEND, PREFILL, DECODE, WHOLE = RoleName.FRONTEND, RoleName.PREFILL, RoleName.DECODE, RoleName.MODEL_SERVER
# Fields of a dialect that name no series.
_FLAGS = ("entry", "live_tokens", "lazy_requests")
BACKENDS = ["vllm", "sglang", "trtllm", "mocker"]


def service(backend: str = "vllm", disaggregated: Any = None, **spec: Any) -> dict[RoleName, Role]:
    """The roles of a service called chat."""
    runtime = {"engine": "dynamo", "dynamo": {"backend": backend, **spec.pop("dynamo", {})}} | spec.pop("runtime", {})
    topology = {} if disaggregated is None else {"topology": {"disaggregated": disaggregated}}
    parsed = InferenceServiceSpec.model_validate({"model": {"name": "served"}, "runtime": runtime, **topology, **spec})
    return {role.name: role for role in roles(InferenceService(metadata=ObjectMeta(name="chat"), spec=parsed))}


def text(role: Role) -> str:
    return " ".join((*role.server.command, *role.server.args))


def environment(role: Role) -> dict[str, Any]:
    return {variable["name"]: variable.get("value", variable.get("valueFrom")) for variable in role.server.env}


def series(recording: str) -> set[tuple[str, str]]:
    """Names of the series of a recording, each with one of its labels or with none."""
    families = text_string_to_metric_families((RECORDINGS / recording).read_text())
    samples = [sample for family in families for sample in family.samples]
    return {(s.name, f'{k}="{v}"') for s in samples for k, v in s.labels.items()} | {(s.name, "") for s in samples}


def spoken(dialect: MetricDialect, recording: str) -> set[str]:
    """Fields of a dialect that the recording has a series for."""
    found = series(recording)
    names = {field.name: getattr(dialect, field.name) for field in fields(dialect) if field.name not in _FLAGS}
    parsed = {name: re.fullmatch(r"(\w[\w:]*)(?:\{(.*)\})?", value) for name, value in names.items() if value}
    suffixes = ("", "_bucket")
    return {
        name
        for name, match in parsed.items()
        if match and any((match[1] + suffix, match[2] or "") in found for suffix in suffixes)
    }


def test_a_whole_service_is_frontends_and_workers() -> None:
    found = service(dynamo={"frontendReplicas": 3}, scaling={"minReplicas": 2, "maxReplicas": 4})
    assert list(found) == [FRONTEND, WHOLE]
    assert (found[FRONTEND].spec.initial_replicas, found[FRONTEND].spec.scaling) == (3, None)
    assert found[WHOLE].spec.initial_replicas == 2
    assert (found[FRONTEND].accelerated, found[WHOLE].accelerated) == (False, True)
    assert "--disaggregation-mode" not in text(found[WHOLE])


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_split_service_has_workers_of_two_kinds(backend: str) -> None:
    found = service(backend, {})
    assert list(found) == [FRONTEND, PREFILL, DECODE]
    for part in (PREFILL, DECODE):
        assert f"-m dynamo.{backend} " in text(found[part])
        assert f"--disaggregation-mode {part}" in text(found[part])


def test_each_kind_of_workers_has_gpus_arguments_and_replicas_of_its_own() -> None:
    parts = {
        "prefill": {"accelerator": {"count": 2}, "args": ["--only-prefill"], "replicas": 3},
        "decode": {"scaling": {"minReplicas": 2, "maxReplicas": 8}},
    }
    found = service("vllm", parts, accelerator={"count": 4}, runtime={"args": ["--all"]})
    assert "--tensor-parallel-size 2" in text(found[PREFILL])
    assert text(found[PREFILL]).endswith("--all --only-prefill")
    assert "--tensor-parallel-size 4" in text(found[DECODE])
    assert text(found[DECODE]).endswith("--all")
    assert "--all" not in text(found[FRONTEND])
    assert (found[PREFILL].spec.accelerator.count, found[DECODE].spec.accelerator.count) == (2, 4)
    assert [found[part].spec.initial_replicas for part in (FRONTEND, PREFILL, DECODE)] == [1, 3, 2]


def test_prefill_follows_the_first_token_and_decode_the_rest() -> None:
    found = service("vllm", {})
    assert found[PREFILL].follows == ("timeToFirstToken",)
    assert found[DECODE].follows == ("interTokenLatency", "endToEndLatency", "throughput")
    assert found[FRONTEND].follows is None
    assert service()[WHOLE].follows is None


@pytest.mark.parametrize(
    ("backend", "words"),
    [
        ("vllm", '--kv-transfer-config {"kv_connector": "NixlConnector", "kv_role": "kv_both"}'),
        ("sglang", "--disaggregation-transfer-backend nixl"),
        ("trtllm", '--override-engine-args {"cache_transceiver_config": {"backend": "DEFAULT"}}'),
    ],
)
def test_split_workers_are_told_how_to_hand_over_the_kv_cache_and_whole_ones_are_not(backend: str, words: str) -> None:
    found = service(backend, {})
    assert all(words in text(found[part]) for part in (PREFILL, DECODE))
    assert words not in text(service(backend)[WHOLE])


@pytest.mark.parametrize(
    ("backend", "flags"),
    [
        ("vllm", "--max-model-len 8192 --max-num-seqs 64 --max-num-batched-tokens 4096 --gpu-memory-utilization 0.875"),
        (
            "sglang",
            "--context-length 8192 --max-running-requests 64 --chunked-prefill-size 4096 --mem-fraction-static 0.875",
        ),
        (
            "trtllm",
            "--max-seq-len 8192 --max-batch-size 64 --max-num-tokens 4096 --free-gpu-memory-fraction 0.875",
        ),
    ],
)
def test_limits_become_the_flags_of_each_backend(backend: str, flags: str) -> None:
    limits = {"contextLength": 8192, "maxSequences": 64, "maxBatchedTokens": 4096, "memoryFraction": "87.5%"}
    assert flags in text(service(backend, runtime=limits)[WHOLE])


@pytest.mark.parametrize("disaggregated", [None, {}])
def test_all_pods_of_a_service_look_for_each_other_under_its_name(disaggregated: Any) -> None:
    for role in service("mocker", disaggregated).values():
        told = environment(role)
        suffix = told.get("DYN_NAMESPACE_WORKER_SUFFIX")
        assert "-".join(filter(None, (told["DYN_NAMESPACE"], suffix))) == f"chat-{role.server.generation}"
        assert (told["DYN_DISCOVERY_BACKEND"], told["DYN_EVENT_PLANE"]) == ("kubernetes", "zmq")
        assert told["POD_UID"]["fieldRef"]["fieldPath"] == "metadata.uid"
        assert role.discovery == dynamo.DISCOVERY


def generations(roles: dict[RoleName, Role]) -> set[Any]:
    return {environment(role)["DYN_NAMESPACE_WORKER_SUFFIX"] for role in roles.values() if role.accelerated}


def test_workers_that_differ_do_not_meet_in_one_generation_and_those_of_one_spec_do() -> None:
    (before,), (after,) = generations(service("vllm", {})), generations(service("vllm", {"prefill": {"args": ["-v"]}}))
    assert before != after
    assert generations(service("vllm", {"decode": {"replicas": 7}})) == {before}
    assert "DYN_NAMESPACE_WORKER_SUFFIX" not in environment(service()[FRONTEND])


def test_frontends_take_workers_of_one_generation_or_while_it_changes_of_all_of_their_own_service() -> None:
    role = service()[FRONTEND]
    assert "DYN_NAMESPACE_PREFIX" not in environment(role)
    assert role.between is not None
    told = environment(replace(role, server=role.between))
    assert (told["DYN_NAMESPACE_PREFIX"], told["DYN_NAMESPACE_PREFIX_STRICT"]) == ("chat", "true")
    assert role.between.generation == BETWEEN != role.server.generation


def test_a_request_that_a_leaving_worker_refuses_goes_to_another() -> None:
    assert int(environment(service()[FRONTEND])["DYN_MIGRATION_LIMIT"]) > 0


def test_frontends_that_route_by_caches_share_what_they_know() -> None:
    told = environment(service(dynamo={"router": "kv"})[FRONTEND])
    assert (told["DYN_ROUTER_USE_KV_EVENTS"], told["DYN_ROUTER_REPLICA_SYNC"]) == ("false", "true")
    assert "DYN_ROUTER_REPLICA_SYNC" not in environment(service()[FRONTEND])


def test_a_frontend_is_ready_once_the_model_can_be_served() -> None:
    assert service()[FRONTEND].server.startup_path == "/v1/models/served"


@pytest.mark.parametrize(("backend", "healthy"), [("mocker", "ready"), ("vllm", None)])
def test_only_the_mocker_is_called_healthy_from_its_start(backend: str, healthy: str | None) -> None:
    assert environment(service(backend)[WHOLE]).get("DYN_SYSTEM_STARTING_HEALTH_STATUS") == healthy


def test_a_frontend_measures_all_that_is_asked_of_it() -> None:
    assert spoken(dynamo.DIALECT, "frontend.prom") == {
        field.name for field in fields(MetricDialect) if field.name not in (*_FLAGS, "kv_cache_usage")
    }


def test_a_frontend_reports_before_its_first_request() -> None:
    assert spoken(dynamo.DIALECT, "frontend-idle.prom") == {"running"}


def test_workers_of_the_mocker_report_as_vllm_does_but_for_prefill() -> None:
    gauges = {"running", "waiting", "kv_cache_usage"}
    assert spoken(vllm.DIALECT, "decode.prom") >= gauges
    assert not spoken(vllm.DIALECT, "prefill.prom")
    found = service("mocker", {})
    assert vllm.DIALECT in found[DECODE].dialects
    assert found[PREFILL].dialects == (dynamo_workers.DIALECT,)


@pytest.mark.parametrize(("recording", "answers"), [("prefill.prom", set()), ("decode.prom", {"completed"})])
def test_dynamo_counts_what_every_worker_does_and_answers_once(recording: str, answers: set[str]) -> None:
    assert spoken(dynamo_workers.DIALECT, recording) == {"running", "waiting"} | answers
