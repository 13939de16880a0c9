"""Reading Prometheus. The only module that talks to it."""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import Any, Protocol, TypeVar

from prometheus_api_client import PrometheusConnect
from prometheus_api_client.exceptions import PrometheusApiClientException
from requests import ConnectionError as NoConnectionError
from requests import RequestException, Response, Session, Timeout
from requests.adapters import BaseAdapter
from urllib3 import Retry

from . import answers, downloads, power, queries
from .snapshot import Snapshot
from .wanted import Wanted

Table = TypeVar("Table")
OnQuery = Callable[[str, float, bool], None]  # name, seconds, whether it succeeded

# 1,000 services with 25 buckets answer in about 5 MB.
_LARGEST_ANSWER = 64 * 2**20
# Queries of the reactive signals are short; two at a time keep the memory of their answers low.
_AT_A_TIME = 2
# Attainment over 5 minutes and an hour changes slowly and costs Prometheus more to compute.
_SLOW_SECONDS = 60.0
# Nothing that was in the shorter of these windows is still in it.
_SLOW_LASTS = 300.0
_ANSWER_ERRORS = (
    RequestException,
    PrometheusApiClientException,
    ValueError,
    KeyError,
    TypeError,
    OSError,
    RecursionError,
)


class SignalSource(Protocol):
    """Where the signals of all services come from."""

    async def read(self, now: float, wanted: Wanted) -> Snapshot:
        """Read everything wanted once at `now` (epoch seconds).

        Never raises for a source that fails: the snapshot says so.
        """
        ...


