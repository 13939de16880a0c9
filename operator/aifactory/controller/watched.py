"""Kinds that kopf should watch and has not noticed."""

from collections.abc import Iterable

import kopf

# Given to kopf.operator(), which exports no other name for it.
from kopf._cogs.structs.references import Insights

from aifactory.cluster.kinds import KINDS, Resource

__all__ = ["Insights", "watch"]
_VERBS = frozenset({"list", "watch"})


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
