"""What one user writes, however strange, leaves the operator at work for all others."""

import json

import requests

from tests.e2e.kube import path
from tests.kind.controlplane import ControlPlane

from .conftest import new_operator
from .kube import Kube
from .service import Service

# What the operator writes on pods of replicas that have several, by somebody who makes it up.
LABELS = {
    "aifactory.dev/inferenceservice": "chat",
    "aifactory.dev/member-of": "model-server",
    "aifactory.dev/nodes": "many",
    "aifactory.dev/replica": "last",
}


def test_a_pod_with_made_up_labels_does_not_keep_the_operator_from_starting(
    api: ControlPlane, kube: Kube, namespace: str, own_service: Service
) -> None:
    container = {"name": "strange", "image": "strange"}
    pod = {"metadata": {"name": "strange", "labels": LABELS}, "spec": {"containers": [container]}}
    account = path(namespace, "serviceaccounts", "default")
    own_service.wait("the namespace takes pods", lambda: kube.find(account))
    kube.send("POST", path(namespace, "pods"), pod)
    with new_operator(api, namespace):
        own_service.apply()
        own_service.wait_children()


def test_a_service_nested_deeper_than_can_be_read_back_is_stored_without_that(
    api: ControlPlane, namespace: str, own_service: Service
) -> None:
    affinity, deep = '"affinity": {}', f'"affinity": {_nested(2000)}'
    manifest = json.dumps(own_service.manifest({"podTemplate": {"affinity": {}}}))
    assert affinity in manifest
    answer = requests.post(
        api.url + path(namespace, "inferenceservices"),
        data=manifest.replace(affinity, deep),
        headers={"Authorization": f"Bearer {api.token}", "Content-Type": "application/json"},
        verify=str(api.ca_file),
        timeout=30,
    )
    assert answer.status_code == 201
    with new_operator(api, namespace):
        own_service.wait_children()


def _nested(depth: int) -> str:
    return '{"podAffinity": ' * depth + "{}" + "}" * depth
