"""One asynchronous connection to the API server: JSON in, JSON out, errors as `ApiError`."""

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode
from weakref import WeakValueDictionary

import aiohttp
from kubernetes.aio import client, config

CONNECTIONS = 16  # each costs 0.4 MiB; more do not make one process faster
TIMEOUT_SECONDS = 30


class ApiError(Exception):
    """An answer of the API server that is not a success; status 0 means that no answer came."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status = status
        self.reason = reason
        self.message = message

    @property
    def rejected(self) -> bool:
        """The same request would be refused again."""
        return self.status in (400, 403, 405, 409, 413, 415, 422)


Observer = Callable[[str, str, int, float], None]


class Client:
    """Requests to the API server.

    `observer` is called after each request with method, resource, HTTP status (0: no answer) and seconds.
    """

    def __init__(self, api_client: client.ApiClient, observer: Observer) -> None:
        self.api_client = api_client
        self._observer = observer
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @classmethod
    async def connect(cls, observer: Observer) -> "Client":
        """Use the pod's service account, or else the kubeconfig.

        Raises:
            kubernetes.aio.config.ConfigException: if there is neither.
        """
        configuration = client.Configuration()
        try:
            config.load_incluster_config(client_configuration=configuration)
        except config.ConfigException:
            await config.load_kube_config(client_configuration=configuration)
        configuration.connection_pool_maxsize = CONNECTIONS
        # Else aiohttp reads the environment and ~/.netrc for every request, in a thread.
        configuration.client_session_kwargs = {"trust_env": False}
        return cls(client.ApiClient(configuration), observer)

    def apart(self) -> "Client":
        """The same on connections of its own, for what must not wait until others are answered."""
        return Client(client.ApiClient(self.api_client.configuration), self._observer)

    async def close(self) -> None:
        await self.api_client.close()

    def turn(self, path: str) -> asyncio.Lock:
        """To be held from a look at an object until what follows from it is written."""
        return self._turns.setdefault(path, asyncio.Lock())

    async def request(
        self,
        method: str,
        path: str,
        resource: str,
        *,
        body: Any = None,
        content_type: str = "application/json",
        **query: str,
    ) -> dict[str, Any]:
        """The object that the API server answers with.

        Raises:
            ApiError: for every status outside 200 to 299, when no answer comes, and when it is not a JSON object.
        """
        url = self.api_client.configuration.host + path + (f"?{urlencode(query)}" if query else "")
        headers = {"Content-Type": content_type, "Accept": "application/json", "User-Agent": "aifactory-operator"}
        await self.api_client.update_params_for_auth(headers, [], ["BearerToken"], path, method, body)
        started = time.monotonic()
        status = 0
        try:
            response = await self.api_client.rest_client.request(
                method, url, headers=headers, body=body, _request_timeout=TIMEOUT_SECONDS
            )
            data = await response.read()
            status = response.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ApiError(0, "NoAnswer", f"{type(error).__name__} {error}") from error
        finally:
            self._observer(method, resource, status, time.monotonic() - started)
        return _parse(status, data)


def _parse(status: int, data: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(data) if data else {}
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise ApiError(status, "NotAnObject", data[:200].decode(errors="replace"))
    if not 200 <= status <= 299:
        raise ApiError(status, str(answer.get("reason", "")), str(answer.get("message", "")))
    return answer
