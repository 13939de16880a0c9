"""What clients of a service without replicas get: their request, held and then forwarded, or an answer at once.

A request by GET or HEAD wakes nobody: health checks of load balancers and lists of models are asked for all the time.
While no replica can be reached, health checks and the list of models are answered here, and others with status 503.
Every other method counts as somebody who wants something of the model.

Bodies are not read before there is somebody to read them, but for what the buffer of a connection takes; that bounds
memory without refusing large ones. A client that leaves while the rest of its body waits is noticed when its time is
over, as TCP tells the end of a stream only after all of it.
"""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import aiohttp
from aiohttp import hdrs, web
from multidict import CIMultiDict
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from yarl import URL

from .gate import Gate, TurnedAwayError

RETRY_AFTER_SECONDS = 10
_SILENT = ("GET", "HEAD")
_MODELS = "/v1/models"
# Of one connection only (RFC 9110, section 7.6.1), or already answered.
_OF_CONNECTION = (
    *("Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization", "TE", "Trailer"),
    *("Transfer-Encoding", "Upgrade", "Expect"),
)
R = TypeVar("R", bound=web.StreamResponse)
_UNREACHABLE = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)


@dataclass(frozen=True, slots=True)
class Service:
    """Where the replicas are (a URL without a path), the names that they serve, and the paths of their health."""

    upstream: str
    models: Collection[str]
    health: Collection[str]


class Counts:
    """Prometheus metrics."""

    def __init__(self, gate: Gate, registry: CollectorRegistry) -> None:
        held = Gauge("aifactory_activator_held_requests", "Requests that wait for a replica.", registry=registry)
        held.set_function(lambda: gate.held)
        self.requests = Counter(
            "aifactory_activator_requests_total", "Requests by outcome.", ["outcome"], registry=registry
        )
        self.hold_seconds = Histogram(
            "aifactory_activator_hold_duration_seconds",
            "Waits of requests that were forwarded.",
            buckets=(0.1, 1, 5, 15, 30, 60, 120, 300, 600, 1800),
            registry=registry,
        )


class Proxy:
    """Answers every request; `max_hold` is in seconds."""

    def __init__(
        self, service: Service, gate: Gate, session: aiohttp.ClientSession, counts: Counts, max_hold: float
    ) -> None:
        self._service = service
        self._gate = gate
        self._session = session
        self._counts = counts
        self._max_hold = max_hold

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Hold and forward, or answer at once."""
        if request.method in _SILENT and not await self._gate.open():
            self._counts.requests.labels("answered_asleep").inc()
            return self._asleep(request)
        began = asyncio.get_running_loop().time()
        try:
            answer = await self._forwarded(request, began + self._max_hold)
        except TurnedAwayError as error:
            self._counts.requests.labels(error.code).inc()
            return _unavailable(str(error), error.code)
        except aiohttp.ClientError:
            self._counts.requests.labels("replica_failed").inc()
            return _closing(_failure(502, "the replica ended the connection without an answer", "replica_failed"))
        except asyncio.CancelledError:
            self._counts.requests.labels("client_left").inc()
            raise
        self._counts.requests.labels("forwarded").inc()
        self._counts.hold_seconds.observe(asyncio.get_running_loop().time() - began)
        async with answer:
            return await _streamed(request, answer)

    async def _forwarded(self, request: web.Request, deadline: float) -> aiohttp.ClientResponse:
        """The beginning of a replica's answer. Only a request of which nothing was sent yet is tried again."""
        while True:
            await self._gate.passed(deadline)
            try:
                return await self._session.request(
                    request.method,
                    URL(f"{self._service.upstream}{_target(request)}", encoded=True),
                    headers=_end_to_end(request.headers),
                    data=request.content if request.body_exists else None,
                    allow_redirects=False,
                    skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
                )
            except _UNREACHABLE:
                self._gate.close()

    def _asleep(self, request: web.Request) -> web.Response:
        """To somebody who only looks."""
        if request.path in self._service.health:
            return _closing(web.Response(text="asleep"))
        if request.path == _MODELS:
            models = [{"id": name, "object": "model", "owned_by": "aifactory"} for name in self._service.models]
            return _closing(web.json_response({"object": "list", "data": models}))
        return _unavailable("the model has no replica; a POST request starts one", "asleep")


def _target(request: web.Request) -> str:
    """Path and query as they were sent; also of a client that takes the activator for a proxy and sends a whole URL."""
    return request.raw_path if request.raw_path.startswith("/") else request.rel_url.raw_path_qs


def _end_to_end(headers: Mapping[str, str]) -> CIMultiDict[str]:
    """Headers without those of one connection."""
    named = [name.strip() for name in headers.get(hdrs.CONNECTION, "").split(",")]
    dropped = {name.lower() for name in (*_OF_CONNECTION, *named)}
    return CIMultiDict((name, value) for name, value in headers.items() if name.lower() not in dropped)


async def _streamed(request: web.Request, answer: aiohttp.ClientResponse) -> web.StreamResponse:
    """The answer as it comes. The client connects anew for its next request, and reaches a replica by then."""
    response = _closing(
        web.StreamResponse(status=answer.status, reason=answer.reason, headers=_end_to_end(answer.headers))
    )
    await response.prepare(request)
    try:
        async for part in answer.content.iter_any():
            await response.write(part)
    except aiohttp.ClientPayloadError:
        if request.transport is not None:
            request.transport.abort()  # an end like any other would make half an answer look whole
        return response
    await response.write_eof()
    return response


def _unavailable(message: str, code: str) -> web.Response:
    response = _closing(_failure(503, message, code))
    response.headers[hdrs.RETRY_AFTER] = str(RETRY_AFTER_SECONDS)
    return response


def _failure(status: int, message: str, code: str) -> web.Response:
    """An error as the API of OpenAI spells it."""
    error: dict[str, Any] = {"message": message, "type": "service_unavailable", "param": None, "code": code}
    return web.json_response({"error": error}, status=status)


def _closing(response: R) -> R:
    response.force_close()
    return response
