"""What the operator writes, as the API server receives it."""

import pytest
from aifactory.api.inferenceservice import KIND
from aifactory.api.owner import ObjectMeta
from aifactory.api.role import RoleName
from aifactory.cluster.client import ApiError
from aifactory.cluster.store import Store
from aifactory.cluster.writer import NameTakenError, Writer
from aifactory.status.transitions import Event

from tests.unit.cluster.objects import KEY, NAME, NAMESPACE, UID, child, service

DEPLOYMENT = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{NAME}"
STATUS = f"/apis/aifactory.dev/v1alpha1/namespaces/{NAMESPACE}/inferenceservices/{NAME}/status"
EVENTS = f"/api/v1/namespaces/{NAMESPACE}/events"
IDENTITY = ObjectMeta(name=NAME, namespace=NAMESPACE, uid=UID)


@pytest.fixture
def store() -> Store:
    filled = Store()
    filled.put(KIND, service())
    return filled


@pytest.fixture
def writer(client, store) -> Writer:
    return Writer(client, store)


async def test_a_child_is_applied_under_the_operators_name(server, writer):
    await writer.apply(child(), exists=True)
    (seen,) = server.seen
    assert (seen.method, seen.path) == ("PATCH", DEPLOYMENT)
    assert seen.query == {"fieldManager": "aifactory", "force": "true"}
    assert seen.content_type == "application/apply-patch+yaml"
    assert seen.body == child()


async def test_a_child_that_was_not_there_takes_nothing_from_others(server, writer):
    await writer.apply(child(), exists=False)
    assert server.seen[0].query["force"] == "false"


async def test_the_stored_child_is_known_without_waiting_for_the_watch(server, writer, store):
    server.answers["PATCH", DEPLOYMENT] = (201, child(version=42))
    answer = await writer.apply(child(), exists=False)
    assert answer["metadata"]["resourceVersion"] == "42"
    assert store.observe(KEY).children["Deployment", NAME]["metadata"]["resourceVersion"] == "42"


async def test_an_object_of_somebody_else_is_left_alone_and_named(server, writer, store):
    server.refuse("PATCH", DEPLOYMENT, 409, "Conflict")
    with pytest.raises(NameTakenError, match="Deployment llama exists and belongs to something else"):
        await writer.apply(child(), exists=False)
    assert store.observe(KEY).children == {}


async def test_a_service_account_of_somebody_else_is_left_alone_although_nothing_conflicts(server, writer):
    wanted = child("ServiceAccount")
    path = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{NAME}"
    server.answers["GET", path] = (200, {**wanted, "metadata": {"name": NAME, "namespace": NAMESPACE, "uid": "shop"}})
    with pytest.raises(NameTakenError, match="ServiceAccount llama exists"):
        await writer.apply(wanted, exists=False)
    assert [seen.method for seen in server.seen] == ["GET"]


