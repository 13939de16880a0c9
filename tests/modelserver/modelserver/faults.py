"""Faults on request, for tests of what watches the server: POST switches one on, DELETE switches it off."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from .engine import Engine

SLOW_FACTOR = 5.0
VALUE = re.compile(rb"^([^#\n].*) \S+$", re.MULTILINE)


class Faults:
    """wedge: no more tokens; slow: iterations last ?factor=5 times longer; metrics-off: 500; metrics-nan: all NaN."""

    NAMES = frozenset({"wedge", "slow", "metrics-off", "metrics-nan"})

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._active: set[str] = set()

    def routes(self) -> list[web.RouteDef]:
        return [web.post("/fault/{name}", self.switch_on), web.delete("/fault/{name}", self.switch_off)]

    async def switch_on(self, request: web.Request) -> web.Response:
        return self._set(self._name(request), True, float(request.query.get("factor", SLOW_FACTOR)))

    async def switch_off(self, request: web.Request) -> web.Response:
        return self._set(self._name(request), False, 1.0)

    def distort(self, page: bytes) -> bytes:
        """The metrics page as the active faults leave it. Raises HTTPInternalServerError under metrics-off."""
        if "metrics-off" in self._active:
            raise web.HTTPInternalServerError(text="metrics are switched off by /fault/metrics-off\n")
        return VALUE.sub(rb"\1 NaN", page) if "metrics-nan" in self._active else page

    def _name(self, request: web.Request) -> str:
        name = request.match_info["name"]
        if name not in self.NAMES:
            raise web.HTTPNotFound(text=f"no fault {name}: use one of {', '.join(sorted(self.NAMES))}\n")
        return name

    def _set(self, name: str, active: bool, factor: float) -> web.Response:
        (self._active.add if active else self._active.discard)(name)
        self._engine.wedged = "wedge" in self._active
        if name == "slow":
            self._engine.slowdown = factor
        return web.json_response({"active": sorted(self._active)})
