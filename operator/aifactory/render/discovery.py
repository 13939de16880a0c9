"""How pods of a service find each other through the Kubernetes API."""

from collections.abc import Sequence
from typing import Any

from aifactory.runtimes import Discovery, Role

from . import labels, naming
from .identity import access


def discovery(parts: Sequence[Role]) -> list[dict[str, Any]]:
    """What pods of these roles need for it, nothing if they do not look for each other."""
    first = parts[0]
    if first.discovery is None:
        return []
    return [_service(first, first.discovery), *access(parts, naming.discovery(first.service), first.discovery.rules)]


def _service(role: Role, how: Discovery) -> dict[str, Any]:
    """Nobody calls it: its EndpointSlices, which inherit its labels, say which pods of all roles are ready."""
    metadata = labels.metadata(role, naming.discovery(role.service))
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {**metadata, "labels": {**metadata["labels"], **how.labels}},
        "spec": {"type": "ClusterIP", "clusterIP": "None", "selector": labels.whole_service(role)},
    }
