"""Raw requests to the API server over 32 connections: what a client without any logic can do."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import aiohttp
from aifactory.cluster.kinds import CHILDREN, INFERENCE_SERVICE, POD, Resource
from aifactory.render.labels import SERVICE

from tests.kind.controlplane import ControlPlane

from .services import NAMESPACE, Object, children

CONNECTIONS = 32
T = TypeVar("T")
_DEPLOYMENT = CHILDREN["Deployment"]


class Api:
    """JSON requests as the administrator; an answer that is no success ends the measurement."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url

    async def send(self, method: str, path: str, body: Any = None, content_type: str = "application/json") -> Object:
        """The object that the API server answers with.

        Raises:
            RuntimeError: with the API server's message.
        """
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": content_type}
        async with self._session.request(method, self._url + path, data=data, headers=headers) as answer:
            content = await answer.read()
            if answer.status >= 300:
                raise RuntimeError(f"{method} {path}: {answer.status} {content.decode(errors='replace')[:500]}")
            found: Object = json.loads(content)
            return found

    async def create_service(self, service: Object) -> Object:
        """Create an InferenceService; the answer is the stored object."""
        return await self.send("POST", INFERENCE_SERVICE.collection(NAMESPACE), service)

    async def create_with_children(self, service: Object) -> None:
        """Create an InferenceService and do the operator's part: apply each child once."""
        for child in children(await self.create_service(service)):
            path = CHILDREN[child["kind"]].path(NAMESPACE, child["metadata"]["name"])
            await self.send(
                "PATCH", f"{path}?fieldManager=aifactory&force=false", child, "application/apply-patch+yaml"
            )

    async def count_deployments(self) -> int:
        """How many there are, without reading them all."""
        return await self._count(_DEPLOYMENT)

    async def count_pods(self) -> int:
        """How many there are, without reading them all."""
        return await self._count(POD)

    async def start_pods(self) -> dict[str, str]:
        """Play the kubelet for every pod: the model is loaded. The result maps each service to its pod."""
        pods = (await self.send("GET", POD.collection(NAMESPACE)))["items"]
        status = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}

        async def start(pod: Object) -> None:
            path = POD.path(NAMESPACE, pod["metadata"]["name"], "status")
            await self.send("PATCH", path, {"status": status}, "application/strategic-merge-patch+json")

        await side_by_side(start, pods)
        return {pod["metadata"]["labels"][SERVICE]: pod["metadata"]["name"] for pod in pods}

    async def _count(self, resource: Resource) -> int:
        page = await self.send("GET", f"{resource.collection(NAMESPACE)}?limit=1")
        return len(page["items"]) + int(page["metadata"].get("remainingItemCount", 0))


@asynccontextmanager
async def connect(plane: ControlPlane) -> AsyncIterator[Api]:
    """An administrator's connections to a control plane."""
    context = ssl.create_default_context(cafile=str(plane.ca_file))
    connector = aiohttp.TCPConnector(limit=CONNECTIONS, ssl=context)
    headers = {"Authorization": f"Bearer {plane.token}", "User-Agent": "bench-load"}
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
        yield Api(session, plane.url)


async def side_by_side(work: Callable[[T], Awaitable[object]], items: Iterable[T]) -> None:
    """Do the work for every item, 32 at a time."""
    waiting = iter(items)

    async def worker() -> None:
        for item in waiting:
            await work(item)

    async with asyncio.TaskGroup() as group:
        for _ in range(CONNECTIONS):
            group.create_task(worker())


async def at_rate(work: Callable[[T], Awaitable[object]], items: Iterable[T], per_second: float) -> None:
    """Start the work for one item after the other at a steady rate, whether or not earlier work is done."""
    clock = asyncio.get_running_loop()
    started = clock.time()
    async with asyncio.TaskGroup() as group:
        for number, item in enumerate(items):
            await asyncio.sleep(max(0.0, started + number / per_second - clock.time()))
            group.create_task(work(item))  # type: ignore[arg-type]
