"""What kopf needs help with: kinds that it has not noticed, and failures that would end it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import kopf

# Raised by kopf.operator() and given to it; kopf exports no other names for them.
from kopf._cogs.clients.errors import APIError
from kopf._cogs.clients.watching import WatchingError
from kopf._cogs.structs.references import Insights

from aifactory.cluster.kinds import KINDS, Resource

__all__ = ["Insights", "Others", "insist", "watch"]
logger = logging.getLogger(__name__)
REST_SECONDS = 5.0
_VERBS = frozenset({"list", "watch"})
_KOPF = str(Path(kopf.__file__).parent)
# What the API server, or the network, does to kopf after all of its own attempts.
_TROUBLES = (APIError, WatchingError, kopf.LoginError, aiohttp.ClientError, TimeoutError)


async def insist(watching: Callable[[], Awaitable[None]], stopping: asyncio.Event) -> None:
    """Watch until `stopping`; begin anew, a little later, whenever the API server or the network made that fail.

    One kind is enough: kopf ends when a list fails for a minute, at once when a list has expired before its last page,
    when a watch ends with an error, and when a definition is deleted, as the API server may still name the kind then.
    """
    while not stopping.is_set():
        try:
            await watching()
        except Exception as error:
            trouble = next((one for one in (error, error.__cause__) if isinstance(one, _TROUBLES)), None)
            if trouble is None:
                raise
            logger.warning("watching failed and begins anew: %r", trouble)
            with suppress(TimeoutError):
                async with asyncio.timeout(REST_SECONDS):
                    await stopping.wait()


class Others(Collection[asyncio.Task[Any]]):
    """Tasks that kopf has not begun. At its end it would wait for all that are younger than itself, and cancel them."""

    def __contains__(self, task: object) -> bool:
        code = getattr(task.get_coro(), "cr_code", None) if isinstance(task, asyncio.Task) else None
        return code is None or not code.co_filename.startswith(_KOPF)

    def __iter__(self) -> Iterator[asyncio.Task[Any]]:
        return (task for task in asyncio.all_tasks() if task in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)


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
