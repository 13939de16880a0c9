"""What a service reads of a cache, and what it waits for."""

from collections.abc import Iterator, Mapping
from typing import Any

from aifactory.api.conditions import Reason
from aifactory.api.inferenceservice import InferenceService
from aifactory.api.model import CachedCopy, CacheReference
from aifactory.api.modelcache import cache_claim
from aifactory.observed import ChildId
from aifactory.runtimes.parts import MODEL_VOLUME, cache
from aifactory.status.facts import Held

Json = Mapping[str, Any]
Children = Mapping[ChildId, Json]


def reference(service: InferenceService) -> CacheReference | None:
    """The cache that the service names."""
    return cache(service.spec)


def copy_for(name: str, found: Json | None, children: Children) -> tuple[str, str] | None:
    """Claim and folder that a service reads: the copy that the cache `found` offers, or else the one it reads already.

    `name` is the cache's, `children` are those of the service. None while there is nothing to read.
    """
    return (_offered(found) if found else None) or next(_read_by(children, cache_claim(name)), None)


def with_copy(service: InferenceService, claim: str, folder: str) -> InferenceService:
    """The service with the copy that it is to read in its source."""
    source, named = service.spec.model.source, reference(service)
    if source is None or named is None:
        return service
    copy = CachedCopy(name=named.name, path=named.path, claim=claim, folder=folder)
    model = service.spec.model.model_copy(update={"source": source.model_copy(update={"model_cache": copy})})
    return service.model_copy(update={"spec": service.spec.model_copy(update={"model": model})})


def held(name: str, found: Json | None) -> Held:
    """Why a service that has no copy to read waits."""
    if found is None or found["metadata"].get("deletionTimestamp"):
        message = f"there is no ModelCache {name} in the namespace; create it, or change spec.model.source"
        return Held(False, Reason.MODEL_CACHE_MISSING, message)
    ready = _ready(found)
    told = f"ModelCache {name}: {ready.get('message') or 'the operator has not looked at it yet'}"
    if ready.get("status") == "False":
        return Held(False, Reason.MODEL_CACHE_FAILED, told)
    return Held(None, Reason.MODEL_CACHE_NOT_READY, told)


def folders(children: Children, name: str) -> set[str]:
    """Folders of a cache that a service with these children reads."""
    return {folder for _, folder in _read_by(children, cache_claim(name))}


def _offered(found: Json) -> tuple[str, str] | None:
    metadata, status = found["metadata"], found.get("status") or {}
    content = status.get("content")
    if _ready(found).get("status") != "True" or not content or metadata.get("deletionTimestamp"):
        return None
    return status["claim"], content["folder"]


def _ready(found: Json) -> Json:
    """The condition `Ready` of the newest generation, empty while there is none."""
    status = found.get("status") or {}
    if status.get("observedGeneration") != found["metadata"].get("generation"):
        return {}
    return next((one for one in status.get("conditions") or [] if one["type"] == "Ready"), {})


def _read_by(children: Children, claim: str) -> Iterator[tuple[str, str]]:
    """The claim with each folder of it that pods of a workload read as their model."""
    for pod in _pods(children):
        claims = {one["name"]: one.get("persistentVolumeClaim", {}).get("claimName") for one in pod.get("volumes", [])}
        if claims.get(MODEL_VOLUME) != claim:
            continue
        mounts = (mount for container in pod["containers"] for mount in container.get("volumeMounts", []))
        folders = (mount["subPath"] for mount in mounts if mount["name"] == MODEL_VOLUME and mount.get("subPath"))
        yield from ((claim, folder) for folder in folders)


def _pods(children: Children) -> Iterator[Json]:
    """What pods of each workload are made from."""
    for (kind, _), child in children.items():
        if kind in ("Deployment", "StatefulSet"):
            yield child["spec"]["template"]["spec"]
        elif kind == "LeaderWorkerSet":
            yield child["spec"]["leaderWorkerTemplate"]["workerTemplate"]["spec"]
