"""What one user writes, however strange, leaves the operator at work for all others."""

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
    kube.send("POST", path(namespace, "pods"), pod)
    with new_operator(api, namespace):
        own_service.apply()
        own_service.wait_children()
