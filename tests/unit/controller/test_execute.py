"""A plan is carried out as far as the API server lets it be, and nothing is taken away while it does not."""

from typing import Any

import pytest
from aifactory.api.inferenceservice import KIND, InferenceService
from aifactory.api.role import RoleName
from aifactory.cluster.client import ApiError
from aifactory.cluster.kinds import CHILDREN, POD
from aifactory.cluster.store import Store
from aifactory.cluster.writer import Writer
from aifactory.controller.execute import Refused, execute
from aifactory.controller.refusal import trouble
from aifactory.decide import Plan, plan
from aifactory.observed import Group, Observed, Workload
from aiohttp.test_utils import unused_port

from tests.unit.cluster.api_server import ApiServer
from tests.unit.cluster.objects import NAME, NAMESPACE, UID, service

SERVERS = RoleName.MODEL_SERVER
SPEC = {"model": {"name": "meta/llama"}, "runtime": {"engine": "vllm"}}
SERVICE = InferenceService.model_validate(
    {"metadata": {"name": NAME, "namespace": NAMESPACE, "uid": UID}, "spec": SPEC}
)
EVERYTHING = [
    ("Service", NAME),
    ("ServiceAccount", f"{NAME}-server"),
    ("NetworkPolicy", NAME),
    ("PodDisruptionBudget", NAME),
    ("Deployment", NAME),
]
DEPLOYMENT = ("Deployment", NAME)
CANARY = ("Deployment", f"{NAME}-canary")


def decide(observed: Observed, replicas: int = 2, of: InferenceService = SERVICE) -> Plan:
    return plan(of, observed, {SERVERS: replicas}, {}, served=())


def cluster(*lost: str, replicas: int = 2) -> Observed:
    """All that the service has, but for what is lost."""
    every = {(child["kind"], child["metadata"]["name"]): child for child in decide(Observed(), replicas).apply}
    children = {child_id: stored(child) for child_id, child in every.items() if child_id[0] not in lost}
    return Observed(children, {SERVERS: Group(Workload(replicas=replicas))})


def stored(child: dict[str, Any]) -> dict[str, Any]:
    metadata = {"uid": f"uid of {child['kind']}", "resourceVersion": "1"}
    return {**child, "metadata": {**child["metadata"], **metadata}}


def where(child_id: tuple[str, str]) -> str:
    kind, name = child_id
    return CHILDREN[kind].path(NAMESPACE, name)


@pytest.fixture
def writer(server, client) -> Writer:
    """Of a cluster that takes everything, and has nothing that it was not told of."""
    store = Store()
    store.put(KIND, service())
    for child in decide(Observed()).apply:
        child_id = child["kind"], child["metadata"]["name"]
        server.refuse("GET", where(child_id), 404, "NotFound")
        server.answers["PATCH", where(child_id)] = (200, stored(child))
    return Writer(client, store)


def written(server: ApiServer) -> list[tuple[str, str]]:
    """Method and path of all writes."""
    return [(seen.method, seen.path) for seen in server.seen if seen.method != "GET"]


async def test_a_refused_child_keeps_no_other_from_being_applied(server, writer):
    server.refuse("PATCH", where(("PodDisruptionBudget", NAME)), 403, "Forbidden", "a webhook says no")
    (refused,) = await execute(writer, NAMESPACE, Observed(), decide(Observed()))
    assert refused.what == f"PodDisruptionBudget {NAME}"
    assert written(server) == [("PATCH", where(child_id)) for child_id in EVERYTHING]


@pytest.mark.parametrize("lacking", EVERYTHING[:3])
async def test_first_pods_wait_for_what_they_need(server, writer, lacking):
    server.refuse("PATCH", where(lacking), 403, "Forbidden")
    await execute(writer, NAMESPACE, Observed(), decide(Observed()))
    assert written(server) == [("PATCH", where(child_id)) for child_id in EVERYTHING[:-1]]


@pytest.mark.parametrize("damaged", ["Service", "NetworkPolicy"])
async def test_a_lost_deployment_comes_back_although_a_child_that_is_there_is_refused(server, writer, damaged):
    observed = cluster("Deployment", replicas=3)
    observed.children[damaged, NAME]["spec"] = {}
    server.refuse("PATCH", where((damaged, NAME)), 403, "Forbidden")
    await execute(writer, NAMESPACE, observed, decide(observed, 3))
    assert ("PATCH", where(DEPLOYMENT)) in written(server)
    assert server.seen[-1].body["spec"]["replicas"] == 3


async def damage(server: ApiServer, writer: Writer, replicas: int, of: InferenceService = SERVICE) -> None:
    """The Service is refused while there are three replicas and so many are wanted."""
    observed = cluster(replicas=3)
    observed.children["Service", NAME]["spec"] = {}
    observed.children["PodMonitor", NAME] = stored({**observed.children["Service", NAME], "kind": "PodMonitor"})
    server.refuse("PATCH", where(("Service", NAME)), 403, "Forbidden")
    todo = decide(observed, replicas, of)
    assert todo.delete
    await execute(writer, NAMESPACE, observed, todo)


