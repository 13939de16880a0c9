"""What a service costs and draws, from prices of the AIFactory, pods on nodes and what Prometheus says."""

import json
from collections.abc import Iterator

import pytest

from tests.bench.reconcile.prometheus import serve
from tests.e2e.kube import Object, path
from tests.kind.controlplane import ControlPlane

from .conftest import new_operator
from .kube import Kube
from .service import Service

FACTORY = path("", "aifactories", "default")
H100 = "NVIDIA-H100-80GB-HBM3"
GPUS = 2


class Prometheus:
    """A service that takes 2,000 and makes 500 tokens per second, and pods that draw 625 W each."""

    def __init__(self, service: Service) -> None:
        self.service = service

    def answer(self, query: str) -> bytes:
        of = {"namespace": self.service.namespace}
        if "DCGM" in query:
            found = [self._sample("625", **of, pod=pod["metadata"]["name"]) for pod in self.service.pods()]
        else:
            tokens = "500" if "generation_tokens_total" in query else "2000" if "prompt_tokens_total" in query else ""
            by_service = "by (namespace, inferenceservice) (rate" in query
            found = [self._sample(tokens, **of, inferenceservice=self.service.name)] if tokens and by_service else []
        return json.dumps({"status": "success", "data": {"resultType": "vector", "result": found}}).encode()

    @staticmethod
    def _sample(value: str, **labels: str) -> Object:
        return {"metric": labels, "value": [1.7e9, value]}


class Factory:
    """The AIFactory of the cluster."""

    def __init__(self, kube: Kube) -> None:
        self.kube = kube

    def price(self, amount: str) -> None:
        """Create or change it."""
        accelerators = [{"product": H100, "pricePerGPUHour": amount, "wattsPerGPU": 700}]
        manifest = {"apiVersion": "aifactory.dev/v1alpha1", "kind": "AIFactory", "metadata": {"name": "default"}}
        self.kube.apply(FACTORY, {**manifest, "spec": {"accelerators": accelerators}})

    def delete(self) -> None:
        self.kube.delete(FACTORY)


@pytest.fixture
def factory(kube: Kube) -> Iterator[Factory]:
    made = Factory(kube)
    yield made
    made.delete()


@pytest.fixture
def serving(api: ControlPlane, kube: Kube, namespace: str, own_service: Service) -> Iterator[Service]:
    """A service whose pods have a node, where nodes are named alone, and serve."""
    settings = {"AIFACTORY_STATUS_INTERVAL": "1"}
    with serve(Prometheus(own_service)) as url, new_operator(api, namespace, AIFACTORY_PROMETHEUS_URL=url, **settings):
        own_service.apply({"accelerator": {"product": H100, "count": GPUS}})
        place(kube, own_service)
        own_service.become_ready()
        yield own_service


def place(kube: Kube, service: Service) -> None:
    """Play the scheduler."""
    for pod in service.wait("a pod exists", service.pods):
        name = pod["metadata"]["name"]
        target = {"apiVersion": "v1", "kind": "Node", "name": "gpu-node"}
        binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name}, "target": target}
        kube.send("POST", path(service.namespace, "pods", name, "binding"), binding)


def test_cost_and_energy_follow_prices_pods_and_tokens(serving: Service, factory: Factory) -> None:
    said = serving.wait("what to set is said", lambda: serving.status().get("cost", {}).get("message"))
    assert f"give {H100} a pricePerGPUHour in spec.accelerators of the AIFactory default" in said
    factory.price("2.50")
    serving.wait("an hour has a price", lambda: serving.status().get("cost", {}).get("perMillionTokens"))
    assert serving.status()["cost"] == {
        "basis": "Catalogue",
        "gpus": GPUS,
        "pricePerHour": "5.00",
        "perMillionTokens": "0.556",
        "outputPerMillionTokens": "2.78",
        "window": "1m",
    }
    measured = {"basis": "Measured", "watts": "625", "tokensPerWatt": "4.00"}
    serving.wait("power is measured", lambda: serving.status().get("energy") == measured)
    factory.price("5.00")
    serving.wait("the price follows", lambda: serving.status().get("cost", {}).get("pricePerHour") == "10.00")
    assert serving.status()["cost"]["perMillionTokens"] == "1.11"
    factory.delete()
    serving.wait("no price is made up", lambda: "pricePerHour" not in serving.status().get("cost", {}))


def test_a_leaving_pod_costs_until_it_is_gone(serving: Service, factory: Factory) -> None:
    factory.price("2.50")
    serving.wait("its GPUs cost", lambda: serving.status().get("cost", {}).get("gpus") == GPUS)
    (pod,) = serving.pods()
    where = path(serving.namespace, "pods", pod["metadata"]["name"])
    # Without a kubelet that ends it, it leaves for ever.
    serving.kube.delete(where)
    (other,) = serving.wait("another pod stands in", serving.pods)
    assert other["metadata"]["name"] != pod["metadata"]["name"]
    place(serving.kube, serving)
    serving.wait("both cost", lambda: serving.status().get("cost", {}).get("gpus") == 2 * GPUS)
    serving.kube.send("DELETE", where, {"gracePeriodSeconds": 0})
    serving.wait("one costs", lambda: serving.status().get("cost", {}).get("gpus") == GPUS)
