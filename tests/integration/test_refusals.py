"""What the operator must not touch, and what the API server does not take."""

from typing import Any

import pytest

from tests.e2e.kube import MERGE, Object, path
from tests.operator_process import OperatorProcess

from .service import Service

FOREIGN: dict[str, Any] = {
    "deployments": {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"app": "shop"}},
            "template": {
                "metadata": {"labels": {"app": "shop"}},
                "spec": {"containers": [{"name": "web", "image": "shop:1"}]},
            },
        },
    },
    "services": {
        "apiVersion": "v1",
        "kind": "Service",
        "spec": {"selector": {"app": "shop"}, "ports": [{"port": 80, "targetPort": 8080}]},
    },
    "serviceaccounts": {"apiVersion": "v1", "kind": "ServiceAccount"},
}


@pytest.mark.parametrize("plural", FOREIGN)
def test_an_object_of_somebody_else_is_left_alone_and_named(service: Service, plural: str) -> None:
    name = service.child_path(plural).rpartition("/")[2]
    foreign = FOREIGN[plural] | {"metadata": {"name": name}}
    created = service.kube.send("POST", path(service.namespace, plural), foreign)
    service.apply()
    stalled = service.wait_for("Stalled", "True", "NameTaken")
    assert f"{foreign['kind']} {name}" in stalled["message"]
    assert "rename the service or remove that object" in stalled["message"]
    live = service.child(plural)
    assert live is not None
    assert live["metadata"].get("ownerReferences") is None
    assert live.get("spec", {}) == created.get("spec", {})
    service.kube.delete(service.child_path(plural))
    service.wait_children()
    service.wait("nothing to tell", lambda: service.condition("Stalled") == {})


def test_a_refused_child_is_explained_and_the_last_good_one_serves(service: Service) -> None:
    service.become_ready()
    before = service.deployment()["spec"]["template"]
    bad = {"key": "zone", "operator": "Exists", "values": ["a"]}
    terms = [{"matchExpressions": [bad]}]
    node_affinity = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    service.apply({"podTemplate": {"affinity": {"nodeAffinity": node_affinity}}})
    stalled = service.wait_for("Stalled", "True", "ApplyRejected")
    assert "nodeAffinity" in stalled["message"]
    assert "may not be specified when `operator` is 'Exists'" in stalled["message"]
    assert service.deployment()["spec"]["template"] == before
    ready = service.wait_for("Ready", "False", "ApplyRejected")
    assert "still serving: 1" in ready["message"]
    service.apply()
    service.wait_for("Ready", "True", "Available")


SLEEPS = {"scaling": {"minReplicas": 0, "maxReplicas": 2}}
CANARY = {"rollout": {"canary": {"steps": ["50%"], "stepDuration": "15s", "minRequests": 50}}}
THREE = {"scaling": {"minReplicas": 3, "maxReplicas": 4}}
SCALES = {"scaling": {"minReplicas": 1, "maxReplicas": 4}}


def another(service: Service, suffix: str) -> Service:
    """A service whose name is that of a child of the first."""
    return Service(service.api, service.kube, service.namespace, service.name + suffix)


def what_is_ours(live: Object | None) -> tuple[Object, Object]:
    assert live is not None
    return live["metadata"]["ownerReferences"], live["spec"]


def test_a_child_of_another_service_is_left_alone_whoever_is_named_like_it(service: Service) -> None:
    service.apply(SLEEPS)
    late = another(service, "-direct")
    before = what_is_ours(service.wait("the way to its replicas", lambda: late.child("services")))
    late.apply()
    stalled = late.wait_for("Stalled", "True", "NameTaken")
    owner = f"InferenceService {service.name}"
    assert f"Service {late.name} exists and belongs to {owner}; rename the service or {owner}" in stalled["message"]
    assert what_is_ours(late.child("services")) == before
    assert late.deployment() == {}, "nobody could reach its replicas"
    assert service.condition("Stalled") == {}
    service.delete()
    late.wait_children()
    late.delete()


