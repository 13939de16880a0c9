"""What an activator that asks for a replica is told, and what comes of it."""

from http import HTTPStatus
from typing import Any

import pytest
from aifactory.api.inferenceservice import KIND, InferenceService
from aifactory.api.role import RoleName
from aifactory.cluster.caches import CacheStore
from aifactory.cluster.client import Client
from aifactory.cluster.kinds import CHILDREN, SERVICES
from aifactory.cluster.store import Store
from aifactory.cluster.writer import Writer
from aifactory.controller.factory import FactoryReader
from aifactory.controller.reconcile import Reconciler
from aifactory.decide import plan
from aifactory.observed import Observed
from aifactory.render import labels
from aifactory.settings import Settings
from aifactory.signals.snapshot import Snapshot
from aifactory.telemetry.metrics import Metrics

from tests.unit.cluster.api_server import ApiServer
from tests.unit.cluster.objects import KEY, pod, service

SCALING = {"minReplicas": 0, "maxReplicas": 4, "scaleToZero": {"after": "10m"}}
REPORTED: list[dict[str, Any]] = [{"scaling": {**SCALING, "mode": "Recommend"}}, {"scaling": SCALING, "mode": "Plan"}]
ADDRESS = "10.0.0.7"
NOON = 1767268800.0


class Asleep:
    """A service without a replica, and its activator, in a cluster that says what is written."""

    def __init__(self, server: ApiServer, client: Client, spec: dict[str, Any]) -> None:
        self._now, self._server, store = NOON, server, Store()
        body = service()
        body["spec"] |= spec
        settings = Settings()
        store.put(KIND, body)
        given, replicas = InferenceService.model_validate(body), {RoleName.MODEL_SERVER: 0}
        todo = plan(given, Observed(), replicas, {}, served=(), activation=settings.activation)
        for number, child in enumerate(todo.apply):
            stored = {"uid": f"child-{number}", "resourceVersion": "1", "generation": 1}
            live = {**child, "metadata": {**child["metadata"], **stored}}
            store.put(child["kind"], live)
            server.answers["PATCH", CHILDREN[child["kind"]].path("chat", child["metadata"]["name"])] = (200, live)
        ready = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}
        activator = pod("llama-activator-1", podIPs=[{"ip": ADDRESS}], conditions=[ready])
        activator["metadata"]["labels"][labels.ROLE] = RoleName.ACTIVATOR
        store.put("Pod", activator)
        server.answers["PATCH", SERVICES.resource.path(*KEY, "status")] = (200, body)
        self._reconciler = Reconciler(
            store, CacheStore(), Writer(client, store), settings, Metrics(), lambda: self._now, FactoryReader()
        )

    async def tick(self, times: int = 1) -> dict[str, Any]:
        """The decision of the status that is written after signals were read so many times, every 15 seconds."""
        for _ in range(times):
            self._now += 15.0
            self._reconciler.snapshot = Snapshot(self._now, 60.0)
            await self._reconciler.reconcile(KEY)
        written = [one.body["status"] for one in self._server.seen if one.path.endswith("/status")]
        decision: dict[str, Any] = written[-1]["scaling"]["decision"]
        return decision

    def ask(self) -> HTTPStatus:
        return self._reconciler.wake(KEY, ADDRESS)

    @property
    def writes(self) -> list[str]:
        """Paths of what is written besides status and Events."""
        paths = [one.path for one in self._server.seen]
        return [path for path in paths if not path.endswith(("/status", "/events"))]


def said(decision: dict[str, Any]) -> tuple[int, str]:
    return decision["to"], decision["reason"]


@pytest.mark.parametrize("spec", REPORTED, ids=["Recommend", "Plan"])
async def test_requests_become_a_recommendation_where_decisions_are_only_reported(
    server: ApiServer, client: Client, spec: dict[str, Any]
) -> None:
    asleep = Asleep(server, client, spec)
    assert said(await asleep.tick()) == (0, "ScaledToZero")
    assert asleep.ask() is HTTPStatus.CONFLICT, "they are turned away"
    decision = await asleep.tick()
    assert said(decision) == (1, "Activated")
    assert decision["message"] == "0 -> 1 replicas: requests have come that need a replica"
    assert asleep.writes == [], "nobody is woken"


async def test_the_recommendation_stays_until_nobody_has_asked_for_as_long_as_a_last_replica_would(
    server: ApiServer, client: Client
) -> None:
    asleep = Asleep(server, client, REPORTED[0])
    await asleep.tick()
    asleep.ask()
    assert said(await asleep.tick(39)) == (1, "Activated")
    asleep.ask()
    assert said(await asleep.tick(39)) == (1, "Activated")
    assert said(await asleep.tick()) == (0, "ScaledToZero")


async def test_requests_wake_a_service_that_the_operator_scales(server: ApiServer, client: Client) -> None:
    asleep = Asleep(server, client, {"scaling": SCALING})
    await asleep.tick()
    assert asleep.ask() is HTTPStatus.ACCEPTED
    assert said(await asleep.tick()) == (1, "Activated")
    assert asleep.writes == ["/apis/apps/v1/namespaces/chat/deployments/llama"]