class PrometheusSource:
    """Reads a Prometheus server.

    A query that fails leaves its signal without a table; it is not repeated before the next read. A read takes at most
    about three times `timeout_seconds`: queries that would start later than twice that count as failed.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout_seconds: float = 5.0,
        window_seconds: int = 60,
        on_query: OnQuery = lambda name, seconds, ok: None,
        transport: BaseAdapter | None = None,
    ) -> None:
        """Prepare reading of `url`, rates over `window_seconds`; requests go through `transport` if it is not HTTP."""
        self._window_seconds = window_seconds
        self._timeout = timeout_seconds
        self._on_query = on_query
        self._pool = ThreadPoolExecutor(_AT_A_TIME, thread_name_prefix="prometheus")
        self._slow_pool = ThreadPoolExecutor(1, thread_name_prefix="prometheus-slow")
        session, api = _bounded_session(timeout_seconds), url.rstrip("/")
        self._client = PrometheusConnect(api, retry=Retry(total=0), session=session, timeout=timeout_seconds)
        if transport is not None:
            session.mount(f"{api}/api/", transport)
        self._slow: dict[str, tuple[float, answers.Histograms]] = {}
        self._slow_at = float("-inf")
        self._slow_asked: Mapping[str, str] = {}
        self._slow_reading: asyncio.Task[None] | None = None

    async def read(self, now: float, wanted: Wanted) -> Snapshot:
        """Ask the queries of the tick once; those over long windows go on in the background."""
        asked = queries.build(wanted, self._window_seconds)
        deadline = monotonic() + 2 * self._timeout
        errors: dict[str, str] = {}

        async def tables(named: Mapping[str, str], parse: Callable[[Any], Table]) -> dict[str, Table]:
            return await self._tables(named, parse, self._pool, deadline, errors)

        gauges, rates, histograms, track_histograms, track_counts, watts = await asyncio.gather(
            tables(asked.gauges, answers.by_pod),
            tables(asked.rates, answers.numbers),
            tables(asked.histograms, answers.histograms),
            tables(asked.track_histograms, answers.histograms_by_track),
            tables(asked.track_counts, answers.by_track),
            tables(power.build(self._window_seconds), power.watts),
        )
        if not (gauges or rates or histograms):
            return Snapshot(now, self._window_seconds, error=next(iter(errors.values()), ""))
        due = now - self._slow_at >= _SLOW_SECONDS or not self._slow_asked.keys() >= asked.slow.keys()
        if due and (self._slow_reading is None or self._slow_reading.done()):
            self._slow_at, self._slow_asked = now, asked.slow
            self._slow_reading = asyncio.create_task(self._read_slow())
        slow = {name: table for name, (at, table) in self._slow.items() if now - at <= _SLOW_LASTS}
        return Snapshot(
            now,
            self._window_seconds,
            {**slow, **histograms},
            rates,
            gauges,
            track_histograms=track_histograms,
            track_counts=track_counts,
            watts=watts.get(power.QUERY, {}),
        )

    async def _read_slow(self) -> None:
        """What cannot be read keeps its last answer for a few times: a long window has hardly changed."""
        at = self._slow_at
        found = await self._tables(self._slow_asked, answers.histograms, self._slow_pool, float("inf"), {})
        last = {name: answer for name, answer in self._slow.items() if name in self._slow_asked}
        self._slow = last | {name: (at, table) for name, table in found.items()}

    async def downloads(self) -> Mapping[answers.Service, downloads.DownloadReading]:
        """How far the downloads of all caches are; empty when it cannot be read."""
        asked = downloads.build(self._window_seconds)
        deadline = monotonic() + 2 * self._timeout
        return downloads.readings(await self._tables(asked, downloads.numbers, self._pool, deadline, {}))

    def close(self) -> None:
        """Give the connections and threads back."""
        if self._slow_reading:
            self._slow_reading.cancel()
        for pool in (self._pool, self._slow_pool):
            pool.shutdown(wait=False, cancel_futures=True)
        self._client.close()

    async def _tables(
        self,
        named: Mapping[str, str],
        parse: Callable[[Any], Table],
        pool: ThreadPoolExecutor,
        deadline: float,
        errors: dict[str, str],
    ) -> dict[str, Table]:
        """Answers by query name; `errors` gets what went wrong with the others."""
        loop = asyncio.get_running_loop()

        async def ask(name: str, text: str) -> Table | str:
            seconds, answer = await loop.run_in_executor(pool, self._query, text, parse, deadline)
            self._on_query(name, seconds, not isinstance(answer, str))
            return answer

        found = await asyncio.gather(*(ask(name, text) for name, text in named.items()))
        tables = {}
        for name, answer in zip(named, found, strict=True):
            if isinstance(answer, str):
                errors[name] = answer
            else:
                tables[name] = answer
        return tables

    def _query(self, text: str, parse: Callable[[Any], Table], deadline: float) -> tuple[float, Table | str]:
        started = monotonic()
        if started > deadline:
            return 0.0, "Prometheus is too slow: its answers to earlier queries took all the time there was"
        try:
            vector = self._client.custom_query(text, params={"timeout": f"{round(self._timeout * 1000)}ms"})
            return monotonic() - started, parse(vector)
        except (NoConnectionError, Timeout) as error:
            return monotonic() - started, f"{type(error).__name__}: no answer from {self._client.url}"
        except _ANSWER_ERRORS as error:
            return monotonic() - started, f"{type(error).__name__}: {error}"[:300]


class OversizedAnswerError(ValueError):
    """Prometheus answered with more than the operator is willing to read, or too slowly."""


def _bounded_session(timeout_seconds: float) -> Session:
    """A session that follows no redirect and reads an answer up to a size and for a time."""

    def read(response: Response, *_: Any, **__: Any) -> Response:
        deadline = monotonic() + timeout_seconds
        body = bytearray()
        for part in response.iter_content(2**16):
            body += part
            if len(body) > _LARGEST_ANSWER or monotonic() > deadline:
                response.close()
                raise OversizedAnswerError(f"the answer is longer than {_LARGEST_ANSWER} bytes or {timeout_seconds} s")
        response._content = bytes(body)
        return response

    session = Session()
    session.max_redirects = 0
    session.hooks["response"].append(read)
    return session
