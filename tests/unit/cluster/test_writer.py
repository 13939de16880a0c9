"""What the operator writes, as the API server receives it."""

import asyncio

import pytest
from aifactory.api.inferenceservice import KIND
from aifactory.api.owner import ObjectMeta
from aifactory.api.role import RoleName
from aifactory.cluster.client import ApiError
from aifactory.cluster.kinds import SERVICES
from aifactory.cluster.store import Store
from aifactory.cluster.writer import NameTakenError, Writer
from aifactory.render import labels
from aifactory.status.transitions import Event

from tests.unit.cluster.objects import KEY, NAME, NAMESPACE, UID, child, owner, service

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


@pytest.fixture
def absent(server):
    server.refuse("GET", DEPLOYMENT, 404, "NotFound")


async def test_a_child_is_applied_under_the_operators_name(server, writer):
    await writer.apply(child(version=2), known=child())
    (seen,) = server.seen
    assert (seen.method, seen.path) == ("PATCH", DEPLOYMENT)
    assert seen.query == {"fieldManager": "aifactory", "force": "true"}
    assert seen.content_type == "application/apply-patch+yaml"
    assert seen.body == child(version=2)


async def test_what_is_taken_back_is_the_very_child_that_was_seen(server, writer):
    await writer.apply(child(uid=""), known=child(uid="child-7"))
    assert server.seen[0].body["metadata"]["uid"] == "child-7"


@pytest.mark.usefixtures("absent")
async def test_a_child_that_was_not_there_takes_nothing_from_others(server, writer):
    await writer.apply(child(), known=None)
    assert [seen.method for seen in server.seen] == ["GET", "PATCH"]
    assert server.seen[1].query["force"] == "false"


@pytest.mark.usefixtures("absent")
async def test_the_stored_child_is_known_without_waiting_for_the_watch(server, writer, store):
    server.answers["PATCH", DEPLOYMENT] = (201, child(version=42))
    answer = await writer.apply(child(), known=None)
    assert answer["metadata"]["resourceVersion"] == "42"
    assert store.observe(KEY).children["Deployment", NAME]["metadata"]["resourceVersion"] == "42"


@pytest.mark.usefixtures("absent")
async def test_an_object_that_somebody_else_made_just_now_is_left_alone_and_named(server, writer, store):
    server.refuse("PATCH", DEPLOYMENT, 409, "Conflict")
    with pytest.raises(NameTakenError, match="Deployment llama exists and belongs to something else"):
        await writer.apply(child(), known=None)
    assert store.observe(KEY).children == {}


PATHS = {kind: SERVICES.children[kind].path(NAMESPACE, NAME) for kind in SERVICES.children}
CONTROLLERS = {
    "InferenceService other": {**owner("other-1"), "name": "other"},
    "InferenceService llama": {**owner("kserve-1"), "apiVersion": "serving.kserve.io/v1beta1"},
    "ReplicaSet llama-5d4f": {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "llama-5d4f", "controller": True},
}


@pytest.mark.parametrize("kind", PATHS)
@pytest.mark.parametrize("controller", CONTROLLERS)
async def test_no_child_of_another_owner_is_taken_although_the_api_server_would_let_it(
    server, writer, kind, controller
):
    live = child(kind, uid="live-1")
    live["metadata"]["ownerReferences"] = [CONTROLLERS[controller]]
    server.answers["GET", PATHS[kind]] = (200, live)
    with pytest.raises(NameTakenError, match=f"^{kind} llama exists and belongs to {controller}$") as caught:
        await writer.apply(child(kind), known=None)
    assert caught.value.owner == controller
    assert [seen.method for seen in server.seen] == ["GET"]


@pytest.mark.parametrize("labelled", [{}, {labels.SERVICE: "other"}])
async def test_an_object_that_nobody_controls_is_somebody_elses_unless_its_label_says_ours(server, writer, labelled):
    live = child("ServiceAccount")
    live["metadata"] |= {"labels": labelled, "ownerReferences": []}
    server.answers["GET", PATHS["ServiceAccount"]] = (200, live)
    with pytest.raises(NameTakenError, match="ServiceAccount llama exists and belongs to something else"):
        await writer.apply(child("ServiceAccount"), known=None)
    assert [seen.method for seen in server.seen] == ["GET"]


@pytest.mark.parametrize("left", [{"ownerReferences": []}, {"ownerReferences": [owner("earlier-1")]}])
async def test_what_an_earlier_service_of_the_name_left_is_used_again_without_force(server, writer, left):
    live = child()
    live["metadata"] |= left
    server.answers["GET", DEPLOYMENT] = (200, live)
    await writer.apply(child(), known=None)
    assert [(seen.method, seen.query.get("force")) for seen in server.seen] == [("GET", None), ("PATCH", "false")]


