"""Does a live object still hold everything that was rendered?"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

HASH_ANNOTATION = "aifactory.dev/rendered"
# Lists that the API server merges item by item, and the fields that tell items apart, as declared in the Kubernetes
# OpenAPI document (x-kubernetes-list-map-keys). Every other list, with all below it, belongs to its writer as a whole.
_MERGED: dict[str, tuple[str, ...]] = {
    "containers": ("name",),
    "env": ("name",),
    "imagePullSecrets": ("name",),
    "ownerReferences": ("uid",),
    "ports": ("containerPort", "port", "protocol"),
    "topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
    "volumeMounts": ("mountPath",),
    "volumes": ("name",),
}
# Objects that the API server replaces as a whole (x-kubernetes-map-type atomic): one more label selects other pods.
_ATOMIC = ("nodeSelector", "podSelector", "selector")


def stamp(child: Mapping[str, Any]) -> dict[str, Any]:
    """The object with a fingerprint of itself, replicas left out: a field that is no longer rendered changes it."""
    content = {**child, "spec": {k: v for k, v in child.get("spec", {}).items() if k != "replicas"}}
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
    metadata = child["metadata"]
    annotations = {**metadata.get("annotations", {}), HASH_ANNOTATION: digest}
    return {**child, "metadata": {**metadata, "annotations": annotations}}


def holds(live: Any, rendered: Any) -> bool:
    """Every rendered field is in the live object with the same value; what others added is ignored."""
    return _holds(live, rendered, _MERGED)


def _holds(live: Any, rendered: Any, merged: Mapping[str, tuple[str, ...]]) -> bool:
    if isinstance(rendered, Mapping):
        return isinstance(live, Mapping) and all(
            key in live and _field_holds(key, live[key], value, merged) for key, value in rendered.items()
        )
    if isinstance(rendered, list):
        return (
            isinstance(live, list)
            and len(live) == len(rendered)
            and all(_holds(item, wanted, {}) for item, wanted in zip(live, rendered, strict=True))
        )
    return bool(live == rendered)


def _field_holds(name: str, live: Any, rendered: Any, merged: Mapping[str, tuple[str, ...]]) -> bool:
    if name in _ATOMIC:
        return bool(live == rendered)
    if name not in merged or not isinstance(live, list):
        return _holds(live, rendered, merged)
    found = {_identity(item, merged[name]): item for item in live}
    return all(_holds(found.get(_identity(item, merged[name])), item, merged) for item in rendered)


def _identity(item: Mapping[str, Any], keys: tuple[str, ...]) -> tuple[Any, ...]:
    return tuple(item.get(key) for key in keys)
