"""The operator as it is installed: its service account, cluster-wide, with the Lease and every optional kind."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.kube import Object, path
from tests.kind.controlplane import ControlPlane
from tests.kind.processes import free_ports
from tests.operator_process import OperatorProcess

from .cache import Cache
from .kube import Kube
from .service import CHILDREN, Service, operator_writes

MANIFESTS = Path(__file__).parents[2] / "manifests"
SYSTEM, ACCOUNT = "aifactory-system", "aifactory-operator"
USER = f"system:serviceaccount:{SYSTEM}:{ACCOUNT}"
READ = {"get", "list", "watch"}
MERGE = "application/merge-patch+json"
OPTIONAL = ("podmonitors", "httproutes")
OURS = ("inferenceservices", "modelcaches")
POOL = ("inferencepools", "roles", "rolebindings")
ALL_CHILDREN = (*CHILDREN, *OPTIONAL, "ingresses", *POOL, "leaderworkersets", "statefulsets")
# What a Gateway says of a route.
ACCEPTED = {
    "parents": [
        {
            "parentRef": {"name": "public"},
            "controllerName": "example.com/gateway",
            "conditions": [
                {
                    "type": "Accepted",
                    "status": "True",
                    "reason": "Accepted",
                    "message": "",
                    "lastTransitionTime": "2026-01-01T00:00:00Z",
                }
            ],
        }
    ]
}
# Write verbs that no life of a service needs, and why they are granted.
RESERVED = {
    # A server-side apply of an object that is not there yet must also be allowed to create it.
    **{f"create {plural}": "apply" for plural in (*ALL_CHILDREN, "jobs", "persistentvolumeclaims")},
    # Children that this version no longer renders are removed.
    **{f"delete {plural}": "upgrade" for plural in ALL_CHILDREN},
    # test_several_nodes.py needs them, with the same rights.
    **dict.fromkeys(("patch statefulsets", "delete pods"), "where there is no LeaderWorkerSet"),
    **{f"{verb} dynamoworkermetadatas": "held to be granted to pods of Dynamo" for verb in ("create", "patch")},
    **{f"update {kind}/finalizers": "clusters that enforce owner references ask for it" for kind in OURS},
}


@pytest.fixture(scope="module")
def plane(complete_api: ControlPlane) -> ControlPlane:
    """The operator serves all of its namespaces."""
    complete_api.kubectl("apply", "--server-side", "-k", str(MANIFESTS))
    return complete_api


@pytest.fixture
def installed(plane: ControlPlane) -> Iterator[OperatorProcess]:
    kubeconfig = plane.kubeconfig_for_service_account(SYSTEM, ACCOUNT)
    settings = {
        "AIFACTORY_LEASE_NAMESPACE": SYSTEM,
        "AIFACTORY_LEASE_DURATION": "120",
        "AIFACTORY_MONITOR_LABELS": "release=prometheus",
    }
    with OperatorProcess(kubeconfig, free_ports(1)[0], settings) as operator:
        yield operator


@pytest.fixture
def full_life(plane: ControlPlane, installed: OperatorProcess) -> Service:
    """A service that was created, scaled up and down, damaged and deleted, and a cache that was filled twice."""
    cache = Cache(Kube(plane), "default", "weights")
    cache.fill()
    (first,) = cache.listed("jobs")
    cache.apply({"source": {"huggingFace": {"repo": "acme/other"}}})
    uid = first["metadata"]["uid"]
    cache.wait("another Job", lambda: [one for one in cache.listed("jobs") if one["metadata"]["uid"] != uid])
    cache.delete()
    service = Service(plane, Kube(plane), "default", "chat")
    service.apply({"scaling": {"minReplicas": 2, "maxReplicas": 3}})
    service.wait("two pods", lambda: len(service.pods()) == 2)
    monitor = service.wait("a PodMonitor, as the cluster has that kind", lambda: service.child("podmonitors"))
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    exposed = {"expose": {"host": "chat.example.com", "gateway": {"name": "public"}}}
    service.load_model()
    service.wait_for("Ready", "True", "Available")
    service.apply({"scaling": {"minReplicas": 1, "maxReplicas": 1}, **exposed})
    service.wait("a route, as the cluster has that kind", lambda: service.child("httproutes"))
    service.apply({"scaling": {"minReplicas": 1, "maxReplicas": 1}, "expose": {"host": "a.example.com", "ingress": {}}})
    service.wait("an Ingress instead", lambda: service.child("ingresses") and not service.child("httproutes"))
    service.wait("scaled down", lambda: service.deployment()["spec"]["replicas"] == 1)
    service.apply({"scaling": {"minReplicas": 1, "maxReplicas": 1}, "runtime": {"engine": "llmd"}})
    service.wait("a pool, as the cluster has that kind", lambda: service.child("inferencepools"))
    service.apply({"replicas": 1, "accelerator": {"nodes": 2}})
    groups = path("default", "leaderworkersets", "chat-nodes")
    service.wait("groups of pods, as the cluster has that kind", lambda: service.kube.find(groups))
    service.delete()
    installed.stop()
    return service


def test_every_right_is_enough_and_needed(plane: ControlPlane, installed: OperatorProcess, full_life: Service) -> None:
    writes = [event for space in ("default", SYSTEM) for event in operator_writes(plane, space, USER)]
    assert [event for event in writes if event["responseStatus"]["code"] == 403] == []
    assert "orbidden" not in installed.log.read_text()
    used = {f"{event['verb']} {_resource(event['objectRef'])}" for event in writes}
    assert _granted_writes(plane) - used - RESERVED.keys() == set()


def _resource(reference: Object) -> str:
    return "/".join(filter(None, (reference["resource"], reference.get("subresource"))))


def _granted_writes(plane: ControlPlane) -> set[str]:
    roles = [
        plane.kubectl("get", "clusterrole", ACCOUNT, "-o", "json"),
        plane.kubectl("get", "role", ACCOUNT, "-n", SYSTEM, "-o", "json"),
    ]
    rules = [rule for role in roles for rule in json.loads(role)["rules"]]
    return {
        f"{verb} {name}" for rule in rules for name in rule["resources"] for verb in rule["verbs"] if verb not in READ
    }


def test_an_operator_of_one_namespace_is_refused_nothing(plane: ControlPlane) -> None:
    kubeconfig = plane.kubeconfig_for_service_account(SYSTEM, ACCOUNT)
    settings = {"AIFACTORY_LEASE_NAMESPACE": SYSTEM, "AIFACTORY_NAMESPACES": "default"}
    with OperatorProcess(kubeconfig, free_ports(1)[0], settings) as operator:
        service = Service(plane, Kube(plane), "default", "limited")
        service.become_ready()
        service.delete()
        assert "orbidden" not in operator.log.read_text()


@pytest.mark.usefixtures("installed")
def test_a_crash_of_the_api_server_is_survived(plane: ControlPlane) -> None:
    service = Service(plane, Kube(plane), "default", "survivor")
    service.apply()
    service.wait_children()
    plane.crash_apiserver()
    service.apply({"replicas": 2})
    service.wait("noticed", lambda: service.deployment()["spec"]["replicas"] == 2)
    service.kube.delete(service.child_path("services"))
    service.wait("repaired", lambda: service.child("services"))


def test_a_gateway_that_takes_the_route_is_told_and_a_restart_leaves_it_alone(
    plane: ControlPlane, installed: OperatorProcess
) -> None:
    service = Service(plane, Kube(plane), "default", "routed")
    exposed = {"expose": {"host": "chat.example.com", "gateway": {"name": "public"}}}
    service.apply(exposed)
    service.wait_for("Exposed", "Unknown", "RoutePending")
    service.kube.send("PATCH", f"{service.child_path('httproutes')}/status", {"status": ACCEPTED}, MERGE)
    service.wait_for("Exposed", "True", "RouteAccepted")
    before = {plural: _identity(service, plural) for plural in OPTIONAL}

    installed.stop()
    installed.start()
    service.apply({**exposed, "replicas": 2})
    service.wait("the operator is at work again", lambda: service.deployment()["spec"]["replicas"] == 2)
    assert {plural: _identity(service, plural) for plural in OPTIONAL} == before
    service.delete()


def _identity(service: Service, plural: str) -> tuple[str, str]:
    child = service.child(plural)
    assert child is not None
    return child["metadata"]["uid"], child["metadata"]["resourceVersion"]