async def test_a_service_account_left_by_an_earlier_service_of_the_name_is_used_again(server, writer):
    orphan = child("ServiceAccount")
    del orphan["metadata"]["ownerReferences"]
    server.answers["GET", f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{NAME}"] = (200, orphan)
    await writer.apply(child("ServiceAccount"), exists=False)
    assert [seen.method for seen in server.seen] == ["GET", "PATCH"]


async def test_a_conflict_on_an_own_child_is_no_taken_name(server, writer):
    server.refuse("PATCH", DEPLOYMENT, 409, "Conflict")
    with pytest.raises(ApiError):
        await writer.apply(child(), exists=True)


async def test_a_refused_child_is_an_error(server, writer):
    server.refuse("PATCH", DEPLOYMENT, 422, "Invalid", "template is wrong")
    with pytest.raises(ApiError, match="template is wrong"):
        await writer.apply(child(), exists=False)


async def test_only_the_very_child_is_deleted(server, writer):
    await writer.delete(child())
    (seen,) = server.seen
    assert (seen.method, seen.path) == ("DELETE", DEPLOYMENT)
    assert seen.body["preconditions"] == {"uid": "child-1"}


@pytest.mark.parametrize("status", [404, 409])
async def test_a_child_that_is_gone_or_was_replaced_needs_no_deletion(server, writer, status):
    server.refuse("DELETE", DEPLOYMENT, status, "Reason")
    await writer.delete(child())


async def test_a_child_whose_kind_is_gone_is_forgotten(server, writer, store):
    await writer.apply(child(), exists=False)
    assert store.observe(KEY).children
    server.refuse("DELETE", DEPLOYMENT, 404, "NotFound")
    await writer.delete(child())
    assert store.observe(KEY).children == {}


async def test_a_deletion_that_is_refused_is_an_error(server, writer):
    server.refuse("DELETE", DEPLOYMENT, 403, "Forbidden")
    with pytest.raises(ApiError, match="403"):
        await writer.delete(child())


async def test_scaling_writes_the_number_of_replicas_and_nothing_else(server, writer, store):
    server.answers["PATCH", DEPLOYMENT] = (200, child(version=43) | {"spec": {"replicas": 3}})
    await writer.scale("Deployment", NAMESPACE, NAME, 3)
    (seen,) = server.seen
    assert seen.body == {"spec": {"replicas": 3}}
    assert seen.content_type == "application/merge-patch+json"
    assert seen.query == {"fieldManager": "aifactory-scaler"}
    assert store.observe(KEY).group(RoleName.MODEL_SERVER).workload.replicas == 3


async def test_a_pod_is_marked_to_leave_first(server, writer):
    await writer.set_deletion_cost(NAMESPACE, "llama-1", -5)
    (seen,) = server.seen
    assert seen.path == f"/api/v1/namespaces/{NAMESPACE}/pods/llama-1"
    assert seen.body == {"metadata": {"annotations": {"controller.kubernetes.io/pod-deletion-cost": "-5"}}}


async def test_a_pod_that_left_already_needs_no_mark(server, writer):
    server.refuse("PATCH", f"/api/v1/namespaces/{NAMESPACE}/pods/llama-1", 404, "NotFound")
    await writer.set_deletion_cost(NAMESPACE, "llama-1", -5)


async def test_a_status_is_applied_to_this_very_object(server, writer, store):
    server.answers["PATCH", STATUS] = (200, service(version=9, status={"url": "http://llama.chat.svc"}))
    await writer.status(IDENTITY, {"url": "http://llama.chat.svc"})
    (seen,) = server.seen
    assert seen.body["metadata"] == {"name": NAME, "namespace": NAMESPACE, "uid": UID}
    assert seen.body["status"] == {"url": "http://llama.chat.svc"}
    assert seen.body.keys() == {"apiVersion", "kind", "metadata", "status"}
    assert seen.query == {"fieldManager": "aifactory-status", "force": "true"}
    assert store.objects()[KEY]["status"] == {"url": "http://llama.chat.svc"}


@pytest.mark.parametrize("status", [404, 409])
async def test_the_status_of_an_object_that_is_gone_or_was_replaced_is_nobodys(server, writer, store, status):
    server.refuse("PATCH", STATUS, status, "Reason")
    await writer.status(IDENTITY, {"url": "x"})
    assert "status" not in store.objects()[KEY]


async def test_a_status_that_is_refused_is_an_error(server, writer):
    server.refuse("PATCH", STATUS, 422, "Invalid")
    with pytest.raises(ApiError):
        await writer.status(IDENTITY, {})


async def test_an_event_is_about_the_service(server, writer):
    await writer.event(IDENTITY, Event("Warning", "ImagePullFailed", "x" * 2000), "2026-01-01T00:00:00Z")
    (seen,) = server.seen
    assert (seen.method, seen.path) == ("POST", EVENTS)
    assert seen.body["involvedObject"]["uid"] == UID
    assert (seen.body["type"], seen.body["reason"]) == ("Warning", "ImagePullFailed")
    assert len(seen.body["message"]) == 1024
    assert seen.body["firstTimestamp"] == "2026-01-01T00:00:00Z"


async def test_a_late_answer_about_a_deleted_child_is_ignored(server, writer, store):
    server.answers["PATCH", DEPLOYMENT] = (200, child(version=5))
    store.drop("Deployment", child(version=6))
    await writer.apply(child(), exists=True)
    assert store.observe(KEY).children == {}


ACCOUNT = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{NAME}"


def account(**metadata) -> dict:
    return child("ServiceAccount", uid="account")["metadata"] | metadata


async def test_a_service_account_of_somebody_else_is_left_alone(server, writer):
    server.answers["GET", ACCOUNT] = (200, {"metadata": account(labels={}, ownerReferences=[])})
    with pytest.raises(NameTakenError, match="ServiceAccount llama exists"):
        await writer.apply(child("ServiceAccount"), exists=False)
    assert [seen.method for seen in server.seen] == ["GET"]


async def test_a_service_account_that_nobody_has_is_made(server, writer):
    server.refuse("GET", ACCOUNT, 404, "NotFound")
    await writer.apply(child("ServiceAccount"), exists=False)
    assert [seen.method for seen in server.seen] == ["GET", "PATCH"]


async def test_a_service_account_that_is_ours_is_applied_without_a_look(server, writer):
    await writer.apply(child("ServiceAccount"), exists=True)
    assert [seen.method for seen in server.seen] == ["PATCH"]
