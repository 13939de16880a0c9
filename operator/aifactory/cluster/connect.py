"""One short conversation with the API server, for commands."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from kubernetes.aio.config import ConfigException

from .client import ApiError, Client

T = TypeVar("T")


class CannotConnectError(Exception):
    """There is no cluster to talk to, or it refuses."""


async def connected(ask: Callable[[Client], Awaitable[T]]) -> T:
    """What `ask` finds out over a connection that is closed again.

    Raises:
        CannotConnectError: says what to do.
    """
    try:
        client = await Client.connect(lambda method, resource, status, seconds: None)
    except ConfigException as error:
        raise CannotConnectError(f"{error}; set KUBECONFIG to the file of a cluster") from error
    try:
        return await ask(client)
    except ApiError as error:
        raise CannotConnectError(f"the cluster cannot be read: {error}") from error
    finally:
        await client.close()
