"""Does a live object still hold everything that was rendered?"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

HASH_ANNOTATION = "aifactory.dev/rendered"
# Keys of the lists that the API server merges by key, as declared in the Kubernetes OpenAPI document
# (x-kubernetes-list-map-keys); every other list belongs to its writer as a whole.
_MERGE_KEYS = ("name", "mountPath", "uid", "containerPort", "port")


def stamp(child: Mapping[str, Any]) -> dict[str, Any]:
    """The object with a fingerprint of itself, replicas left out: a field that is no longer rendered changes it."""
    content = {**child, "spec": {k: v for k, v in child.get("spec", {}).items() if k != "replicas"}}
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
    metadata = child["metadata"]
    annotations = {**metadata.get("annotations", {}), HASH_ANNOTATION: digest}
    return {**child, "metadata": {**metadata, "annotations": annotations}}


def holds(live: Any, rendered: Any) -> bool:
    """Every rendered field is in the live object with the same value; what others added is ignored."""
    if isinstance(rendered, Mapping):
        return isinstance(live, Mapping) and all(
            key in live and holds(live[key], value) for key, value in rendered.items()
        )
    if isinstance(rendered, list):
        return isinstance(live, list) and _list_holds(live, rendered)
    return bool(live == rendered)


def _list_holds(live: list[Any], rendered: list[Any]) -> bool:
    key = _merge_key(rendered)
    if key is None:
        return len(live) == len(rendered) and all(map(holds, live, rendered))
    by_key = {item.get(key): item for item in live if isinstance(item, Mapping)}
    return all(holds(by_key.get(item[key]), item) for item in rendered)


def _merge_key(items: list[Any]) -> str | None:
    if not items or not all(isinstance(item, Mapping) for item in items):
        return None
    return next((key for key in _MERGE_KEYS if all(key in item for item in items)), None)
