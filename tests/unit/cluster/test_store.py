"""The operator acts on the newest state of each object, however news arrive."""

import tracemalloc
from typing import Any

import pytest
from aifactory.api.inferenceservice import KIND
from aifactory.api.role import RoleName
from aifactory.cluster.kinds import SERVICES
from aifactory.cluster.store import Store
from aifactory.render import labels
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.cluster.objects import KEY, NAME, NAMESPACE, UID, child, metadata, pod, service


@pytest.fixture
def store() -> Store:
    return Store()


def test_a_service_is_remembered(store):
    assert store.put(KIND, service(1))
    assert store.service(KEY)["spec"]["model"]["name"] == "meta/llama"
    assert list(store.services()) == [KEY]


def test_an_older_version_is_no_news(store):
    store.put(KIND, service(7, status={"url": "new"}))
    assert not store.put(KIND, service(6, status={"url": "old"}))
    assert not store.put(KIND, service(7, status={"url": "same"}))
    assert store.objects()[KEY]["status"] == {"url": "new"}


def test_versions_are_compared_as_numbers(store):
    store.put(KIND, service(9))
    assert store.put(KIND, service(10))


def test_a_late_answer_does_not_bring_a_deleted_object_back(store):
    store.put(KIND, service())
    store.put("Deployment", child(version=5))
    store.drop("Deployment", child(version=8))
    assert not store.put("Deployment", child(version=7))
    assert store.observe(KEY).children == {}


def test_a_late_deletion_does_not_take_the_successor_away(store):
    store.put(KIND, service())
    store.put("Deployment", child(version=9, uid="second"))
    store.drop("Deployment", child(version=8, uid="first"))
    assert store.observe(KEY).group(RoleName.MODEL_SERVER).workload is not None


def test_a_child_that_lost_its_label_and_got_it_back_is_seen_again(store):
    store.put(KIND, service())
    store.drop("Deployment", child(version=8))  # what a watch by label tells of a removed label
    assert store.put("Deployment", child(version=9))
    assert store.observe(KEY).group(RoleName.MODEL_SERVER).workload is not None


def test_a_child_whose_label_was_edited_still_belongs_to_its_owner(store):
    body = child(version=2)
    body["metadata"]["labels"] = {labels.SERVICE: "somebody-else"}
    assert SERVICES.key("Deployment", body["metadata"]) == KEY


def test_an_object_without_owner_and_label_belongs_to_nobody(store):
    assert SERVICES.key("Deployment", metadata("stray", "x", 1)) is None
    assert not store.put("Deployment", {"metadata": metadata("stray", "x", 1)})


def test_children_of_an_earlier_service_of_the_same_name_are_not_observed(store):
    store.put(KIND, service(uid="new"))
    store.put("Deployment", child(owner_uid="old"))
    store.put("Service", child("Service", uid="child-2", owner_uid="new"))
    assert list(store.observe(KEY).children) == [("Service", NAME)]
    assert store.observe(KEY).group(RoleName.MODEL_SERVER).workload is None


def test_children_that_nobody_owns_are_not_observed(store):
    store.put(KIND, service())
    orphan = child()
    del orphan["metadata"]["ownerReferences"]
    store.put("Deployment", orphan)
    assert store.observe(KEY).children == {}


def test_children_of_a_deleted_service_are_not_observed(store):
    store.put(KIND, service())
    store.put("Deployment", child())
    store.drop(KIND, service(2))
    assert store.observe(KEY).children == {}
    assert list(store.services()) == []


def test_children_of_other_services_and_namespaces_are_not_observed(store):
    store.put(KIND, service())
    other = child()
    other["metadata"] |= {"namespace": "elsewhere"}
    store.put("Deployment", other)
    assert store.observe(KEY).children == {}


def test_a_pod_is_news_only_when_it_means_something_else(store):
    assert store.put("Pod", pod(version=1, phase="Pending"))
    assert not store.put("Pod", pod(version=2, phase="Pending", podIP="10.0.0.1"))
    assert not store.put("Pod", pod(version=3, phase="Running", podIP="10.0.0.1"))
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:01:00Z"}
    assert store.put("Pod", pod(version=4, phase="Running", conditions=[ready]))
    assert [pod.name for pod in store.observe(KEY).group(RoleName.MODEL_SERVER).serving_pods] == ["llama-1"]


def test_a_pod_that_is_gone_is_not_observed(store):
    store.put("Pod", pod(version=1))
    store.drop("Pod", pod(version=2))
    assert store.observe(KEY).group(RoleName.MODEL_SERVER).pods == ()


def test_field_ownership_is_not_kept_in_memory(store):
    body = service()
    body["metadata"]["managedFields"] = [{"manager": "kubectl"}]
    store.put(KIND, body)
    assert "managedFields" not in store.service(KEY)["metadata"]
    assert "managedFields" in body["metadata"]


def versions(kind: str, uid: str, numbers: range) -> list[tuple[str, dict[str, Any]]]:
    makers = {KIND: service, "Deployment": child, "Pod": pod}
    extra = {"Pod": {"name": NAME}}.get(kind, {})
    return [("put", {**makers[kind](version=number, uid=uid, **extra), "kind": kind}) for number in numbers]


def found(store: Store, kind: str) -> str | None:
    """The uid and version that the store has of the object."""
    if kind == "Pod":
        return "there" if store.observe(KEY).group(RoleName.MODEL_SERVER).pods else None
    obj = store.service(KEY) if kind == KIND else store.observe(KEY).children.get(("Deployment", NAME))
    return f"{obj['metadata']['uid']} {obj['metadata']['resourceVersion']}" if obj else None


