"""Labels of children and pods. The operator's keys win over the user's."""

from typing import Any

from aifactory.api import GROUP
from aifactory.api.rollout import Track
from aifactory.runtimes import Role

# Prometheus relabels SERVICE into the label `inferenceservice` and reads each pod's metrics at METRICS_PATH of the port
# named METRICS_PORT.
SERVICE = f"{GROUP}/inferenceservice"
METRICS_PATH = f"{GROUP}/metrics-path"
METRICS_PORT = f"{GROUP}/metrics-port"
# What an engine reads as a file.
ENGINE_CONFIG = f"{GROUP}/engine-config"
ROLE = f"{GROUP}/role"
TRACK = f"{GROUP}/track"
ENGINE = "app.kubernetes.io/name"
# Of pods that serve together with others. Workers have MEMBER_OF instead of ROLE, so that no request reaches them.
MEMBER_OF = f"{GROUP}/member-of"
NODES = f"{GROUP}/nodes"
REPLICA = f"{GROUP}/replica"
# Of the Service of all replicas with several pods: how many there should be. Of a canary's Deployment: how many of both
# tracks together.
REPLICAS = f"{GROUP}/replicas"
# Of pods that find each other: with which others they serve.
GENERATION = f"{GROUP}/generation"
COMPONENT = "app.kubernetes.io/component"
# Fingerprint of the pod template that a workload was given.
TEMPLATE = f"{GROUP}/template"
# Fingerprint that a Deployment's controller gives to pods of a template.
TEMPLATE_HASH = "pod-template-hash"


def selector(role: Role) -> dict[str, str]:
    """Labels that find the pods of a role, on every track."""
    return {SERVICE: role.service.metadata.name, ROLE: role.name.value}


def nobody(role: Role) -> dict[str, str]:
    """Labels that no pod has."""
    return {SERVICE: role.service.metadata.name, ROLE: "none"}


def whole_service(role: Role) -> dict[str, str]:
    """Labels that find the pods of all roles of its service."""
    return {SERVICE: role.service.metadata.name}


def workload_selector(role: Role) -> dict[str, str]:
    """Labels that a Deployment knows its pods by. A Deployment's selector is immutable: never add to it."""
    component = role.track.value if role.track is Track.CANARY else role.name.value
    return {SERVICE: role.service.metadata.name, COMPONENT: component}


def members(role: Role) -> dict[str, str]:
    """Labels that find leaders and workers of a role whose replicas have several pods."""
    return {SERVICE: role.service.metadata.name, MEMBER_OF: role.name.value}


def child(role: Role) -> dict[str, str]:
    """Labels of child objects and pods."""
    return {
        ENGINE: role.spec.runtime.engine.value,
        "app.kubernetes.io/instance": role.service.metadata.name,
        "app.kubernetes.io/part-of": "aifactory",
        "app.kubernetes.io/managed-by": "aifactory-operator",
        **workload_selector(role),
        **selector(role),
    }


def metadata(role: Role, name: str) -> dict[str, Any]:
    """Metadata of a child; Kubernetes deletes it with its owner. An offline manifest has no uid, hence no owner."""
    service = role.service
    owned = {"ownerReferences": [service.owner_reference()]} if service.metadata.uid else {}
    return {"name": name, "namespace": service.metadata.namespace, "labels": child(role), **owned}
