"""Labels of what belongs to a cache, and names of its children."""

from typing import Any

from aifactory.api import GROUP
from aifactory.api.modelcache import ModelCache, cache_claim

# Prometheus relabels CACHE into the label `modelcache`.
CACHE = f"{GROUP}/modelcache"
# Of Jobs and their pods: the folder of the volume that they fill.
FOLDER = f"{GROUP}/folder"
COMPONENT = "app.kubernetes.io/component"
DOWNLOAD = "download"


def selector(cache: ModelCache) -> dict[str, str]:
    """Labels that find the pods of a cache."""
    return {CACHE: cache.metadata.name, COMPONENT: DOWNLOAD}


def child(cache: ModelCache) -> dict[str, str]:
    """Labels of children and pods."""
    return {
        "app.kubernetes.io/name": "model-cache",
        "app.kubernetes.io/instance": cache.metadata.name,
        "app.kubernetes.io/part-of": "aifactory",
        "app.kubernetes.io/managed-by": "aifactory-operator",
        **selector(cache),
    }


def metadata(cache: ModelCache, name: str) -> dict[str, Any]:
    """Metadata of a child; Kubernetes deletes it with the cache. An offline manifest has no uid, hence no owner."""
    owned = {"ownerReferences": [cache.owner_reference()]} if cache.metadata.uid else {}
    return {"name": name, "namespace": cache.metadata.namespace, "labels": child(cache), **owned}


def claim(cache: ModelCache) -> str:
    """Name of the PersistentVolumeClaim."""
    return cache_claim(cache.metadata.name)


def download(cache: ModelCache) -> str:
    """Name of the ServiceAccount, NetworkPolicy and PodMonitor."""
    return f"{cache.metadata.name}-download"
