"""Complete lists of everything that is watched: they fill the store at the start, and heal what watches missed."""

from collections.abc import Collection, Mapping
from typing import Any

from .client import ApiError, Client
from .kinds import Key, Resource
from .objects import Objects

_PAGE = "250"
_EVERYWHERE: tuple[None] = (None,)


async def refresh(
    client: Client,
    store: Objects[Any],
    kinds: Mapping[str, Resource],
    namespaces: Collection[str],
    changed: set[Key],
) -> None:
    """Bring the store in line with the cluster; `changed` gets ours about which something was learned.

    All namespaces are read when none are given. A kind that is not served has no objects.

    Raises:
        ApiError: if a list cannot be read; what was read before it is kept, and no news when it is read again.
    """
    for kind, resource in kinds.items():
        for namespace in namespaces or _EVERYWHERE:
            await _refresh(client, store, kind, resource, namespace, changed)


async def _refresh(
    client: Client,
    store: Objects[Any],
    kind: str,
    resource: Resource,
    namespace: str | None,
    changed: set[Key],
) -> None:
    path = resource.collection(namespace or "")
    family = store.family
    query = {"limit": _PAGE} if kind == family.kind else {"limit": _PAGE, "labelSelector": family.label}
    there: set[Key] = set()
    while True:
        try:
            page = await client.request("GET", path, resource.plural, **query)
        except ApiError as error:
            if error.status == 404:
                return
            raise
        for item in page["items"]:
            metadata = item["metadata"]
            there.add((metadata["namespace"], metadata["name"]))
            key = family.key(kind, metadata)
            if store.put(kind, {"apiVersion": page["apiVersion"], "kind": kind, **item}) and key is not None:
                changed.add(key)
        if not page["metadata"].get("continue"):
            changed |= store.keep(kind, namespace, there, int(page["metadata"]["resourceVersion"]))
            return
        query["continue"] = page["metadata"]["continue"]
