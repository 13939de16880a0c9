"""How pods of a service find each other through the Kubernetes API."""

from collections.abc import Sequence
from typing import Any

from aifactory.runtimes import Role

from . import labels, naming

_RBAC = "rbac.authorization.k8s.io"


def discovery(parts: Sequence[Role]) -> list[dict[str, Any]]:
    """What pods of these roles need for it, nothing if they do not look for each other."""
    return [_service(parts[0]), _access(parts[0]), _binding(parts)] if parts[0].discovery else []


def _service(role: Role) -> dict[str, Any]:
    """Nobody calls it: its EndpointSlices, which inherit its labels, say which pods of all roles are ready."""
    metadata = labels.metadata(role, naming.discovery(role.service))
    found = role.discovery.labels if role.discovery else {}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {**metadata, "labels": {**metadata["labels"], **found}},
        "spec": {"type": "ClusterIP", "clusterIP": "None", "selector": labels.whole_service(role)},
    }


def _access(role: Role) -> dict[str, Any]:
    """All that the pods may do, in their own namespace; the operator can grant only what it may do itself."""
    rules = role.discovery.rules if role.discovery else ()
    return {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "Role",
        "metadata": labels.metadata(role, naming.discovery(role.service)),
        "rules": [{name: list(words) for name, words in rule.items()} for rule in rules],
    }


def _binding(parts: Sequence[Role]) -> dict[str, Any]:
    name, namespace = naming.discovery(parts[0].service), parts[0].service.metadata.namespace
    return {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "RoleBinding",
        "metadata": labels.metadata(parts[0], name),
        "roleRef": {"apiGroup": _RBAC, "kind": "Role", "name": name},
        "subjects": [
            {"kind": "ServiceAccount", "name": naming.service_account(role), "namespace": namespace} for role in parts
        ],
    }
