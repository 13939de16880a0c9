"""An HTTP server on loopback in the place of the API server: notes every request and answers as it was told."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aifactory.cluster.client import Client
from aiohttp import web
from aiohttp.test_utils import TestServer
from kubernetes.aio import client as kubernetes


@dataclass
class Seen:
    """A request as it arrived."""

    method: str
    path: str
    query: dict[str, str]
    content_type: str
    authorization: str | None
    body: Any


@dataclass
class ApiServer:
    """`answers` maps method and path to status and body; a body that is no text is sent as JSON.

    What is not in it is answered with the body of the request, as after a write that changed nothing. `after` holds the
    answers from the second request on. A path that is `held` is answered when its event is set.
    """

    url: str = ""
    answers: dict[tuple[str, str], tuple[int, Any]] = field(default_factory=dict)
    after: dict[tuple[str, str], tuple[int, Any]] = field(default_factory=dict)
    held: dict[str, asyncio.Event] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    observed: list[tuple[str, str, int]] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.Response:
        text = await request.text()
        body = json.loads(text) if text else None
        authorization = request.headers.get("Authorization")
        kind = request.headers.get("Content-Type", "")
        self.seen.append(Seen(request.method, request.path, dict(request.query), kind, authorization, body))
        if request.path in self.held:
            await self.held[request.path].wait()
        target = (request.method, request.path)
        status, answer = self.answers.get(target, (200, body or {}))
        if target in self.after:
            self.answers[target] = self.after[target]
        if isinstance(answer, str):
            return web.Response(status=status, text=answer, content_type="text/html")
        return web.json_response(answer, status=status)

    def refuse(self, method: str, path: str, status: int, reason: str, message: str = "no") -> None:
        """Answer with a Status object."""
        self.answers[method, path] = (status, {"kind": "Status", "reason": reason, "message": message})

    @asynccontextmanager
    async def client(self, url: str | None = None) -> AsyncIterator[Client]:
        """A client of this server."""
        configuration = kubernetes.Configuration()
        configuration.host = url or self.url
        configuration.api_key["BearerToken"] = "Bearer secret"
        client = Client(
            kubernetes.ApiClient(configuration),
            lambda method, resource, status, _: self.observed.append((method, resource, status)),
        )
        try:
            yield client
        finally:
            await client.close()


@asynccontextmanager
async def api_server() -> AsyncIterator[ApiServer]:
    """A server that runs for as long as the block does."""
    server = ApiServer()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.handle)
    async with TestServer(app) as running:
        server.url = str(running.make_url("")).rstrip("/")
        yield server
