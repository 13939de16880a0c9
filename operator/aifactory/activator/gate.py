"""Where requests wait until a replica can be reached."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus

PROBE_SECONDS = 0.25
ASK_SECONDS = 1.0
# A replica that was reached just now is not tried for again.
OPEN_SECONDS = 1.0
_TEXT = {
    "too_many_held": "the model has no replica, and too many requests are waiting already",
    "held_too_long": "the model has no replica yet; it is being started",
    "not_started": "the model has no replica, and its service is set not to be changed",
}


@dataclass
class TurnedAwayError(Exception):
    """A request that does not wait, or no longer; `code` says why in one word."""

    code: str

    def __str__(self) -> str:
        return _TEXT[self.code]


class Gate:
    """Open while replicas can be reached; otherwise requests wait before it, and the operator is asked for a replica.

    `reachable` tries for a replica. `ask` asks the operator, and gives the status of its answer, None without one. At
    most `places` requests wait, each until its deadline in seconds of the event loop.
    """

    def __init__(
        self, reachable: Callable[[], Awaitable[bool]], ask: Callable[[], Awaitable[int | None]], places: int
    ) -> None:
        self._reachable = reachable
        self._ask = ask
        self._places = places
        self._waiting: set[asyncio.Future[None]] = set()
        self._watch: asyncio.Task[None] | None = None
        self._open_until = 0.0

    @property
    def held(self) -> int:
        """Requests that wait."""
        return len(self._waiting)

    async def open(self) -> bool:
        """Whether a replica can be reached now."""
        if asyncio.get_running_loop().time() < self._open_until:
            return True
        found = await self._reachable()
        self._open_until = asyncio.get_running_loop().time() + OPEN_SECONDS if found else 0.0
        return found

    def close(self) -> None:
        """A replica that should be there could not be reached."""
        self._open_until = 0.0

    async def passed(self, deadline: float) -> None:
        """Wait until a replica can be reached.

        Raises:
            TurnedAwayError: when there is no place, the deadline has passed, or no replica will come.
        """
        loop = asyncio.get_running_loop()
        if loop.time() < self._open_until:
            return
        if self.held >= self._places:
            raise TurnedAwayError("too_many_held")
        place = loop.create_future()
        self._waiting.add(place)
        if self._watch is None:
            self._watch = loop.create_task(self._watch_for_replicas())
        try:
            async with asyncio.timeout_at(deadline):
                await place
        except TimeoutError:
            raise TurnedAwayError("held_too_long") from None
        finally:
            self._waiting.discard(place)

    async def _watch_for_replicas(self) -> None:
        """Runs while requests wait."""
        asking: asyncio.Task[None] | None = None
        try:
            while self._waiting:
                if await self.open():
                    self._release(None)
                    continue
                asking = asking or asyncio.create_task(self._ask_for_replicas())
                await asyncio.sleep(PROBE_SECONDS)
        finally:
            self._watch = None
            if asking is not None:
                asking.cancel()

    async def _ask_for_replicas(self) -> None:
        while True:
            if await self._ask() == HTTPStatus.CONFLICT:
                self._release("not_started")
            await asyncio.sleep(ASK_SECONDS)

    def _release(self, refusal: str | None) -> None:
        """Let all go on, or turn them away."""
        for place in self._waiting:
            if not place.done() and refusal is None:
                place.set_result(None)
            elif not place.done():
                place.set_exception(TurnedAwayError(refusal or ""))
        self._waiting.clear()
