"""What the process knows when it begins, and what becomes of it."""

import pytest
from aifactory.cluster.client import Client
from aifactory.cluster.kinds import INFERENCE_SERVICE, KINDS, MODEL_CACHE
from aifactory.controller import run
from aifactory.controller.run import Operator
from aifactory.settings import Settings
from aifactory.telemetry.metrics import Metrics

from tests.unit.cluster.api_server import ApiServer

CACHE = {"metadata": {"name": "weights", "namespace": "chat", "uid": "cache-1", "resourceVersion": "5"}}


def listed(*items: dict) -> tuple[int, dict]:
    return 200, {"apiVersion": "v1", "metadata": {"resourceVersion": "100"}, "items": [*items]}


async def test_what_is_listed_before_another_list_fails_is_worked_on_all_the_same(
    server: ApiServer, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "RETRY_SECONDS", 0.0)
    for kind in KINDS.values():
        server.answers["GET", kind.collection("")] = listed()
    server.answers["GET", MODEL_CACHE.collection("")] = listed(CACHE)
    services = INFERENCE_SERVICE.collection("")
    server.after["GET", services] = server.answers["GET", services]
    server.refuse("GET", services, 503, "ServiceUnavailable")
    operator = Operator(Settings(), client, Metrics())
    await operator._insist("", operator._refresh)
    assert operator.cache_queue.depth == 1
