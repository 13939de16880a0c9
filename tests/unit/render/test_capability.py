"""Whether replicas of two specs carry as much and start as fast: what was learned of the ones holds for the others."""

from collections.abc import Callable
from typing import Any

import pytest
from aifactory.api.inferenceservice import InferenceService
from aifactory.cluster.workloads import workload
from aifactory.decide import plan
from aifactory.observed import Observed
from aifactory.render import labels
from aifactory.render.pod import pod_template
from aifactory.render.template import capability
from aifactory.runtimes import roles

Build = Callable[..., InferenceService]
NODES = {"accelerator": {"count": 8, "nodes": 2}}
GROUPS = ("LeaderWorkerSet",)


def of(service: InferenceService, replicas: int = 2, served: tuple[str, ...] = ()) -> str:
    """As it is read from a cluster that holds what the service asks for."""
    (role, *_) = roles(service)
    todo = plan(service, Observed(), {role.name: replicas}, {}, served=served)
    children = {(child["kind"], child["metadata"]["name"]): child for child in todo.apply}
    found = workload(service.metadata.name, role.name, children, ())
    assert found is not None
    return found.capability


@pytest.mark.parametrize(
    "spec",
    [
        {"scaling": {"minReplicas": 2, "maxReplicas": 9}},
        {"slo": {"objectives": {"timeToFirstToken": {"target": "100ms"}}}},
        {"podTemplate": {"labels": {"team": "search"}, "annotations": {"note": "x"}, "priorityClassName": "high"}},
        {"runtime": {"startupTimeout": "40m"}},
        {"rollout": {"maxSurge": 3}},
    ],
)
def test_a_change_that_makes_no_replica_faster_keeps_what_was_learned(service: Build, spec: dict[str, Any]) -> None:
    assert of(service(**spec)) == of(service())


@pytest.mark.parametrize(
    "spec",
    [
        {"engine": "sglang"},
        {"model": {"name": "meta/other"}},
        {"model": {"name": "meta/llama", "source": {"persistentVolumeClaim": {"name": "weights"}}}},
        {"runtime": {"image": "vllm/vllm-openai:next"}},
        {"runtime": {"args": ["--enforce-eager"]}},
        {"runtime": {"env": [{"name": "VLLM_USE_V1", "value": "0"}]}},
        {"accelerator": {"count": 2}},
        {"accelerator": {"product": "NVIDIA-L4"}},
        {"accelerator": {"resourceName": "nvidia.com/mig-3g.40gb"}},
        {"podTemplate": {"resources": {"cpu": "2"}}},
    ],
)
def test_another_engine_model_or_gpu_is_another_replica(service: Build, spec: dict[str, Any]) -> None:
    assert of(service(**spec)) != of(service())


def test_an_engine_that_reads_a_file_is_another_with_another_file(service: Build) -> None:
    (role,) = roles(service("trtllm"))
    template = pod_template(role)
    other = {**template, "metadata": {"annotations": {labels.ENGINE_CONFIG: "enable_chunked_prefill: true\n"}}}
    assert capability(other) != capability(template)


@pytest.mark.parametrize("served", [(), GROUPS])
def test_so_it_is_with_replicas_of_several_pods(service: Build, served: tuple[str, ...]) -> None:
    before = of(service(**NODES), served=served)
    assert of(service(**NODES, scaling={"maxReplicas": 4}), replicas=3, served=served) == before
    assert of(service(**NODES, runtime={"args": ["--enforce-eager"]}), served=served) != before
    assert of(service(accelerator={"count": 8, "nodes": 3}), served=served) != before


def test_it_does_not_matter_which_replica_is_asked(service: Build) -> None:
    """They know their leaders by different names."""
    owner = service(**NODES)
    (role,) = roles(owner)
    todo = plan(owner, Observed(), {role.name: 2}, {}, served=())
    children = {(child["kind"], child["metadata"]["name"]): child for child in todo.apply}
    second = {child_id: child for child_id, child in children.items() if child_id[1] != "llama-0"}
    seen = [workload("llama", role.name, found, ()) for found in (children, second)]
    assert [one.capability for one in seen if one] == [of(owner)] * 2
