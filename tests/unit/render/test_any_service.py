"""Laws that hold for every valid service, whichever optional fields it sets."""

import json
from typing import Any

from aifactory.api.inferenceservice import InferenceService
from aifactory.render import OPTIONAL, render
from aifactory.render.quantity import canonical
from hypothesis import given
from hypothesis import strategies as st

quantity = st.sampled_from(["0.5", "2048Mi", "1.5Gi", "20000000000", "64Gi", "3000m"])
words = st.lists(st.sampled_from(["--max-model-len=8192", "--seed", "7", "", "$(HOME)", "a b"]), max_size=3)
sources = st.sampled_from(
    [
        None,
        {"image": {}},
        {"image": {"path": "/weights"}},
        {"huggingFace": {"repo": "org/repo"}},
        {"huggingFace": {"repo": "org/repo", "revision": "v1", "tokenSecret": "hub"}},
        {"persistentVolumeClaim": {"name": "weights"}},
        {"persistentVolumeClaim": {"name": "weights", "path": "llama"}},
    ]
)
variables = st.sampled_from(
    [
        {"name": "EMPTY"},
        {"name": "BLANK", "value": ""},
        {"name": "HOME", "value": "/mine"},
        {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
        {"name": "SITE", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k", "optional": True}}},
    ]
)
volumes = st.sampled_from(
    [
        {"name": "a", "mountPath": "/a", "emptyDir": {}},
        {"name": "b", "mountPath": "/b", "emptyDir": {"sizeLimit": "1024Mi"}},
        {"name": "c", "mountPath": "/c", "readOnly": True, "configMap": {"name": "c"}},
        {"name": "d", "mountPath": "/opt/nim/.cache", "persistentVolumeClaim": {"claimName": "d"}},
        {"name": "e", "mountPath": "/tmp", "readOnly": True, "persistentVolumeClaim": {"claimName": "e"}},
    ]
)
tolerations = st.sampled_from(
    [
        {"operator": "Exists"},
        {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"},
        {"key": "spot", "value": ""},
    ]
)
NEAR = {"weight": 1, "podAffinityTerm": {"topologyKey": "zone", "labelSelector": {}}}
affinities = st.sampled_from(
    [
        {},
        {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": []}},
        {"nodeAffinity": None},
        {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [NEAR]}},
    ]
)

SPREAD = {
    "maxSkew": 1,
    "topologyKey": "zone",
    "whenUnsatisfiable": "ScheduleAnyway",
    "labelSelector": {"matchLabels": {}},
}


def options(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Any subset of the fields."""
    return st.fixed_dictionaries({}, optional=fields)


def unique(items: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(items, unique_by=lambda item: item["name"], max_size=5)


pod_templates = options(
    labels=st.just({"team": ""}),
    annotations=st.just({"note": ""}),
    nodeSelector=st.just({"pool": ""}),
    tolerations=st.lists(tolerations, max_size=3),
    affinity=affinities,
    topologySpreadConstraints=st.just([SPREAD]),
    resources=options(cpu=quantity, memory=quantity, ephemeralStorage=quantity),
    sharedMemory=quantity,
    volumes=unique(volumes),
    securityContext=options(runAsUser=st.just(4000), runAsGroup=st.just(4000), fsGroup=st.just(4000)),
    priorityClassName=st.just("high"),
    runtimeClassName=st.just("nvidia"),
    schedulerName=st.just("volcano"),
)
runtimes = st.builds(
    lambda engine, rest: {"engine": engine, **rest},
    st.sampled_from(["vllm", "nim"]),
    options(
        image=st.sampled_from(["a", "a:1"]),
        args=words,
        env=unique(variables),
        imagePullSecrets=st.sampled_from([[], ["one", "two"]]),
        port=st.integers(1024, 65535),
        startupTimeout=st.sampled_from(["1m", "1500ms59s", "24h"]),
    ),
)
services = st.builds(
    lambda source, runtime, rest: InferenceService.model_validate(
        {
            "metadata": {"name": "llama", "uid": "uid-1"},
            "spec": {"model": {"name": "m"} | ({"source": source} if source else {}), "runtime": runtime, **rest},
        }
    ),
    sources,
    runtimes,
    options(
        accelerator=options(product=st.just("NVIDIA-H100"), count=st.integers(1, 16)),
        rollout=options(maxSurge=st.sampled_from([1, "25%"])),
        drain=options(timeout=st.sampled_from(["0s", "1ms", "1h"])),
        podTemplate=pod_templates,
    ),
)


def empties(value: Any, key: str = "") -> list[str]:
    """Keys whose value the API server would drop."""
    if isinstance(value, dict):
        if not value:
            return [] if key in ("emptyDir", "podAffinity", "labelSelector") else [key]
        return [found for name, item in value.items() for found in empties(item, name)]
    if isinstance(value, list):
        return [key] if not value else [found for item in value for found in empties(item, key)]
    return [key] if value is None else []


@given(services)
def test_nothing_is_rendered_that_the_api_server_would_drop(service):
    assert empties(render(service, {}, served=OPTIONAL)) == []


@given(services)
def test_rendering_is_a_function_of_the_service(service):
    before = service.model_dump_json()
    first = json.dumps(render(service, {}, served=OPTIONAL))
    assert json.dumps(render(service, {}, served=OPTIONAL)) == first
    assert service.model_dump_json() == before


@given(services)
def test_volumes_and_mounts_belong_together(service):
    pod = next(c for c in render(service, {}, served=()) if c["kind"] == "Deployment")["spec"]["template"]["spec"]
    mounts = pod["containers"][0]["volumeMounts"]
    assert sorted(mount["name"] for mount in mounts) == sorted(volume["name"] for volume in pod["volumes"])
    assert len({mount["name"] for mount in mounts}) == len({mount["mountPath"] for mount in mounts}) == len(mounts)


@given(services)
def test_quantities_are_canonical_and_gpus_are_limited(service):
    pod = next(c for c in render(service, {}, served=()) if c["kind"] == "Deployment")["spec"]["template"]["spec"]
    resources = pod["containers"][0]["resources"]
    assert all(text == canonical(text) for part in resources.values() for text in part.values())
    assert resources["requests"]["nvidia.com/gpu"] == resources["limits"]["nvidia.com/gpu"]


@given(services)
def test_variables_have_one_value_each(service):
    pod = next(c for c in render(service, {}, served=()) if c["kind"] == "Deployment")["spec"]["template"]["spec"]
    names = [variable["name"] for variable in pod["containers"][0]["env"]]
    assert len(names) == len(set(names))
