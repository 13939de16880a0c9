"""Complete lists fill the store, and heal what watches missed."""

import pytest
from aifactory.api.inferenceservice import KIND
from aifactory.api.role import RoleName
from aifactory.cluster import listing
from aifactory.cluster.client import ApiError
from aifactory.cluster.kinds import CHILDREN, INFERENCE_SERVICE, POD
from aifactory.cluster.store import Store

from tests.unit.cluster.objects import KEY, NAMESPACE, child, pod, service

SERVICES = "/apis/aifactory.dev/v1alpha1/inferenceservices"
DEPLOYMENTS = "/apis/apps/v1/deployments"
PODS = "/api/v1/pods"
KINDS = {KIND: INFERENCE_SERVICE, "Pod": POD, "Deployment": CHILDREN["Deployment"]}


@pytest.fixture
def store() -> Store:
    return Store()


def listed(*items, version: int = 100, token: str = "") -> tuple[int, dict]:
    """As the API server lists: what kind the items are is said once, for all of them."""
    bare = [{name: value for name, value in item.items() if name not in ("apiVersion", "kind")} for item in items]
    return 200, {
        "apiVersion": "apps/v1",
        "metadata": {"resourceVersion": str(version), "continue": token},
        "items": bare,
    }


async def refresh(client, store, kinds, namespaces) -> set:
    """Ours about which something was learned."""
    changed: set = set()
    await listing.refresh(client, store, kinds, namespaces, changed)
    return changed


def cluster(server, *, services=(), deployments=(), pods=(), version: int = 100) -> None:
    for path, items in ((SERVICES, services), (DEPLOYMENTS, deployments), (PODS, pods)):
        server.answers["GET", path] = listed(*items, version=version)


async def test_everything_is_known_after_the_first_lists(server, client, store):
    cluster(server, services=[service(5)], deployments=[child()], pods=[pod()])
    assert await refresh(client, store, KINDS, ()) == {KEY}
    assert list(store.services()) == [KEY]
    assert store.observe(KEY).group(RoleName.MODEL_SERVER).workload is not None
    assert [found.name for found in store.observe(KEY).group(RoleName.MODEL_SERVER).pods] == ["llama-1"]


async def test_a_listed_child_is_complete(server, client, store):
    cluster(server, services=[service(5)], deployments=[child()])
    await refresh(client, store, KINDS, ())
    found = store.observe(KEY).children["Deployment", "llama"]
    assert (found["apiVersion"], found["kind"]) == ("apps/v1", "Deployment")


async def test_only_own_children_are_asked_for(server, client, store):
    cluster(server)
    await refresh(client, store, KINDS, ())
    assert [seen.query.get("labelSelector") for seen in server.seen] == [None, *["aifactory.dev/inferenceservice"] * 2]


async def test_lists_come_page_by_page(server, client, store):
    cluster(server)
    server.answers["GET", SERVICES] = listed(token="next")
    server.after["GET", SERVICES] = listed(service(5))
    await refresh(client, store, {KIND: INFERENCE_SERVICE}, ())
    assert [seen.query.get("continue") for seen in server.seen] == [None, "next"]
    assert list(store.services()) == [KEY]


async def test_what_was_deleted_unnoticed_is_forgotten(server, client, store):
    cluster(server, services=[service(5)], deployments=[child()], pods=[pod()])
    await refresh(client, store, KINDS, ())
    cluster(server, services=[service(5)], version=200)
    assert await refresh(client, store, KINDS, ()) == {KEY}
    assert store.observe(KEY).children == {}
    assert store.observe(KEY).group(RoleName.MODEL_SERVER).pods == ()
    cluster(server, version=300)
    assert await refresh(client, store, KINDS, ()) == {KEY}
    assert list(store.services()) == []


async def test_what_was_made_after_the_list_is_kept(server, client, store):
    store.put(KIND, service(150))
    cluster(server, version=100)
    assert await refresh(client, store, KINDS, ()) == set()
    assert list(store.services()) == [KEY]


async def test_a_list_without_news_makes_nothing_due(server, client, store):
    cluster(server, services=[service(5)], deployments=[child()], pods=[pod()])
    await refresh(client, store, KINDS, ())
    assert await refresh(client, store, KINDS, ()) == set()


async def test_a_list_of_one_namespace_says_nothing_of_others(server, client, store):
    store.put(KIND, service(5))
    server.answers["GET", "/apis/aifactory.dev/v1alpha1/namespaces/shop/inferenceservices"] = listed()
    await refresh(client, store, {KIND: INFERENCE_SERVICE}, ["shop"])
    assert list(store.services()) == [KEY]
    server.answers["GET", f"/apis/aifactory.dev/v1alpha1/namespaces/{NAMESPACE}/inferenceservices"] = listed()
    await refresh(client, store, {KIND: INFERENCE_SERVICE}, [NAMESPACE])
    assert list(store.services()) == []


async def test_a_kind_that_is_not_served_has_no_objects(server, client, store):
    cluster(server, services=[service(5)])
    server.refuse("GET", DEPLOYMENTS, 404, "NotFound")
    assert await refresh(client, store, KINDS, ()) == {KEY}


async def test_a_list_that_cannot_be_read_is_an_error(server, client, store):
    server.refuse("GET", SERVICES, 500, "InternalError")
    with pytest.raises(ApiError):
        await refresh(client, store, KINDS, ())


async def test_what_was_learned_before_a_list_failed_is_told(server, client, store):
    cluster(server, services=[service(5)])
    server.refuse("GET", PODS, 500, "InternalError")
    changed = set()
    with pytest.raises(ApiError):
        await listing.refresh(client, store, KINDS, (), changed)
    assert changed == {KEY}
