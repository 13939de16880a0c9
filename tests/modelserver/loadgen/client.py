"""Sends requests at their time, whatever the server does, each on a connection of its own."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import aiohttp

from .report import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from .arrivals import Arrival
    from .report import Report

CHARACTERS_PER_TOKEN = 4


@dataclass(frozen=True, slots=True)
class Target:
    """Where requests go, and the bounds that keep a run finite: requests in flight, requests in all, seconds each."""

    url: str
    model: str
    max_in_flight: int
    max_requests: int
    timeout: float


class Load:
    """One run. `stop` ends the sending; requests in flight are awaited."""

    def __init__(self, target: Target, report: Report) -> None:
        self._target = target
        self._report = report
        self._tasks: set[asyncio.Task[None]] = set()
        self._stop = asyncio.Event()

    def stop(self) -> None:
        self._stop.set()

    async def run(self, arrivals: Iterable[Arrival]) -> None:
        """Send every arrival at its time. One that would exceed the bound in flight counts as failed, `shed`."""
        clock = asyncio.get_running_loop().time
        connector = aiohttp.TCPConnector(force_close=True, limit=0)
        timeout = aiohttp.ClientTimeout(total=self._target.timeout)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            started = clock()
            for arrival in arrivals:
                await self._wait(started + arrival.at - clock())
                if self._stop.is_set() or self._report.sent >= self._target.max_requests:
                    break
                self._send(session, arrival)
            await asyncio.gather(*self._tasks)

    async def _wait(self, seconds: float) -> None:
        if seconds > 0:
            try:
                await asyncio.wait_for(self._stop.wait(), seconds)
            except TimeoutError:
                return

    def _send(self, session: aiohttp.ClientSession, arrival: Arrival) -> None:
        self._report.sent += 1
        if len(self._tasks) >= self._target.max_in_flight:
            self._report.outcomes.append(Outcome(failure="shed"))
            return
        task = asyncio.create_task(self._request(session, arrival))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _request(self, session: aiohttp.ClientSession, arrival: Arrival) -> None:
        outcome = Outcome()
        clock = asyncio.get_running_loop().time
        started = clock()
        try:
            async with session.post(f"{self._target.url}/v1/completions", json=self._body(arrival)) as response:
                if response.status == 200:
                    await _read(response, outcome, started, clock)
                else:
                    outcome.failure = f"http_{response.status}"
        except TimeoutError:
            outcome.failure = "timeout"
        except aiohttp.ClientConnectorError:
            outcome.failure = "connect"
        except (aiohttp.ClientError, OSError):
            outcome.failure = "aborted" if outcome.tokens else "disconnected"
        outcome.seconds = clock() - started
        self._report.outcomes.append(outcome)

    def _body(self, arrival: Arrival) -> dict[str, Any]:
        return {
            "model": self._target.model,
            "prompt": "load" * arrival.prompt_tokens,
            "max_tokens": arrival.output_tokens,
            "ignore_eos": True,
            "stream": True,
        }


async def _read(response: aiohttp.ClientResponse, outcome: Outcome, started: float, clock: Callable[[], float]) -> None:
    """Follow a stream of events to its end; without [DONE] it was cut off."""
    last = started
    async for line in response.content:
        if line.startswith(b"data: [DONE]"):
            return
        if line.startswith(b"data: ") and _has_text(line):
            now = clock()
            if outcome.ttft is None:
                outcome.ttft = now - started
            else:
                outcome.intervals.append(now - last)
            last = now
            outcome.tokens += 1
    outcome.failure = "aborted"


def _has_text(line: bytes) -> bool:
    choices = json.loads(line.removeprefix(b"data: ")).get("choices")
    return bool(choices and choices[0].get("text"))