def test_a_canary_takes_nothing_from_a_service_that_is_named_like_it(service: Service) -> None:
    first = another(service, "-canary")
    first.apply()
    first.wait_children()
    service.become_ready()
    plurals = ("networkpolicies", "deployments")
    before = [what_is_ours(first.child(plural)) for plural in plurals]
    service.apply({**CANARY, "runtime": {"args": ["--seed", "2"]}})
    stalled = service.wait_for("Stalled", "True", "NameTaken")
    assert f"NetworkPolicy {first.name} exists and belongs to InferenceService {first.name}" in stalled["message"]
    assert [what_is_ours(first.child(plural)) for plural in plurals] == before
    assert "still serving: 1" in service.condition("Ready")["message"]
    first.delete()


def lose(operator: OperatorProcess, service: Service, *plurals: str) -> None:
    """Children of a service with three replicas, while the operator is away."""
    service.apply(THREE)
    service.wait("reported", lambda: service.status().get("replicas", {}).get("desired") == 3)
    service.apply(SCALES)
    service.wait("seen", lambda: service.status()["observedGeneration"] == 2)
    operator.stop()
    for plural in plurals:
        service.kube.delete(service.child_path(plural))
    service.wait("gone", lambda: not service.deployment())


def test_one_child_that_is_refused_keeps_no_other_from_being_repaired(
    operator: OperatorProcess, own_service: Service
) -> None:
    service = own_service
    lose(operator, service, "poddisruptionbudgets", "services", "deployments")
    foreign = {"metadata": {"name": service.name}, "spec": {"selector": {"matchLabels": {"app": "shop"}}}}
    service.kube.send("POST", path(service.namespace, "poddisruptionbudgets"), foreign)
    operator.start()
    stalled = service.wait_for("Stalled", "True", "NameTaken")
    assert "PodDisruptionBudget chat exists and belongs to something else" in stalled["message"]
    assert service.child("services")
    assert service.deployment()["spec"]["replicas"] == 3
    assert service.status()["replicas"]["desired"] == 3


def test_pods_wait_for_the_policy_that_says_who_may_reach_them(operator: OperatorProcess, own_service: Service) -> None:
    service = own_service
    lose(operator, service, "networkpolicies", "poddisruptionbudgets", "deployments")
    foreign = {"metadata": {"name": service.name}, "spec": {"podSelector": {"matchLabels": {"app": "shop"}}}}
    service.kube.send("POST", path(service.namespace, "networkpolicies"), foreign)
    operator.start()
    service.wait_for("Stalled", "True", "NameTaken")
    assert service.child("poddisruptionbudgets")
    assert service.deployment() == {}
    assert service.status()["replicas"]["desired"] == 3, "as many as it will come back with"
    service.kube.delete(service.child_path("networkpolicies"))
    service.wait_children()
    assert service.deployment()["spec"]["replicas"] == 3


ADDED: dict[str, Object] = {
    "services": {"selector": {"evil": "1"}, "ports": [{"port": 81, "targetPort": 9}]},
    "poddisruptionbudgets": {"maxUnavailable": None, "minAvailable": 1},
}


@pytest.mark.parametrize("plural", ADDED)
def test_a_child_that_what_others_added_made_invalid_is_repaired_and_stays_the_same_object(
    service: Service, plural: str
) -> None:
    service.apply(THREE)
    service.wait("reported", lambda: service.status().get("replicas", {}).get("desired") == 3)
    service.apply(SCALES)
    service.wait("seen", lambda: service.status()["observedGeneration"] == 2)
    before = service.child(plural)
    assert before is not None
    service.kube.send("PATCH", service.child_path(plural), {"spec": ADDED[plural]}, MERGE)
    service.kube.delete(service.child_path("deployments"))

    def repaired() -> bool:
        live = service.child(plural)
        return live is not None and (live["metadata"]["uid"], live["spec"]) == (
            before["metadata"]["uid"],
            before["spec"],
        )

    service.wait("repaired", repaired)
    service.wait("recreated", service.deployment)
    assert service.deployment()["spec"]["replicas"] == 3
    service.wait("nothing to tell", lambda: service.condition("Stalled") == {})
