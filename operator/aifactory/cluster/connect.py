"""A connection to the API server, or a sentence that says why there is none."""

import logging
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import yaml
from kubernetes.aio.config import ConfigException, kube_config

from .client import ApiError, Client, Observer

T = TypeVar("T")
# It warns of what is told here in full.
kube_config.logger.setLevel(logging.ERROR)
_SPEAKING = (ConfigException, yaml.YAMLError, OSError, ValueError)
_STUMBLES = (AttributeError, LookupError, TypeError)
"""What the client raises for a file that holds something else, beside errors that say what is wrong."""


class CannotConnectError(Exception):
    """There is no cluster to talk to, or it refuses."""


async def connect(observer: Observer) -> Client:
    """As `Client.connect`.

    Raises:
        CannotConnectError: says what to do.
    """
    kubeconfig = kube_config.KUBE_CONFIG_DEFAULT_LOCATION
    try:
        return await Client.connect(observer)
    except (*_SPEAKING, *_STUMBLES) as error:
        raise CannotConnectError(
            f"kubeconfig {kubeconfig}: {_trouble(kubeconfig, error)}; set KUBECONFIG to the file of a cluster"
        ) from error


async def connected(ask: Callable[[Client], Awaitable[T]]) -> T:
    """What `ask` finds out over a connection that is closed again.

    Raises:
        CannotConnectError: says what to do.
    """
    client = await connect(lambda method, resource, status, seconds: None)
    try:
        return await ask(client)
    except ApiError as error:
        if error.status:
            raise CannotConnectError(f"the cluster cannot be read: {error}") from error
        raise CannotConnectError(
            f"no answer from the API server {client.api_client.configuration.host}: {error.message}; check that it "
            "runs and can be reached from here, and that kubeconfig "
            f"{kube_config.KUBE_CONFIG_DEFAULT_LOCATION} is of the cluster you mean"
        ) from error
    finally:
        await client.close()


def _trouble(kubeconfig: str, error: Exception) -> str:
    if not any(Path(name).expanduser().exists() for name in kubeconfig.split(os.pathsep) if name):
        return "there is no such file"
    return " ".join(str(error).split()) if isinstance(error, _SPEAKING) else "this is not a kubeconfig"
