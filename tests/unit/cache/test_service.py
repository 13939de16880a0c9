"""What a service reads of a cache, and what it says while there is nothing to read."""

from typing import Any

import pytest
from aifactory.api.inferenceservice import InferenceService
from aifactory.cache.service import copy_for, folders, held, reference, with_copy
from aifactory.render import render

CLAIM, FOLDER = "weights-weights", "copy-1"
ENGINES = ["vllm", "llmd", "dynamo", "sglang", "trtllm", "nim", "triton", "llamacpp", "custom"]


def service(engine: str = "vllm", **cache: Any) -> InferenceService:
    runtime: dict[str, Any] = {"engine": engine}
    if engine == "custom":
        runtime |= {"image": "mine:1", "metrics": {"running": "running", "waiting": "waiting"}}
    model = {"name": "llama", "source": {"modelCache": {"name": "weights", **cache}}}
    metadata = {"name": "chat", "namespace": "shop", "uid": "u"}
    return InferenceService.model_validate({"metadata": metadata, "spec": {"model": model, "runtime": runtime}})


def cache(ready: str = "True", message: str = "", **more: Any) -> dict[str, Any]:
    """A ModelCache as stored."""
    conditions = [{"type": "Ready", "status": ready, "reason": "Because", "message": message}]
    content = {"folder": FOLDER, "claimUid": "c"}
    status = {"observedGeneration": 1, "claim": CLAIM, "content": content, "conditions": conditions} | more
    return {"metadata": {"name": "weights", "generation": 1}, "status": status}


def children(one: InferenceService, served: tuple[str, ...] = ()) -> dict[tuple[str, str], dict[str, Any]]:
    return {(child["kind"], child["metadata"]["name"]): child for child in render(one, {}, served=served)}


def test_a_ready_cache_offers_its_copy() -> None:
    assert copy_for("weights", cache(), {}) == (CLAIM, FOLDER)


@pytest.mark.parametrize(
    "found",
    [
        None,
        cache("Unknown"),
        cache("False"),
        cache(observedGeneration=0),
        cache(content=None),
        {**cache(), "metadata": {"name": "weights", "generation": 1, "deletionTimestamp": "now"}},
        {"metadata": {"name": "weights", "generation": 1}},
    ],
)
def test_without_a_ready_cache_a_service_reads_what_it_reads_already_and_nothing_else(found: Any) -> None:
    assert copy_for("weights", found, {}) is None
    running = children(with_copy(service(), CLAIM, "copy-0"))
    assert copy_for("weights", found, running) == (CLAIM, "copy-0")
    assert copy_for("another", found, running) is None


def test_the_folder_that_a_service_reads_is_known() -> None:
    running = children(with_copy(service(), CLAIM, FOLDER))
    assert folders(running, "weights") == {FOLDER}
    assert folders(running, "another") == set()


@pytest.mark.parametrize("served", [(), ("LeaderWorkerSet",)])
def test_replicas_of_several_pods_read_the_cache_as_well(served: tuple[str, ...]) -> None:
    several = service()
    wide = several.spec.model_copy(update={"accelerator": several.spec.accelerator.model_copy(update={"nodes": 2})})
    running = children(with_copy(several.model_copy(update={"spec": wide}), CLAIM, FOLDER), served)
    assert {kind for kind, _ in running} & {"StatefulSet", "LeaderWorkerSet"}
    assert folders(running, "weights") == {FOLDER}
    assert copy_for("weights", None, running) == (CLAIM, FOLDER)


@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_finds_the_weights_for_reading_at_the_same_path(engine: str) -> None:
    deployment = children(with_copy(service(engine), CLAIM, FOLDER))["Deployment", "chat"]
    pod = deployment["spec"]["template"]["spec"]
    volumes = {one["name"]: one for one in pod["volumes"]}
    (container,) = pod["containers"]
    (mount,) = [one for one in container["volumeMounts"] if one["mountPath"] == "/models"]
    assert mount["subPath"] == FOLDER
    assert mount["readOnly"] is True
    assert volumes[mount["name"]]["persistentVolumeClaim"] == {"claimName": CLAIM, "readOnly": True}
    if engine != "custom":
        words = [*container.get("command", []), *container.get("args", [])]
        words += [variable.get("value", "") for variable in container["env"]]
        assert any(word.rpartition("=")[2] == "/models" for word in words)


def test_a_file_of_the_cache_can_be_named() -> None:
    deployment = children(with_copy(service("llamacpp", path="q4/llama.gguf"), CLAIM, FOLDER))["Deployment", "chat"]
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert "/models/q4/llama.gguf" in container["args"]


def test_a_nim_keeps_its_own_cache_beside_the_weights() -> None:
    deployment = children(with_copy(service("nim"), CLAIM, FOLDER))["Deployment", "chat"]
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    env = {variable["name"]: variable.get("value") for variable in container["env"]}
    assert env["NIM_MODEL_PATH"] == "/models"
    assert {"/models", env["NIM_CACHE_PATH"]} <= {mount["mountPath"] for mount in container["volumeMounts"]}


def test_a_copy_changes_nothing_for_a_service_without_a_cache() -> None:
    plain = InferenceService.model_validate(
        {"metadata": {"name": "a"}, "spec": {"model": {"name": "m"}, "runtime": {"engine": "vllm"}}}
    )
    assert reference(plain) is None
    assert with_copy(plain, CLAIM, FOLDER) is plain


@pytest.mark.parametrize(
    ("found", "status", "reason", "says"),
    [
        (None, False, "ModelCacheMissing", "there is no ModelCache weights in the namespace; create it"),
        (cache("Unknown", "42% of 10.0GiB"), None, "ModelCacheNotReady", "ModelCache weights: 42% of 10.0GiB"),
        (cache("False", "hub answers 404"), False, "ModelCacheFailed", "ModelCache weights: hub answers 404"),
        (cache("True", observedGeneration=0), None, "ModelCacheNotReady", "has not looked at it yet"),
    ],
)
def test_a_service_that_waits_says_for_what(found: Any, status: bool | None, reason: str, says: str) -> None:
    told = held("weights", found)
    assert (told.status, told.reason) == (status, reason)
    assert says in told.message
