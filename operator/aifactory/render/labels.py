"""Labels of children and pods. The operator's keys win over the user's."""

from typing import Any

from aifactory.api import GROUP
from aifactory.api.inferenceservice import InferenceService

# Prometheus relabels SERVICE into the label `inferenceservice` and reads each pod's metrics at METRICS_PATH of the port
# named METRICS_PORT.
SERVICE = f"{GROUP}/inferenceservice"
METRICS_PATH = f"{GROUP}/metrics-path"
METRICS_PORT = f"{GROUP}/metrics-port"
# What an engine reads as a file.
ENGINE_CONFIG = f"{GROUP}/engine-config"
COMPONENT = "app.kubernetes.io/component"
MODEL_SERVER = "model-server"


def selector(service: InferenceService) -> dict[str, str]:
    """Labels that find the service's pods. A Deployment's selector is immutable: never add to it."""
    return {SERVICE: service.metadata.name, COMPONENT: MODEL_SERVER}


def child(service: InferenceService) -> dict[str, str]:
    """Labels of child objects and pods."""
    return {
        "app.kubernetes.io/name": service.spec.runtime.engine.value,
        "app.kubernetes.io/instance": service.metadata.name,
        "app.kubernetes.io/part-of": "aifactory",
        "app.kubernetes.io/managed-by": "aifactory-operator",
        **selector(service),
    }


def metadata(service: InferenceService, name: str) -> dict[str, Any]:
    """Metadata of a child; Kubernetes deletes it with its owner. An offline manifest has no uid, hence no owner."""
    owned = {"ownerReferences": [service.owner_reference()]} if service.metadata.uid else {}
    return {"name": name, "namespace": service.metadata.namespace, "labels": child(service), **owned}