async def test_nothing_is_taken_away_while_a_write_is_refused(server, writer):
    await damage(server, writer, replicas=1)
    assert written(server) == [("PATCH", where(("Service", NAME)))]


async def test_replicas_are_added_while_a_write_is_refused(server, writer):
    await damage(server, writer, replicas=4)
    assert server.seen[-1].body == {"spec": {"replicas": 4}}


@pytest.mark.parametrize(("wanted", "applied"), [(1, 3), (4, 4)])
async def test_another_spec_takes_no_replica_away_while_a_write_is_refused(server, writer, wanted, applied):
    changed = {**SPEC, "runtime": {"engine": "vllm", "args": ["--seed", "1"]}}
    other = InferenceService.model_validate({"metadata": SERVICE.metadata, "spec": changed})
    await damage(server, writer, wanted, other)
    assert server.seen[-1].path == where(DEPLOYMENT)
    assert server.seen[-1].body["spec"]["replicas"] == applied


async def test_what_nothing_depends_on_keeps_nobody_from_being_taken_away(server, writer):
    observed = cluster(replicas=3)
    observed.children["PodDisruptionBudget", NAME]["spec"] = {}
    server.refuse("PATCH", where(("PodDisruptionBudget", NAME)), 403, "Forbidden")
    (refused,) = await execute(writer, NAMESPACE, observed, decide(observed, 1))
    assert refused.what == f"PodDisruptionBudget {NAME}"
    assert server.seen[-1].body == {"spec": {"replicas": 1}}


async def test_no_pod_leaves_before_it_is_known_which_one_should(server, writer):
    observed = cluster(replicas=3)
    server.refuse("PATCH", POD.path(NAMESPACE, "idle"), 403, "Forbidden")
    todo = Plan(replicas={DEPLOYMENT: 2}, deletion_costs={"idle": -1})
    (refused,) = await execute(writer, NAMESPACE, observed, todo)
    assert refused.what == "Pod idle"
    assert len(server.seen) == 1


async def test_how_many_replicas_both_tracks_are_to_have_is_written_before_either_is_resized(server, writer):
    observed = cluster(replicas=3)
    server.answers["PATCH", where(DEPLOYMENT)] = (500, {})
    server.answers["PATCH", where(CANARY)] = (200, observed.children[DEPLOYMENT])
    await execute(writer, NAMESPACE, observed, Plan(replicas={DEPLOYMENT: 4}, both={f"{NAME}-canary": 5}))
    assert [seen.body for seen in server.seen] == [
        {"metadata": {"annotations": {"aifactory.dev/replicas": "5"}}},
        {"spec": {"replicas": 4}},
    ]


async def test_where_no_answer_comes_nothing_else_is_asked(server):
    async with server.client(f"http://127.0.0.1:{unused_port()}") as nowhere:
        with pytest.raises(ApiError, match="NoAnswer"):
            await execute(Writer(nowhere, Store()), NAMESPACE, Observed(), decide(Observed()))
    assert len(server.observed) == 1


async def test_all_that_is_refused_is_told_with_what_to_do(server, writer):
    shop = {"apiVersion": "v1", "kind": "Shop", "name": "corner", "controller": True}
    taken = {"metadata": {"name": NAME, "namespace": NAMESPACE, "ownerReferences": [shop]}}
    server.answers["GET", where(("NetworkPolicy", NAME))] = (200, taken)
    server.answers["GET", where(("PodDisruptionBudget", NAME))] = (200, {"metadata": {"namespace": NAMESPACE}})
    server.refuse("PATCH", where(("ServiceAccount", f"{NAME}-server")), 403, "Forbidden", "x" * 2000)
    told = trouble(await execute(writer, NAMESPACE, Observed(), decide(Observed())), "service")
    assert told is not None
    assert told.reason == "ApplyRejected"
    assert f"the API server refuses ServiceAccount {NAME}-server: xxx" in told.message
    assert "NetworkPolicy llama exists and belongs to Shop corner; rename the service or Shop corner" in told.message
    assert "PodDisruptionBudget llama exists and belongs to something else; rename" in told.message
    assert told.message.endswith("or remove that object")
    assert len(told.message) <= 1024


def test_of_many_refusals_the_first_are_told_whole() -> None:
    every = [Refused(f"StatefulSet llama-{index}", ApiError(403, "Forbidden", "y" * 200)) for index in range(32)]
    told = trouble(every, "service")
    assert told is not None
    assert told.message.count("y" * 200) == 3
    assert told.message.endswith("; and 29 more")


async def test_what_may_go_well_the_next_time_is_tried_again_and_no_trouble(server, writer):
    server.refuse("PATCH", where(("NetworkPolicy", NAME)), 500, "InternalError", "failed calling webhook")
    refused = await execute(writer, NAMESPACE, Observed(), decide(Observed()))
    with pytest.raises(ApiError, match="failed calling webhook"):
        trouble(refused, "service")
    assert trouble([], "service") is None
