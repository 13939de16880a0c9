"""Replicas of two pods, simulated servers that find each other over the cluster's network, kept by StatefulSets."""

from collections import defaultdict
from collections.abc import Mapping

import pytest

from tests.e2e.conftest import Serve
from tests.e2e.install import GPU
from tests.e2e.kube import Kube, Object, path
from tests.e2e.service import Service, condition, runtime

REPLICA = "aifactory.dev/replica"


def replicas(service: Service) -> Mapping[str, list[Object]]:
    """Pods that are not leaving, by replica."""
    found = defaultdict(list)
    for pod in service.pods:
        found[pod["metadata"]["labels"][REPLICA]].append(pod)
    return found


def uids(pods: list[Object]) -> set[str]:
    return {pod["metadata"]["uid"] for pod in pods}


def leads(pods: list[Object]) -> bool:
    """Whether the leader among these is ready."""
    found = (pod for pod in pods if "aifactory.dev/role" in pod["metadata"]["labels"])
    return any(condition(pod, "Ready").get("status") == "True" for pod in found)


@pytest.mark.parametrize("engine", ["vllm", "sglang"])
def test_two_pods_find_each_other_and_serve_as_one(serve: Serve, engine: str) -> None:
    service = serve(accelerator={"resourceName": GPU, "nodes": 2}, runtime=runtime(engine))
    service.wait_ready()
    service.wait("it answers", service.completes)
    assert service.status["replicas"]["current"] == service.status["replicas"]["ready"] == 1
    assert len(service.pods) == 2


def test_replicas_scale_as_wholes_and_start_anew_as_wholes(serve: Serve, kube: Kube) -> None:
    service = serve(accelerator={"resourceName": GPU, "nodes": 2}, drain={"timeout": "1s"})
    service.wait_ready()
    service.edit({"replicas": 2})
    service.wait("two replicas serve", lambda: service.status["replicas"]["ready"] == 2)
    before = replicas(service)
    assert sorted(map(len, before.values())) == [2, 2]

    lost, untouched = before["0"], uids(before["1"])
    worker = next(pod for pod in lost if "aifactory.dev/role" not in pod["metadata"]["labels"])
    kube.delete(path(service.namespace, "pods", worker["metadata"]["name"]), grace_seconds=1)
    service.wait(
        "both pods of the replica are new",
        lambda: len(replicas(service)["0"]) == 2 and not uids(replicas(service)["0"]) & uids(lost),
    )
    service.wait("the other replica serves meanwhile", service.completes)
    service.wait("it serves again", lambda: leads(replicas(service)["0"]) and service.status["replicas"]["ready"] == 2)
    assert uids(replicas(service)["1"]) == untouched

    service.edit({"replicas": 1})
    service.wait("a whole replica has gone", lambda: len(service.pods) == 2 and len(replicas(service)) == 1)
    service.wait_ready()
    service.wait("it answers", service.completes)
