"""Does a live object still hold everything that was rendered?"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from aifactory.api import GROUP

from .digest import digest

HASH_ANNOTATION = f"{GROUP}/rendered"
# Lists that the API server merges item by item, and the fields that tell items apart, as declared in the Kubernetes
# OpenAPI document (x-kubernetes-list-map-keys). Every other list, with all below it, belongs to its writer as a whole.
_MERGED: dict[str, tuple[str, ...]] = {
    "claims": ("name",),
    "containers": ("name",),
    "env": ("name",),
    "imagePullSecrets": ("name",),
    "ownerReferences": ("uid",),
    "resourceClaims": ("name",),
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
    metadata = child["metadata"]
    annotations = {**metadata.get("annotations", {}), HASH_ANNOTATION: digest(content)}
    return {**child, "metadata": {**metadata, "annotations": annotations}}


@dataclass(frozen=True, slots=True)
class Difference:
    """A rendered field that is otherwise in the live object, where it is None if it is missing."""

    path: str
    live: Any
    rendered: Any


def holds(live: Any, rendered: Any) -> bool:
    """Every rendered field is in the live object with the same value; what others added is ignored."""
    return next(differences(live, rendered), None) is None


def differences(live: Any, rendered: Any) -> Iterator[Difference]:
    """The rendered fields that are not in the live object with the same value; what others added is none of them."""
    return _differences(live, rendered, _MERGED, "")


def replacement(live: Any, rendered: Any) -> Any:
    """A JSON merge patch after which the live object holds what was rendered and nothing that others added."""
    if not isinstance(live, Mapping) or not isinstance(rendered, Mapping):
        return rendered
    kept = {name: replacement(live.get(name), value) for name, value in rendered.items()}
    return dict.fromkeys(live.keys() - rendered.keys()) | kept


def _differences(live: Any, rendered: Any, merged: Mapping[str, tuple[str, ...]], path: str) -> Iterator[Difference]:
    if live == rendered:
        return
    if isinstance(rendered, Mapping) and isinstance(live, Mapping):
        for name, value in rendered.items():
            where = f"{path}.{name}" if path else name
            if name in live:
                yield from _of_field(name, live[name], value, merged, where)
            else:
                yield Difference(where, None, value)
    elif isinstance(rendered, list) and isinstance(live, list) and len(live) == len(rendered):
        for index, (item, wanted) in enumerate(zip(live, rendered, strict=True)):
            yield from _differences(item, wanted, {}, f"{path}[{index}]")
    else:
        yield Difference(path, live, rendered)


def _of_field(
    name: str, live: Any, rendered: Any, merged: Mapping[str, tuple[str, ...]], path: str
) -> Iterator[Difference]:
    if name in _ATOMIC:
        if live != rendered:
            yield Difference(path, live, rendered)
    elif name in merged and isinstance(live, list):
        found = {_identity(item, merged[name]): item for item in live}
        for item in rendered:
            identity = _identity(item, merged[name])
            yield from _differences(found.get(identity), item, merged, f"{path}[{_name(identity)}]")
    else:
        yield from _differences(live, rendered, merged, path)


def _name(identity: tuple[Any, ...]) -> Any:
    """The first field that tells the item apart; ports of containers and of Services are known by different ones."""
    return next((value for value in identity if value is not None), None)


def _identity(item: Mapping[str, Any], keys: tuple[str, ...]) -> tuple[Any, ...]:
    return tuple(item.get(key) for key in keys)
