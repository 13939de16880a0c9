"""Who may act, as the API server sees it."""

import asyncio

from aifactory.cluster.client import Client
from aifactory.controller import lease
from kubernetes.aio import client as kubernetes

from tests.unit.cluster.api_server import ApiServer

NAMESPACE, SECONDS, LONGER = "aifactory-system", 3.0, 6.0


async def test_the_lease_is_kept_while_every_connection_waits_for_an_answer(server: ApiServer) -> None:
    """As when a webhook of somebody holds up what is written."""
    configuration = kubernetes.Configuration()
    configuration.host, configuration.connection_pool_maxsize = server.url, 1
    client = Client(kubernetes.ApiClient(configuration), lambda *_: None)
    path = lease.LEASE.path(NAMESPACE, lease.NAME)
    server.refuse("GET", path, 404, "NotFound")
    server.after["GET", path] = (200, {})
    answered = server.held["/slow"] = asyncio.Event()

    async def work() -> None:
        asked = asyncio.create_task(client.request("GET", "/slow", "slow"))
        await asyncio.sleep(LONGER)
        answered.set()
        await asked

    await lease.lead(client, NAMESPACE, SECONDS, work)
    await client.close()
