"""Kinds that kopf should watch and has not noticed, or that are gone while it watches them."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress

import kopf

# Raised by kopf.operator() and given to it; kopf exports no other names for them.
from kopf._cogs.clients.errors import APINotFoundError
from kopf._cogs.structs.references import Insights

from aifactory.cluster.kinds import KINDS, Resource

__all__ = ["Insights", "insist", "watch"]
logger = logging.getLogger(__name__)
REST_SECONDS = 5.0
_VERBS = frozenset({"list", "watch"})


async def insist(watching: Callable[[], Awaitable[None]], stopping: asyncio.Event) -> None:
    """Watch until `stopping`; begin anew, a little later, whenever that fails because a kind is gone.

    When a definition is deleted kopf asks once what is still served, and the API server may still name the kind then.
    """
    while not stopping.is_set():
        try:
            await watching()
        except APINotFoundError as error:
            logger.warning("a kind that was watched is gone, watching begins anew: %s", error)
            with suppress(TimeoutError):
                async with asyncio.timeout(REST_SECONDS):
                    await stopping.wait()


async def watch(insights: Insights, served: Iterable[str]) -> None:
    """Have kopf watch the kinds of ours that the cluster serves, once kopf has looked for them itself.

    A kind that comes later is missed whenever the API server serves it after kopf asked: kopf asks once, as soon as
    the definition changes, and the API server may begin later (https://github.com/kubernetes/kubernetes/issues/125471).
    """
    if not insights.ready_resources.is_set():
        return
    async with insights.revised:
        watched = {(one.group, one.version, one.plural) for one in insights.watched_resources}
        missed = {kind: KINDS[kind] for kind in served if kind in KINDS and KINDS[kind].identity not in watched}
        if missed:
            insights.watched_resources.update(_as_kopf_names(kind, one) for kind, one in missed.items())
            insights.revised.notify_all()


def _as_kopf_names(kind: str, resource: Resource) -> kopf.Resource:
    return kopf.Resource(*resource.identity, kind=kind, namespaced=True, verbs=_VERBS)
