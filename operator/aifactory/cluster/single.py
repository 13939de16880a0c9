"""One InferenceService, asked for by a person."""

from typing import Any

from .client import ApiError, Client
from .discovery import served
from .kinds import INFERENCE_SERVICE, Key

_MOST_NAMES = 10


class NotFoundError(Exception):
    """There is no such service; says what there is."""


async def service(client: Client, key: Key) -> dict[str, Any]:
    """The object as stored.

    Raises:
        NotFoundError: if the cluster does not have the kind, or the namespace not the service.
        ApiError: if the cluster cannot be read.
    """
    namespace, name = key
    try:
        return await client.request("GET", INFERENCE_SERVICE.path(namespace, name), INFERENCE_SERVICE.plural)
    except ApiError as error:
        if error.status != 404:
            raise
    if not await served(client, INFERENCE_SERVICE):
        raise NotFoundError(
            "the cluster has no InferenceServices: install the operator with kubectl apply -k manifests/"
        )
    found = await client.request("GET", INFERENCE_SERVICE.collection(namespace), INFERENCE_SERVICE.plural)
    names = sorted(one["metadata"]["name"] for one in found["items"])
    listed = ", ".join(names[:_MOST_NAMES]) + ", ..." * (len(names) > _MOST_NAMES)
    there = f"there are {listed}" if names else "the namespace has none"
    if not names and not await _exists(client, namespace):
        raise NotFoundError(f"no InferenceService {name}: there is no namespace {namespace}")
    raise NotFoundError(f"no InferenceService {name} in namespace {namespace}: {there}")


async def _exists(client: Client, namespace: str) -> bool:
    """Also where it may not be looked at."""
    try:
        await client.request("GET", f"/api/v1/namespaces/{namespace}", "namespaces")
    except ApiError as error:
        return error.status != 404
    return True
