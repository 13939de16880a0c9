"""What the cluster tells becomes work exactly when it is news."""

from typing import Any

import pytest
from aifactory.cluster.store import Store
from aifactory.controller.handlers import CHILD_DELAY_SECONDS, Feed
from aifactory.render import labels

KEY = ("chat", "llama")


class Cluster:
    """Calls the handlers of a feed as kopf does."""

    def __init__(self) -> None:
        self.store = Store()
        self.due: list[tuple[tuple[str, str], float]] = []
        self.feed = Feed((self.store, lambda key, delay: self.due.append((key, delay))))

    async def tell(self, kind: str, body: dict[str, Any], what: str | None = "MODIFIED") -> None:
        await self.feed._event(kind)(type=what, body=body)


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


def service(version: int = 1) -> dict[str, Any]:
    return {"metadata": {"name": "llama", "namespace": "chat", "uid": "s", "resourceVersion": str(version)}}


def deployment(version: int = 1) -> dict[str, Any]:
    metadata = {"name": "llama", "namespace": "chat", "uid": "d", "resourceVersion": str(version)}
    return {"metadata": {**metadata, "labels": {labels.SERVICE: "llama"}}, "spec": {"replicas": 1}}


async def test_a_new_service_is_due_at_once(cluster):
    await cluster.tell("InferenceService", service(), "ADDED")
    assert cluster.due == [(KEY, 0.0)]


async def test_a_changed_child_makes_its_service_due_after_the_burst(cluster):
    await cluster.tell("Deployment", deployment())
    assert cluster.due == [(KEY, CHILD_DELAY_SECONDS)]


async def test_the_echo_of_an_own_write_is_no_news(cluster):
    cluster.store.put("Deployment", deployment(5))
    await cluster.tell("Deployment", deployment(5))
    assert cluster.due == []


async def test_only_a_list_says_that_a_watch_began(cluster):
    await cluster.tell("Deployment", deployment(1), "ADDED")
    assert not cluster.feed.listed.is_set()
    await cluster.tell("Deployment", deployment(1), None)
    assert cluster.feed.listed.is_set()


async def test_a_list_that_is_read_again_is_no_news(cluster):
    for _ in range(2):
        await cluster.tell("InferenceService", service(), None)
    assert cluster.due == [(KEY, 0.0)]


async def test_a_deleted_child_makes_its_service_due(cluster):
    await cluster.tell("Deployment", deployment())
    cluster.due.clear()
    await cluster.tell("Deployment", deployment(2), "DELETED")
    assert cluster.due == [(KEY, CHILD_DELAY_SECONDS)]


async def test_a_deleted_service_is_looked_at_once_more_to_be_forgotten(cluster):
    await cluster.tell("InferenceService", service(), "ADDED")
    await cluster.tell("InferenceService", service(2), "DELETED")
    assert cluster.due == [(KEY, 0.0), (KEY, 0.0)]
    assert cluster.store.service(KEY) is None


async def test_an_object_of_nobody_concerns_no_service(cluster):
    body = deployment()
    body["metadata"]["labels"] = {}
    await cluster.tell("Deployment", body)
    await cluster.tell("Deployment", body, "DELETED")
    assert cluster.due == []
