"""/metrics, /healthz, /readyz, and /wake for activators."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

Check = Callable[[], str | None]
Wake = Callable[[tuple[str, str], str], HTTPStatus]


async def serve(registry: CollectorRegistry, port: int, healthy: Check, ready: Check, wake: Wake) -> web.AppRunner:
    """Listen on every address. A check returns None when all is well, or else what is wrong.

    `wake` hears of requests that wait for a service (namespace and name), and the IP address of who says so.

    Raises:
        OSError: if the port is taken.
    """

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    app.router.add_get("/healthz", _answer(healthy))
    app.router.add_get("/readyz", _answer(ready))
    app.router.add_post("/wake/{namespace}/{name}", _waker(wake))
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, None, port).start()
    return runner


def _waker(wake: Wake) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handler(request: web.Request) -> web.Response:
        status = wake((request.match_info["namespace"], request.match_info["name"]), request.remote or "")
        return web.Response(status=status, text=status.phrase)

    return handler


def _answer(check: Check) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handler(_: web.Request) -> web.Response:
        problem = check()
        return web.Response(status=200 if problem is None else 503, text=problem or "ok")

    return handler
