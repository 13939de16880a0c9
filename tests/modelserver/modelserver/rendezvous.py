"""How the processes of one engine on several nodes find each other, and end when one of them is gone.

Workers connect to the leader and say their rank; when all are there the leader answers. A connection that ends after
that is a node that failed, as with torch.distributed: the leader ends, and with it its workers.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

RETRY_SECONDS = 0.2
# An address whose pod has just gone answers nothing at all; the name leads to another one soon.
CONNECT_SECONDS = 2.0
_ALL_THERE = b"go\n"


class Rendezvous:
    """The leader's side. `complete` is set once all others are there; `lost` is called when one goes after that."""

    def __init__(self, nodes: int, lost: Callable[[str], None]) -> None:
        self._others = nodes - 1
        self._lost = lost
        self._joined: dict[str, asyncio.StreamWriter] = {}
        self._server: asyncio.Server | None = None
        self.complete = asyncio.Event()

    @property
    def joined(self) -> set[str]:
        """Ranks of the nodes that are there."""
        return set(self._joined)

    async def open(self, host: str, port: int) -> int:
        """Begin to listen; the port is the one given, or a free one for 0."""
        self._server = await asyncio.start_server(self._join, host, port)
        bound: int = self._server.sockets[0].getsockname()[1]
        return bound

    def close(self) -> None:
        """Let the workers go."""
        self._lost = lambda rank: None
        if self._server is not None:
            self._server.close()
        for writer in self._joined.values():
            writer.close()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        rank = (await reader.readline()).decode().strip()
        self._joined[rank] = writer
        if len(self._joined) == self._others and not self.complete.is_set():
            for other in self._joined.values():
                other.write(_ALL_THERE)
            self.complete.set()
        with suppress(ConnectionError):
            await reader.read()
        if self._joined.get(rank) is writer:
            del self._joined[rank]
            if self.complete.is_set():
                self._lost(rank)
        writer.close()


async def work(host: str, port: int, rank: int, say: Callable[[str], None]) -> None:
    """A worker's life: find the leader, however long that takes, and stay until it is gone."""
    while True:
        if await _stay(host, port, rank, say):
            return
        await asyncio.sleep(RETRY_SECONDS)


async def _stay(host: str, port: int, rank: int, say: Callable[[str], None]) -> bool:
    """Whether there was a leader that had all its workers, and now is gone."""
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            reader, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    complete = False
    try:
        writer.write(f"{rank}\n".encode())
        complete = await reader.readline() == _ALL_THERE
        if complete:
            say(f"node {rank} works for {host}")
            await reader.read()
    except ConnectionError:
        pass
    finally:
        writer.close()
    if complete:
        say(f"the leader {host} is gone")
    return complete
