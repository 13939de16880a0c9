"""The only place where kopf calls us. Handlers remember what they see and enqueue a key; they never act.

Only `event` handlers are used: kopf then writes nothing to a user's object, no annotation and no finalizer. Its indices
are not used either: they keep a worker per object until all objects are indexed, which takes a minute of CPU and
300 MiB for 1,000 services. Complete lists (`cluster/listing.py`) fill the store before the first reconcile.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import kopf

from aifactory.cluster.kinds import FAMILIES, KINDS, Key
from aifactory.cluster.objects import Objects

Enqueue = Callable[[Key, float], None]
# News about children come in bursts; waiting this long lets one reconcile answer them all.
CHILD_DELAY_SECONDS = 0.5
# Of kinds that more than one kind of ours has as children.
MANAGED = "app.kubernetes.io/managed-by=aifactory-operator"


class Feed:
    """Turns watch events into filled stores and due keys; each store comes with what makes a key of it due.

    `listed` is set for every object of the list that a watch begins with. Such a list says nothing of objects that
    vanished since an earlier one.
    """

    def __init__(self, *stores: tuple[Objects[Any], Enqueue]) -> None:
        self._stores = stores
        self.listed = asyncio.Event()

    def register(self, registry: kopf.OperatorRegistry) -> None:
        """Add the login, and an event handler for every kind."""
        kopf.on.login(registry=registry, id="service-account")(kopf.login_with_service_account)
        kopf.on.login(registry=registry, id="kubeconfig")(kopf.login_with_kubeconfig)
        for kind, resource in KINDS.items():
            kopf.on.event(*resource.identity, registry=registry, id=f"event-{resource.plural}")(self._event(kind))

    def _event(self, kind: str) -> Callable[..., Awaitable[None]]:
        fed = [(store, enqueue) for store, enqueue in self._stores if kind in store.family.kinds]

        async def event(type: str | None, body: kopf.Body, **_: Any) -> None:  # noqa: A002 - kopf's name
            if type is None:
                self.listed.set()
            for store, enqueue in fed:
                key = store.family.key(kind, body["metadata"])
                if key is not None and _learn(store, kind, type, body):
                    enqueue(key, 0.0 if kind == store.family.kind else CHILD_DELAY_SECONDS)

        return event


def _learn(store: Objects[Any], kind: str, change: str | None, body: kopf.Body) -> bool:
    """Whether the event was news."""
    if change != "DELETED":
        return store.put(kind, {"kind": kind, **body})
    store.drop(kind, body)
    return True


class _NoDiffBase(kopf.DiffBaseStorage):
    """Keeps no copy of earlier specs: no handler here asks what changed, and the copies cost a third of kopf's time."""

    def build(self, **_: Any) -> kopf.BodyEssence:
        return kopf.BodyEssence()

    def fetch(self, **_: Any) -> None:
        return None

    def store(self, **_: Any) -> None:
        return None


def settings() -> kopf.OperatorSettings:
    """kopf settings: bounded waits everywhere, server-side filtering, no posting of logs as Events."""
    result = kopf.OperatorSettings()
    result.peering.standalone = True
    result.persistence.diffbase_storage = _NoDiffBase()
    result.posting.enabled = False
    result.process.ultimate_exiting_timeout = None  # it would kill a process in which kopf has begun anew
    result.watching.server_timeout = 300
    result.watching.client_timeout = 310
    result.watching.connect_timeout = 10
    result.watching.chunk_size = 100  # pages are held in memory; 500 cost 60 MiB with 1,000 services
    result.networking.request_timeout = 30
    result.queueing.idle_timeout = 0.1
    for kind, resource in KINDS.items():
        wanted = {family.label for family in FAMILIES if kind in family.kinds}
        if kind not in {family.kind for family in FAMILIES}:
            selector = wanted.pop() if len(wanted) == 1 else MANAGED
            result.watching.label_selectors[resource.identity] = selector
    return result
