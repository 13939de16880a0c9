"""All child objects of a cache but its Job."""

from collections.abc import Collection
from typing import Any

from aifactory.api.download import METRICS_PORT
from aifactory.api.factory import NO_MIRRORS, Mirrors
from aifactory.api.modelcache import ModelCache
from aifactory.render.identity import account
from aifactory.render.monitoring import endpoint, monitor
from aifactory.render.network import ingress_policy, to_ports
from aifactory.render.quantity import canonical

from . import labels
from .job import METRICS_PORT_NAME, job

OPTIONAL = ("PodMonitor",)
"""Kinds that not every cluster serves."""


def render(
    cache: ModelCache,
    image: str,
    *,
    served: Collection[str],
    keep: Collection[str] = (),
    mirrors: Mirrors = NO_MIRRORS,
) -> list[dict[str, Any]]:
    """Child objects in the order to apply them: plain dicts, complete, spelled as the API server stores them.

    `image` holds the downloader unless the spec names another; `served` are the optional kinds of the cluster; copies
    in folders to `keep` stay in the volume; `mirrors` are for caches that name no endpoint.
    """
    metadata, pods = labels.metadata(cache, labels.download(cache)), labels.selector(cache)
    children = [
        _claim(cache),
        account(metadata),
        ingress_policy(metadata, pods, to_ports([METRICS_PORT])),
        monitor(metadata, pods, endpoint(METRICS_PORT_NAME, "/metrics", {"modelcache": labels.CACHE})),
        job(cache, cache.spec.download.image or image, keep, mirrors),
    ]
    return [child for child in children if child["kind"] not in OPTIONAL or child["kind"] in served]


def _claim(cache: ModelCache) -> dict[str, Any]:
    storage = cache.spec.storage
    named = {"storageClassName": storage.storage_class_name} if storage.storage_class_name else {}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": labels.metadata(cache, labels.claim(cache)),
        "spec": {
            "accessModes": [storage.access_mode.value],
            **named,
            "resources": {"requests": {"storage": canonical(storage.size)}},
        },
    }