@given(st.data(), st.sampled_from([KIND, "Deployment", "Pod"]), st.booleans())
def test_the_last_state_wins_in_any_order_of_news_and_answers(data, kind, deleted_in_the_end):
    """One name: created, changed, deleted, created again, changed, perhaps deleted again."""
    first, second = versions(kind, "first", range(11, 14)), versions(kind, "second", range(15, 18))
    news = [*first, ("drop", versions(kind, "first", range(14, 15))[0][1]), *second]
    if deleted_in_the_end:
        news.append(("drop", versions(kind, "second", range(18, 19))[0][1]))
    store = Store()
    if kind == "Deployment":
        store.put(KIND, service())
    for what, obj in data.draw(st.permutations(news + data.draw(st.lists(st.sampled_from(first + second))))):
        getattr(store, what)(kind, obj)
    if deleted_in_the_end:
        assert found(store, kind) is None
    else:
        assert found(store, kind) == ("there" if kind == "Pod" else "second 17")


def test_memory_does_not_grow_with_what_is_gone():
    store, version = Store(), iter(range(1, 1_000_000))

    def come_and_go(number: int) -> None:
        name, labelled = f"s{number}", {"labels": {labels.SERVICE: f"s{number}"}}
        for kind in (KIND, "Deployment", "Pod"):
            body = {"metadata": {"name": name, "namespace": NAMESPACE, "uid": f"{UID}-{kind}-{number}"} | labelled}
            body["metadata"]["resourceVersion"] = str(next(version))
            store.put(kind, body)
            body["metadata"]["resourceVersion"] = str(next(version))
            store.drop(kind, body)

    def growth(numbers: range) -> int:
        tracemalloc.start()
        for number in numbers:
            come_and_go(number)
        grown, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return grown

    for number in range(2_000):
        come_and_go(number)
    # The interpreter's table of texts doubles once in a while, which is no growth of the store.
    rounds = (growth(range(start, start + 4_000)) for start in (2_000, 6_000, 10_000))
    assert any(grown < 1_500_000 for grown in rounds), "tombstones of 4096 objects, and nothing else"
    assert list(store.services()) == []


def test_pods_and_workloads_are_sorted_by_role(store):
    store.put(KIND, service())
    worker = child(uid="prefill-1")
    worker["metadata"]["name"] = "llama-prefill"
    worker["spec"]["replicas"] = 3
    prefill = pod("llama-prefill-1")
    prefill["metadata"]["labels"][labels.ROLE] = "prefill"
    for kind, obj in (("Deployment", child()), ("Deployment", worker), ("Pod", pod()), ("Pod", prefill)):
        assert store.put(kind, obj)
    found = {
        role: (group.workload.replicas, [one.name for one in group.pods])
        for role, group in store.observe(KEY).groups.items()
    }
    assert found == {RoleName.MODEL_SERVER: (1, ["llama-1"]), RoleName.PREFILL: (3, ["llama-prefill-1"])}


def test_a_pod_of_no_known_role_belongs_to_none(store):
    stray = pod()
    stray["metadata"]["labels"][labels.ROLE] = "cook"
    store.put("Pod", stray)
    assert store.observe(KEY).groups == {}


def member(name: str, replica: str = "0", version: int = 1, **metadata: Any) -> dict[str, Any]:
    """A pod of a replica that has several, which runs."""
    running = {"name": "model-server", "state": {"running": {"startedAt": "2026-01-01T00:00:10Z"}}}
    made = pod(name, version=version, containerStatuses=[running])
    made["metadata"]["labels"] |= {labels.MEMBER_OF: "model-server", labels.NODES: "2", labels.REPLICA: replica}
    made["metadata"] |= metadata
    return made


LEAVING = {"deletionTimestamp": "2026-01-01T00:01:00Z", "deletionGracePeriodSeconds": 30}


def departed(store: Store) -> set[str]:
    return {pod.name for pod in store.observe(KEY).group(RoleName.MODEL_SERVER).departed}


def test_pods_of_a_replica_are_one_pod_and_each_a_member(store):
    store.put(KIND, service())
    for name in ("llama-0-0", "llama-0-workers-1"):
        store.put("Pod", member(name))
    group = store.observe(KEY).group(RoleName.MODEL_SERVER)
    assert ([pod.name for pod in group.pods], len(group.members)) == (["llama-0-0"], 2)


def test_a_pod_that_vanished_at_once_is_remembered_while_its_peers_are_there(store):
    store.put(KIND, service())
    for name in ("llama-0-0", "llama-0-workers-1"):
        store.put("Pod", member(name))
    store.drop("Pod", member("llama-0-workers-1", version=3, **LEAVING))
    assert departed(store) == {"llama-0-workers-1"}
    store.drop("Pod", member("llama-0-0", version=4, **LEAVING))
    store.put("Pod", member("llama-1-0", replica="1", version=5))
    store.drop("Pod", member("llama-1-0", replica="1", version=6, **LEAVING))
    assert departed(store) == set()


def test_the_last_pod_of_a_replica_is_not_remembered(store):
    store.put("Pod", member("llama-0-0"))
    store.drop("Pod", member("llama-0-0", version=2, **LEAVING))
    store.put("Pod", member("llama-0-0", version=3, uid="successor"))
    assert departed(store) == set()


def test_pods_that_serve_alone_are_forgotten_when_they_are_gone(store):
    store.put(KIND, service())
    store.put("Pod", pod("llama-1"))
    store.put("Pod", pod("llama-2"))
    gone = pod("llama-1", version=3)
    gone["metadata"] |= LEAVING
    store.drop("Pod", gone)
    assert departed(store) == set()
