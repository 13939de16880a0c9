"""Which optional kinds the cluster serves."""

from collections.abc import Iterable

from .client import ApiError, Client
from .kinds import CHILDREN, FOREIGN, Resource


async def served(client: Client, resource: Resource) -> bool:
    """The API server has this resource now.

    Raises:
        ApiError: if it could not be asked.
    """
    try:
        answer = await client.request("GET", resource.prefix, "discovery")
    except ApiError as error:
        if error.status == 404:
            return False
        raise
    return any(item["name"] == resource.plural for item in answer.get("resources", []))


async def served_of(client: Client, kinds: Iterable[str]) -> frozenset[str]:
    """Those of some kinds that the cluster has now.

    Raises:
        ApiError: if it could not be asked.
    """
    known = {**CHILDREN, **FOREIGN}
    return frozenset([kind for kind in kinds if await served(client, known[kind])])
