"""What the process knows when it begins, and what becomes of it."""

import asyncio
import json
from pathlib import Path

import kopf
import pytest
from aifactory.cluster.client import Client
from aifactory.cluster.kinds import INFERENCE_SERVICE, KINDS, MODEL_CACHE
from aifactory.controller import run, watched
from aifactory.controller.run import Operator
from aifactory.settings import Settings
from aifactory.telemetry.metrics import Metrics

from tests.unit.cluster.api_server import ApiServer

CACHE = {"metadata": {"name": "weights", "namespace": "chat", "uid": "cache-1", "resourceVersion": "5"}}


def listed(*items: dict) -> tuple[int, dict]:
    return 200, {"apiVersion": "v1", "metadata": {"resourceVersion": "100"}, "items": [*items]}


def nothing_there(server: ApiServer) -> None:
    for one in KINDS.values():
        server.answers["GET", one.collection("")] = listed()


async def test_what_is_listed_before_another_list_fails_is_worked_on_all_the_same(
    server: ApiServer, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "RETRY_SECONDS", 0.0)
    nothing_there(server)
    server.answers["GET", MODEL_CACHE.collection("")] = listed(CACHE)
    services = INFERENCE_SERVICE.collection("")
    server.after["GET", services] = server.answers["GET", services]
    server.refuse("GET", services, 503, "ServiceUnavailable")
    operator = Operator(Settings(), client, Metrics())
    await operator._insist("", operator._refresh)
    assert operator.cache_queue.depth == 1


def kind(name: str, plural: str) -> dict:
    """As discovery has it."""
    return {"name": plural, "kind": name, "singularName": "", "namespaced": True, "verbs": ["list", "watch"]}


SERVICES = INFERENCE_SERVICE.collection("")
VERSION = {"groupVersion": "aifactory.dev/v1alpha1", "version": "v1alpha1"}
GROUP = {"name": "aifactory.dev", "versions": [VERSION], "preferredVersion": VERSION}
FAILURES = {
    "a page that is asked for too late": [(410, {"kind": "Status", "reason": "Expired"})],
    "a watch that ends with an error": [listed(), (200, {"type": "ERROR", "object": {"code": 500, "reason": "x"}})],
}


@pytest.fixture
def cluster(server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ApiServer:
    """One that serves InferenceServices, for kopf as well."""
    named = {"cluster": "c", "user": "u"}
    kubeconfig = {
        "current-context": "here",
        "contexts": [{"name": "here", "context": named}],
        "clusters": [{"name": "c", "cluster": {"server": server.url}}],
        "users": [{"name": "u", "user": {"token": "secret"}}],
    }
    (tmp_path / "config").write_text(json.dumps(kubeconfig))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    server.answers["GET", "/api"] = (200, {"versions": ["v1"]})
    server.answers["GET", "/api/v1"] = (200, {"resources": [kind("Namespace", "namespaces")]})
    server.answers["GET", "/apis"] = (200, {"groups": [GROUP]})
    server.answers["GET", INFERENCE_SERVICE.prefix] = (
        200,
        {"resources": [kind("InferenceService", "inferenceservices")]},
    )
    return server


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
async def test_watching_begins_anew(
    failure: list[tuple[int, dict]], cluster: ApiServer, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watched, "REST_SECONDS", 0.0)
    cluster.answers["GET", SERVICES] = failure[0]
    if failure[1:]:
        cluster.after["GET", SERVICES] = failure[1]
    operator, registry = Operator(Settings(), client, Metrics()), kopf.OperatorRegistry()
    operator.feed.register(registry)
    watching = asyncio.create_task(watched.insist(lambda: operator._watch(registry), operator.stopping))
    while [seen.path for seen in cluster.seen].count("/apis") < 2:
        assert not watching.done()
        await asyncio.sleep(0.01)
    operator.stopping.set()
    await watching


async def test_nothing_goes_on_when_the_lease_is_lost(cluster: ApiServer, client: Client) -> None:
    nothing_there(cluster)
    operator, before = Operator(Settings(), client, Metrics()), asyncio.all_tasks()
    working = asyncio.create_task(operator.work())
    while "/apis" not in [seen.path for seen in cluster.seen]:
        assert not working.done()
        await asyncio.sleep(0.01)
    working.cancel()
    await asyncio.wait([working])
    assert not operator.leading
    left = (task.get_coro().__qualname__ for task in asyncio.all_tasks() - before)
    assert [name for name in left if name.startswith(("Operator.", "WorkQueue."))] == []