async def test_a_child_of_ours_that_was_lost_from_sight_is_taken_back(server, writer):
    live = child()
    del live["metadata"]["labels"]
    server.answers["GET", DEPLOYMENT] = (200, live)
    await writer.apply(child(), known=None)
    assert server.seen[1].query["force"] == "true"


@pytest.mark.parametrize(
    ("status", "reason", "message"),
    [
        (409, "Conflict", "uid mismatch"),
        (422, "Invalid", "metadata.uid: Invalid value: field is immutable"),
    ],
)
async def test_a_child_that_was_replaced_by_one_of_another_owner_is_not_taken(server, writer, status, reason, message):
    server.refuse("PATCH", DEPLOYMENT, status, reason, message)
    live = child(uid="live-1")
    live["metadata"]["ownerReferences"] = [CONTROLLERS["InferenceService other"]]
    server.answers["GET", DEPLOYMENT] = (200, live)
    with pytest.raises(NameTakenError, match="InferenceService other"):
        await writer.apply(child(), known=child())


async def test_a_child_that_is_gone_although_it_was_known_is_made_anew(server, writer):
    server.refuse("PATCH", DEPLOYMENT, 409, "Conflict", "uid mismatch")
    server.after["PATCH", DEPLOYMENT] = (201, child(uid="child-2"))
    server.refuse("GET", DEPLOYMENT, 404, "NotFound")
    await writer.apply(child(), known=child())
    assert [seen.method for seen in server.seen] == ["PATCH", "GET", "PATCH"]


async def test_a_conflict_on_an_own_child_is_no_taken_name(server, writer):
    server.refuse("PATCH", DEPLOYMENT, 409, "Conflict")
    server.answers["GET", DEPLOYMENT] = (200, child())
    with pytest.raises(ApiError):
        await writer.apply(child(), known=child())


async def test_of_two_services_that_want_a_name_at_once_one_gets_it(server, client, store):
    """Each looks before the other has written, if nothing keeps it from that."""
    server.refuse("GET", DEPLOYMENT, 404, "NotFound")
    server.after["GET", DEPLOYMENT] = (200, child())
    late = child()
    late["metadata"]["ownerReferences"] = [CONTROLLERS["InferenceService other"]]
    first = Writer(client, store).apply(child(), known=None)
    second = Writer(client, Store()).apply(late, known=None)
    made, taken = await asyncio.gather(first, second, return_exceptions=True)
    assert isinstance(made, dict)
    assert str(taken) == "Deployment llama exists and belongs to InferenceService llama"
    assert [seen.method for seen in server.seen] == ["GET", "PATCH", "GET"]


@pytest.mark.usefixtures("absent")
async def test_a_refused_child_is_an_error(server, writer):
    server.refuse("PATCH", DEPLOYMENT, 422, "Invalid", "template is wrong")
    with pytest.raises(ApiError, match="template is wrong"):
        await writer.apply(child(), known=None)


WANTED = {"selector": {"a": "1"}, "ports": [{"name": "http", "port": 80}]}
DAMAGED = {"clusterIP": "10.96.0.7", "selector": {"a": "1", "evil": "1"}, "ports": [{"port": 81}]}


@pytest.mark.parametrize("kind", ["Service", "PodDisruptionBudget"])
async def test_what_others_added_leaves_a_child_that_it_made_invalid(server, writer, kind):
    server.refuse("PATCH", PATHS[kind], 422, "Invalid", "spec.ports[0].name: Required value")
    server.after["PATCH", PATHS[kind]] = (200, child(kind) | {"spec": WANTED})
    await writer.apply(child(kind) | {"spec": WANTED}, known=child(kind) | {"spec": DAMAGED})
    refused, repair, again = server.seen
    assert repair.content_type == "application/merge-patch+json"
    assert repair.query == {"fieldManager": "aifactory-repairer"}
    assert repair.body["metadata"] == {"uid": "child-1"}
    assert repair.body["spec"] == {**WANTED, "selector": {"a": "1", "evil": None}, "clusterIP": None}
    assert again == refused


async def test_a_child_that_is_invalid_by_itself_says_why(server, writer):
    server.refuse("PATCH", PATHS["Service"], 422, "Invalid", "spec.ports: wrong")
    with pytest.raises(ApiError, match=r"spec\.ports: wrong"):
        await writer.apply(child("Service"), known=child("Service"))
    assert len(server.seen) == 2


async def test_replicas_are_not_replaced_because_others_made_their_workload_invalid(server, writer):
    server.refuse("PATCH", DEPLOYMENT, 422, "Invalid", "volumes")
    with pytest.raises(ApiError, match="volumes"):
        await writer.apply(child(), known=child())
    assert len(server.seen) == 1


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
    await writer.apply(child(), known=child())
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
    await writer.apply(child(), known=child())
    assert store.observe(KEY).children == {}
