"""Mirrors of an AIFactory reach the downloads of caches; on a real API server, the kubelet is played."""

import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.e2e.kube import Object, path
from tests.kind.controlplane import ControlPlane
from tests.kind.processes import free_ports
from tests.operator_process import OperatorProcess

from .cache import PLANNED, Cache
from .conftest import SHARED_NAMESPACE
from .kube import Kube

FACTORY = path("", "aifactories", "default")
ROLE = Path(__file__).parents[2] / "manifests" / "operator" / "rbac.yaml"
RBAC = "/apis/rbac.authorization.k8s.io/v1"


class Factory:
    """The AIFactory of the cluster."""

    def __init__(self, kube: Kube) -> None:
        self.kube = kube

    def mirror(self, address: str) -> None:
        """Create or change it."""
        metadata, spec = {"name": "default"}, {"mirrors": {"huggingFace": address}}
        manifest = {"apiVersion": "aifactory.dev/v1alpha1", "kind": "AIFactory", "metadata": metadata, "spec": spec}
        self.kube.apply(FACTORY, manifest)

    def delete(self) -> None:
        self.kube.delete(FACTORY)


@pytest.fixture
def factory(kube: Kube, shared_operator: object) -> Iterator[Factory]:
    """Not yet created; the shared operator knows that it is gone when the test is over."""
    made = Factory(kube)
    yield made
    made.delete()
    probe = Cache(kube, SHARED_NAMESPACE, f"probe-{uuid.uuid4().hex[:6]}")
    probe.apply()
    probe.wait("the mirror is forgotten", lambda: addresses(probe) == [None])
    probe.delete()


@pytest.fixture
def cache(kube: Kube, shared_operator: object) -> Iterator[Cache]:
    """A cache, not yet created, that the shared operator, which is limited to its namespace, looks after."""
    made = Cache(kube, SHARED_NAMESPACE, f"weights-{uuid.uuid4().hex[:6]}")
    yield made
    made.delete()


def addresses(cache: Cache) -> list[str | None]:
    """Where its Jobs fetch from, None for the public address."""
    return [_order(job).get("endpoint") for job in cache.listed("jobs")]


def _order(job: Object) -> Object:
    arguments = job["spec"]["template"]["spec"]["containers"][0]["args"]
    order: Object = json.loads(arguments[arguments.index("--order") + 1])
    return order


def test_a_download_follows_the_mirror_as_it_comes_changes_and_goes(cache: Cache, factory: Factory) -> None:
    cache.apply()
    cache.wait("a Job at the public address", lambda: addresses(cache) == [None])
    factory.mirror("http://one.example.com")
    cache.wait("a Job at the mirror", lambda: addresses(cache) == ["http://one.example.com"])
    cache.play("Running", plan=PLANNED)
    factory.mirror("http://two.example.com")
    cache.wait("a Job at the new mirror", lambda: addresses(cache) == ["http://two.example.com"])
    factory.delete()
    cache.wait("a Job at the public address", lambda: addresses(cache) == [None])


def test_a_new_cache_fetches_from_the_mirror_unless_it_names_an_endpoint(cache: Cache, factory: Factory) -> None:
    factory.mirror("http://one.example.com")
    own = Cache(cache.kube, cache.namespace, f"{cache.name}-own")
    own.apply({"endpoint": "http://own.example.com"})
    cache.apply()
    cache.wait("a Job at the mirror", lambda: addresses(cache) == ["http://one.example.com"])
    own.wait("a Job at its endpoint", lambda: addresses(own) == ["http://own.example.com"])
    own.delete()


def test_a_complete_cache_is_left_alone(cache: Cache, factory: Factory) -> None:
    other = Cache(cache.kube, cache.namespace, f"{cache.name}-other")
    cache.fill()
    (before,) = cache.listed("jobs")
    other.apply()
    factory.mirror("http://one.example.com")
    other.wait("the mirror was seen", lambda: addresses(other) == ["http://one.example.com"])
    # A repair shows that the operator has looked at the cache with the mirror known.
    cache.kube.delete(cache.child_path("networkpolicies"))
    cache.wait("the operator has looked", lambda: cache.child("networkpolicies"))
    (after,) = cache.listed("jobs")
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert cache.condition("Ready")["status"] == "True"
    other.delete()


@pytest.fixture
def earlier(api: ControlPlane, kube: Kube, namespace: str) -> Iterator[OperatorProcess]:
    """An operator with the rights of an earlier version, in a namespace of its own."""
    rules = next(yaml.safe_load_all(ROLE.read_text()))["rules"]
    before = [rule for rule in rules if rule["resources"] != ["aifactories"]]
    # kopf waits a minute for these where it is given namespaces.
    before.append({"apiGroups": [""], "resources": ["namespaces"], "verbs": ["list", "watch"]})
    kube.send("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": "operator"}})
    kube.send("POST", f"{RBAC}/clusterroles", {"metadata": {"name": namespace}, "rules": before})
    binding = {
        "metadata": {"name": namespace},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": namespace},
        "subjects": [{"kind": "ServiceAccount", "name": "operator", "namespace": namespace}],
    }
    kube.send("POST", f"{RBAC}/clusterrolebindings", binding)
    kubeconfig = api.kubeconfig_for_service_account(namespace, "operator")
    settings = {"AIFACTORY_NAMESPACES": namespace}
    with OperatorProcess(kubeconfig, free_ports(1)[0], settings) as operator:
        yield operator
    for plural in ("clusterrolebindings", "clusterroles"):
        kube.delete(f"{RBAC}/{plural}/{namespace}")


def test_an_operator_that_may_not_read_it_goes_on_without(
    kube: Kube, namespace: str, earlier: OperatorProcess, factory: Factory
) -> None:
    factory.mirror("http://one.example.com")
    cache = Cache(kube, namespace, "weights")
    cache.fill()
    assert addresses(cache) == [None]
    told = [line for line in earlier.log.read_text().splitlines() if "what it said before stays in force" in line]
    assert len(told) == 1
    assert "aifactories" in told[0]
