from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aifactory.cluster.client import Client

from tests.unit.cluster.api_server import ApiServer, api_server


@pytest_asyncio.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ApiServer]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    async with api_server() as running:
        yield running


@pytest_asyncio.fixture
async def client(server: ApiServer) -> AsyncIterator[Client]:
    async with server.client() as connected:
        yield connected
