"""When a status is written, as the API server sees it."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aifactory.api.status import InferenceServiceStatus
from aifactory.cluster.store import Store
from aifactory.cluster.writer import Writer
from aifactory.controller.reporter import Reporter
from aifactory.signals.readings import Reading, State
from aifactory.status.report import dump

from tests.unit.cluster.api_server import ApiServer, api_server
from tests.unit.status.scene import SCALING, Life, decision, readings, serving, workload

INTERVAL = 30.0
FIVE_MINUTES = 300.0


_METADATA = {"name": "llama", "namespace": "chat", "uid": "uid-1"}
_STATUS = "/apis/aifactory.dev/v1alpha1/namespaces/chat/inferenceservices/llama/status"


class Reports:
    """A service whose status is reported again and again."""

    def __init__(self, server: ApiServer, reporter: Reporter) -> None:
        self.now = 1000.0
        self.life = Life(**SCALING)
        self.stored = InferenceServiceStatus()
        self._server = server
        self._reporter = reporter
        self._written = 0.0

    def refuse_events(self, status: int, message: str) -> None:
        self._server.refuse("POST", "/api/v1/namespaces/chat/events", status, "", message)

    async def look(self, after: float, *, load: float = 1.0, **learned: float) -> bool:
        """Whether a look `after` seconds ended in a write."""
        self.now += after
        self._server.seen.clear()
        seen = readings(completed=Reading(load, State.OK))
        status = self.life.look(workload(1), *serving(), decision=decision(1, 1), learned=learned, readings=seen)
        # As the API server answers to a write.
        version = {"metadata": {**_METADATA, "resourceVersion": str(int(self.now))}}
        self._server.answers["PATCH", _STATUS] = (200, version)
        raw, metadata = {"status": dump(self.stored)}, self.life.service.metadata
        self._written = await self._reporter.write(metadata, raw, self.stored, status, self._written)
        wrote = any(request.path.endswith("/status") for request in self._server.seen)
        self.stored = status if wrote else self.stored
        self.life.status = self.stored
        return wrote


@pytest_asyncio.fixture
async def reports(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Reports]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    async with api_server() as server, server.client() as client:
        made: list[Reports] = []
        reporter = Reporter(Writer(client, Store()), INTERVAL, lambda: made[0].now)
        made.append(Reports(server, reporter))
        yield made[0]


async def test_what_did_not_change_is_not_written(reports: Reports) -> None:
    assert await reports.look(0, base=0.1)
    assert not await reports.look(10_000, base=0.1)


async def test_live_numbers_are_written_after_an_interval(reports: Reports) -> None:
    await reports.look(0)
    assert not await reports.look(INTERVAL - 1, load=2.0)
    assert await reports.look(1, load=2.0)


async def test_what_was_learned_is_written_alone_when_it_moved_and_after_five_minutes(reports: Reports) -> None:
    await reports.look(0, base=0.1)
    assert not await reports.look(FIVE_MINUTES - 1, base=0.2)
    assert await reports.look(1, base=0.2)
    assert reports.stored.scaling is not None
    assert reports.stored.scaling.learned == {"base": "0.2"}


async def test_what_was_learned_and_hardly_moved_is_never_written_alone(reports: Reports) -> None:
    await reports.look(0, base=0.1)
    assert not await reports.look(10_000, base=0.105)


async def test_what_was_learned_is_written_with_everything_else(reports: Reports) -> None:
    await reports.look(0, base=0.1)
    assert await reports.look(INTERVAL, load=2.0, base=0.101)
    assert reports.stored.scaling is not None
    assert reports.stored.scaling.learned == {"base": "0.101"}


@pytest.mark.parametrize(
    ("status", "message", "warned"),
    [
        (403, "unable to create new content in namespace chat because it is being terminated", False),
        (404, 'namespaces "chat" not found', False),
        (403, "events is forbidden: User cannot create resource", True),
    ],
)
async def test_an_event_that_goes_with_its_namespace_is_no_trouble(
    reports: Reports, caplog: pytest.LogCaptureFixture, status: int, message: str, warned: bool
) -> None:
    reports.refuse_events(status, message)
    assert await reports.look(0)
    assert bool(caplog.records) == warned
