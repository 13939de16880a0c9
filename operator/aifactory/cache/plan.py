"""What to write for one cache."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from aifactory.api.cachestatus import ContentStatus
from aifactory.api.factory import NO_MIRRORS, Mirrors
from aifactory.api.modelcache import ModelCache
from aifactory.decide import selected
from aifactory.observed import child_id
from aifactory.render.drift import holds, stamp

from .children import render
from .content import complete, folder, settled
from .observed import CacheObserved, Download

Child = dict[str, Any]
RETRY_SECONDS = 600.0
"""A download that failed is begun anew after this time: its cause may be gone without the spec having changed."""


@dataclass(frozen=True, slots=True)
class CachePlan:
    """Writes that bring the children to what is wanted; empty when they are.

    `job` is the name of the Job for what the spec asks for, `content` the last complete copy.
    """

    job: str
    content: ContentStatus | None = None
    apply: tuple[Child, ...] = ()
    delete: tuple[Child, ...] = ()

    @property
    def empty(self) -> bool:
        """Everything is in place."""
        return not self.apply and not self.delete


def plan(
    cache: ModelCache,
    observed: CacheObserved,
    image: str,
    in_use: Collection[str],
    now: float,
    *,
    served: Collection[str],
    monitor_labels: Mapping[str, str] = MappingProxyType({}),
    mirrors: Mirrors = NO_MIRRORS,
) -> CachePlan:
    """Compare what is wanted with what is there at `now` (epoch seconds).

    `in_use` are folders that services read; `served` the optional kinds of the cluster, whose Prometheus selects
    PodMonitors by `monitor_labels`; `mirrors` are for caches that name no endpoint. A claim is never deleted: its
    name does not change.
    """
    draft = render(cache, image, served=served, mirrors=mirrors)
    job = next(child["metadata"]["name"] for child in draft if child["kind"] == "Job")
    content = settled(cache, observed, job)
    done = complete(cache, content)
    keep = {*in_use, *([content.folder] if content else [])} - {folder(cache.spec)}
    children = render(cache, image, served=served, keep=keep, mirrors=mirrors)
    # Two pods must not write the same files.
    free = observed.download(job) is None and not observed.others(job)
    needed = free and not done and not observed.lost
    wanted = [selected(stamp(child), monitor_labels) for child in children if child["kind"] != "Job" or needed]
    names = {child_id(child) for child in children if child["kind"] != "Job"}
    names |= {("Job", one.name) for one in observed.downloads if _kept(one, cache, observed, job, now, done=done)}
    return CachePlan(
        job=job,
        content=content,
        apply=tuple(child for child in wanted if not _in_place(observed, child)),
        delete=tuple(child for key, child in observed.children.items() if key not in names),
    )


def _kept(one: Download, cache: ModelCache, observed: CacheObserved, job: str, now: float, *, done: bool) -> bool:
    """Jobs that stay: the one at work, one that failed lately, and the one that brought what is wanted."""
    if not observed.current(one) or one.folder != folder(cache.spec):
        return False
    if done:
        return one.succeeded
    return one.name == job and (one.failed_at is None or now - one.failed_at < RETRY_SECONDS)


def _in_place(observed: CacheObserved, child: Child) -> bool:
    live = observed.children.get(child_id(child))
    return live is not None and holds(live, child)
