"""All child objects of a cache but its Job."""

from collections.abc import Collection
from typing import Any

from aifactory.api.factory import NO_MIRRORS, Mirrors
from aifactory.api.modelcache import ModelCache
from aifactory.render.monitoring import endpoint
from aifactory.render.quantity import canonical

from . import labels
from .job import METRICS_PORT, METRICS_PORT_NAME, job

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
    children = [
        _claim(cache),
        _service_account(cache),
        _network_policy(cache),
        _pod_monitor(cache),
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


def _service_account(cache: ModelCache) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": labels.metadata(cache, labels.download(cache)),
        "automountServiceAccountToken": False,
    }


def _network_policy(cache: ModelCache) -> dict[str, Any]:
    """Only the metrics can be reached; the pod may call out to its source."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": labels.metadata(cache, labels.download(cache)),
        "spec": {
            "podSelector": {"matchLabels": labels.selector(cache)},
            "policyTypes": ["Ingress"],
            "ingress": [{"ports": [{"port": METRICS_PORT, "protocol": "TCP"}]}],
        },
    }


def _pod_monitor(cache: ModelCache) -> dict[str, Any]:
    scraped = endpoint(METRICS_PORT_NAME, "/metrics", {"modelcache": labels.CACHE})
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PodMonitor",
        "metadata": labels.metadata(cache, labels.download(cache)),
        "spec": {"selector": {"matchLabels": labels.selector(cache)}, "podMetricsEndpoints": [scraped]},
    }
