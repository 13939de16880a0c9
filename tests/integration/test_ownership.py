"""Children belong to the operator field by field: what others add stays, what is ours comes back."""

import json

import pytest

from tests.e2e.kube import Object

from .service import CHILDREN, Service


def test_what_others_add_to_a_child_survives_a_repair(service: Service) -> None:
    service.apply()
    service.wait_children()
    sidecar_env = {"name": "model-server", "env": [{"name": "ADDED", "value": "by hand"}]}
    added = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"labels": {"team": "nlp"}, "annotations": {"note": "mine"}},
        "spec": {"template": {"spec": {"containers": [sidecar_env]}}},
    }
    service.kube.apply(service.child_path("deployments"), added)
    service.kube.merge(service.child_path("deployments"), {"spec": {"progressDeadlineSeconds": 7}})
    service.wait("repaired", lambda: service.deployment()["spec"]["progressDeadlineSeconds"] != 7)
    found = service.deployment()
    assert found["metadata"]["labels"]["team"] == "nlp"
    assert found["metadata"]["annotations"]["note"] == "mine"
    assert {"name": "ADDED", "value": "by hand"} in service.container()["env"]


def test_an_image_changed_by_hand_is_put_back(service: Service) -> None:
    service.apply()
    service.wait_children()
    image = service.container()["image"]
    containers = [{"name": "model-server", "image": "intruder:1"}]
    service.kube.merge(service.child_path("deployments"), {"spec": {"template": {"spec": {"containers": containers}}}})
    service.wait("repaired", lambda: service.container()["image"] == image)


def test_a_label_removed_by_hand_is_put_back(service: Service) -> None:
    service.apply()
    service.wait_children()
    service.kube.merge(
        service.child_path("services"), {"metadata": {"labels": {"aifactory.dev/inferenceservice": None}}}
    )

    def labels() -> object:
        return (service.child("services") or {})["metadata"]["labels"].get("aifactory.dev/inferenceservice")

    service.wait("repaired", lambda: labels() == service.name)


def test_a_field_dropped_from_the_spec_disappears_from_the_child(service: Service) -> None:
    service.apply({"podTemplate": {"annotations": {"example.org/old": "yes"}, "schedulerName": "gang"}})
    service.wait_children()
    template = service.deployment()["spec"]["template"]
    assert template["metadata"]["annotations"]["example.org/old"] == "yes"
    assert template["spec"]["schedulerName"] == "gang"
    service.apply()
    template = service.wait("dropped", lambda: _template_without(service, "gang"))
    assert "example.org/old" not in template["metadata"].get("annotations", {})


def _template_without(service: Service, scheduler: str) -> Object | None:
    template: Object = service.deployment()["spec"]["template"]
    return None if template["spec"]["schedulerName"] == scheduler else template


@pytest.mark.parametrize("plural", CHILDREN)
def test_a_child_deleted_by_hand_comes_back(service: Service, plural: str) -> None:
    service.apply()
    service.wait_children()
    uid = (service.child(plural) or {})["metadata"]["uid"]
    service.kube.delete(service.child_path(plural))

    def replaced() -> bool:
        found = service.child(plural)
        return found is not None and found["metadata"]["uid"] != uid

    service.wait("recreated", replaced)


def test_replicas_changed_by_hand_are_put_back_on_a_fixed_service(service: Service) -> None:
    service.apply({"replicas": 2})
    service.wait_children()
    service.api.kubectl("scale", "deployment", service.name, "-n", service.namespace, "--replicas=5")
    service.wait("put back", lambda: service.deployment()["spec"]["replicas"] == 2)


def test_replicas_set_by_hand_on_a_service_that_scales_count_and_are_told(service: Service) -> None:
    service.apply({"scaling": {"minReplicas": 1, "maxReplicas": 8}})
    service.become_ready()
    service.wait("a decision", lambda: service.status().get("scaling", {}).get("decision"))
    for replicas in (3, 2):
        service.api.kubectl("scale", "deployment", service.name, "-n", service.namespace, f"--replicas={replicas}")
        newest = service.wait("told", lambda count=replicas: _adopted(service, count))
        assert newest["reason"] == "AdoptedReplicas"
        assert service.deployment()["spec"]["replicas"] == replicas
    assert [(entry["from"], entry["to"]) for entry in service.status()["scaling"]["history"]] == [(3, 2), (1, 3)]


def _adopted(service: Service, replicas: int) -> Object | None:
    history = service.status()["scaling"].get("history") or [{}]
    return history[0] if history[0].get("to") == replicas else None


def test_replicas_that_new_bounds_bring_are_nobody_elses(service: Service) -> None:
    service.apply({"scaling": {"minReplicas": 1, "maxReplicas": 8}})
    service.become_ready()
    service.wait("a decision", lambda: service.status().get("scaling", {}).get("decision"))
    service.apply({"scaling": {"minReplicas": 2, "maxReplicas": 8}})
    newest = service.wait("told", lambda: _adopted(service, 2))
    assert (newest["from"], newest["reason"]) == (1, "BoundsChanged")


def test_a_manifest_has_no_diff_after_convergence(service: Service) -> None:
    service.apply()
    service.become_ready()
    service.wait_for("MetricsAvailable", "False", "PrometheusUnreachable")  # the last that there is to tell
    manifest = json.dumps(service.manifest())
    diff = ("diff", "--server-side", "--field-manager=gitops", "-f", "-")
    assert service.api.kubectl(*diff, stdin=manifest) == ""
