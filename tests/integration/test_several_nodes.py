"""Replicas of several pods on fake nodes in racks, kept by StatefulSets and by LeaderWorkerSet: the same for a user."""

import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.e2e.kube import Object, path
from tests.e2e.waiting import PATIENCE
from tests.kind.controlplane import ControlPlane
from tests.kind.crds import LEADER_WORKER_SET, crd_files
from tests.kind.lws import LeaderWorkerSets
from tests.kind.paths import CRDS, ROOT
from tests.kind.processes import free_ports
from tests.operator_process import OperatorProcess

from .kube import Kube
from .service import Service

RACK = "topology.example.com/rack"
NODES = [f"rack-{rack}-{node}" for rack in range(3) for node in range(3)]
NATIVE, GROUPS = "StatefulSets", "LeaderWorkerSet"
Cordon = Callable[..., None]
GROUP_LABELS = ("aifactory.dev/replica", "leaderworkerset.sigs.k8s.io/group-index")


@pytest.fixture(scope="module", params=[NATIVE, GROUPS])
def form(request: pytest.FixtureRequest) -> str:
    """What keeps the pods."""
    chosen: str = request.param
    return chosen


@pytest.fixture(scope="module")
def plane(form: str) -> Iterator[ControlPlane]:
    """A control plane with a scheduler and nine nodes of one GPU in three racks."""
    crds = [*CRDS, *(crd_files(*LEADER_WORKER_SET) if form == GROUPS else ())]
    with ControlPlane(fake_nodes=True, crds=crds) as plane:
        for node in NODES:
            plane.add_fake_node(node, {"nvidia.com/gpu": "1"}, {RACK: node.rpartition("-")[0]})
        plane.kubectl("apply", "--server-side", "-k", str(ROOT / "manifests"))
        yield plane


@pytest.fixture(scope="module", autouse=True)
def controller(form: str, plane: ControlPlane) -> Iterator[LeaderWorkerSets | None]:
    """What keeps the groups, if anything does."""
    with LeaderWorkerSets(plane) if form == GROUPS else nullcontext() as controller:
        yield controller


@pytest.fixture
def service(plane: ControlPlane) -> Iterator[Service]:
    """A service of a namespace of its own, not yet created, and an operator with the rights of an installed one."""
    kube = Kube(plane)
    kubeconfig = plane.kubeconfig_for_service_account("aifactory-system", "aifactory-operator")
    namespace = f"test-{uuid.uuid4().hex[:8]}"
    kube.send("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
    with OperatorProcess(kubeconfig, free_ports(1)[0]) as operator:
        made = Service(plane, kube, namespace, "chat")
        yield made
        made.delete()
        made.wait("no pod holds a GPU any more", lambda: not all_pods(made))
        assert "orbidden" not in operator.log.read_text()
    kube.close()


@pytest.fixture
def cordon(service: Service) -> Iterator[Cordon]:
    """Keeps new pods from nodes, or with `off` no longer, as for all nodes at the end."""

    def change(*nodes: str, off: bool = False) -> None:
        for node in nodes:
            service.kube.merge(f"/api/v1/nodes/{node}", {"spec": {"unschedulable": not off}})

    yield change
    change(*NODES, off=True)


def pair(replicas: int = 1, **spec: Any) -> Mapping[str, Any]:
    """A spec with two pods per replica."""
    accelerator = {"nodes": 2, **spec.pop("accelerator", {})}
    return {"accelerator": accelerator, "replicas": replicas, "drain": {"timeout": "0s"}, **spec}


def all_pods(service: Service) -> list[Object]:
    collection = path(service.namespace, "pods")
    found = service.kube.send("GET", f"{collection}?labelSelector=aifactory.dev%2Finferenceservice%3D{service.name}")
    items: list[Object] = found["items"]
    return items


def groups(service: Service) -> Mapping[str, list[Object]]:
    """Living pods by replica."""
    found = defaultdict(list)
    for pod in service.pods():
        labels = pod["metadata"]["labels"]
        found[next(labels[name] for name in GROUP_LABELS if name in labels)].append(pod)
    return found


def uids(service: Service) -> set[str]:
    return {pod["metadata"]["uid"] for pod in service.pods()}


def serves(service: Service, replicas: int) -> None:
    service.wait(
        f"{replicas} replicas serve",
        lambda: (
            service.status().get("replicas", {}).get("ready") == replicas
            and service.condition("Ready").get("status") == "True"
        ),
    )


def run_for_a_while(service: Service) -> None:
    """Kubernetes tells times in whole seconds; what happens within one cannot be told apart."""

    def ran() -> bool:
        now = datetime.now(UTC).replace(microsecond=0)
        states = [pod["status"]["containerStatuses"][0]["state"] for pod in service.pods()]
        return all(datetime.fromisoformat(state["running"]["startedAt"]) < now for state in states)

    service.wait("the pods began in an earlier second", ran)


def is_leader(pod: Object) -> bool:
    return "aifactory.dev/role" in pod["metadata"]["labels"]


def argument(pod: Object, flag: str) -> str:
    args: list[str] = pod["spec"]["containers"][0]["args"]
    return args[args.index(flag) + 1]


def test_a_replica_is_a_leader_and_its_worker_counted_as_one(service: Service, form: str) -> None:
    service.apply(pair(2))
    serves(service, 2)
    assert service.status()["replicas"] == {"desired": 2, "current": 2, "ready": 2, "pending": 0, "unschedulable": 0}
    assert sorted(len(pods) for pods in groups(service).values()) == [2, 2]
    for pods in groups(service).values():
        (leader,) = filter(is_leader, pods)
        (worker,) = (pod for pod in pods if not is_leader(pod))
        assert "--headless" in worker["spec"]["containers"][0]["args"]
        assert "--headless" not in leader["spec"]["containers"][0]["args"]
        assert leader["spec"]["subdomain"] == worker["spec"]["subdomain"] == "chat-nodes"
        assert leader["spec"]["hostname"] == leader["metadata"]["name"]
        assert argument(worker, "--master-addr") == "$(AIFACTORY_LEADER_ADDRESS)"
    sets = service.kube.find(path(service.namespace, "leaderworkersets", "chat-nodes")) if form == GROUPS else None
    assert (sets is not None) is (form == GROUPS)


def test_only_leaders_are_behind_the_service(service: Service) -> None:
    service.apply(pair())
    serves(service, 1)
    slices = f"/apis/discovery.k8s.io/v1/namespaces/{service.namespace}/endpointslices"
    selector = "labelSelector=kubernetes.io%2Fservice-name%3Dchat"

    def behind() -> set[str]:
        found = service.kube.send("GET", f"{slices}?{selector}")["items"]
        return {end["targetRef"]["name"] for one in found for end in one.get("endpoints") or []}

    leaders = {pod["metadata"]["name"] for pod in service.pods() if is_leader(pod)}
    service.wait("the leader is reached", lambda: behind() == leaders)


def test_replicas_come_and_go_as_wholes(service: Service) -> None:
    service.apply(pair(1))
    serves(service, 1)
    first = uids(service)
    service.apply(pair(3))
    serves(service, 3)
    assert first < uids(service)
    service.apply(pair(1))
    service.wait("two pods are left", lambda: len(service.pods()) == 2)
    serves(service, 1)
    assert len(groups(service)) == 1


@pytest.mark.parametrize("victim", ["leader", "worker"])
def test_the_loss_of_one_pod_starts_its_whole_replica_anew_and_no_other(service: Service, victim: str) -> None:
    service.apply(pair(2))
    serves(service, 2)
    run_for_a_while(service)
    number, pods = next(iter(groups(service).items()))
    others = uids(service) - {pod["metadata"]["uid"] for pod in pods}
    lost = next(pod for pod in pods if is_leader(pod) == (victim == "leader"))
    service.kube.delete(path(service.namespace, "pods", lost["metadata"]["name"]))

    def renewed() -> bool:
        now = {pod["metadata"]["uid"] for pod in groups(service)[number]}
        return len(now) == 2 and not now & {pod["metadata"]["uid"] for pod in pods}

    service.wait("both pods are new", renewed)
    serves(service, 2)
    assert others <= uids(service)


@pytest.mark.parametrize("form", [GROUPS], indirect=True)
def test_a_loss_that_its_controller_did_not_see_starts_the_whole_replica_anew(
    service: Service, controller: LeaderWorkerSets
) -> None:
    """It overlooks pods that are gone before it looks, as those of a lost node may be."""
    service.apply(pair(1))
    serves(service, 1)
    run_for_a_while(service)
    before = uids(service)
    (lost,) = (pod for pod in service.pods() if not is_leader(pod))
    where = path(service.namespace, "pods", lost["metadata"]["name"])
    with controller.absent():
        service.kube.delete(where)
        service.wait(
            "the pod is gone",
            lambda: lost["metadata"]["uid"] not in {one["metadata"]["uid"] for one in all_pods(service)},
        )
    service.wait("both pods are new", lambda: len(uids(service)) == 2 and not before & uids(service))
    serves(service, 1)


def test_a_container_that_fails_takes_the_other_pods_with_it(service: Service, form: str) -> None:
    service.apply(pair(1))
    serves(service, 1)
    before = {is_leader(pod): pod for pod in service.pods()}
    failed = before[False]
    status = failed["status"]["containerStatuses"][0]
    ended = {
        "exitCode": 1,
        "reason": "Error",
        "finishedAt": "2099-01-01T00:00:00Z",
        "startedAt": "2026-01-01T00:00:00Z",
    }
    crashed = {**status, "restartCount": 1, "lastState": {"terminated": ended}}
    crashed["state"] = {"running": {"startedAt": "2099-01-01T00:00:01Z"}}
    where = path(service.namespace, "pods", failed["metadata"]["name"], "status")
    service.kube.merge(where, {"status": {"containerStatuses": [crashed]}})
    leader = before[True]["metadata"]["uid"]
    service.wait("the leader is another one", lambda: leader not in uids(service))
    if form == NATIVE:
        assert failed["metadata"]["uid"] in uids(service), "the kubelet starts it again, later each time"


def test_a_replica_is_never_split_across_racks(service: Service) -> None:
    """Nine GPUs, but a rack of three holds one replica of two: a fourth one waits, however many GPUs are free."""
    service.apply(pair(3, accelerator={"topology": {"key": RACK}}))
    serves(service, 3)
    assert {len(racks(pods)) for pods in groups(service).values()} == {1}
    service.apply(pair(4, accelerator={"topology": {"key": RACK}}))
    shortage = service.wait_for("GPUShortage", "True", "InsufficientGPUs")
    assert "of 2 pods of the replica have nodes" in shortage["message"]
    assert service.status()["replicas"]["unschedulable"] == 1
    assert service.status()["replicas"]["ready"] == 3
    assert all(len(racks(pods)) <= 1 for pods in groups(service).values())


@pytest.mark.parametrize("form", [NATIVE], indirect=True)
def test_a_replica_that_began_in_a_rack_without_room_tries_another(service: Service, cordon: Cordon) -> None:
    """The same code deletes the pods of both forms."""
    cordon(*NODES[1:])
    service.apply(pair(1, accelerator={"topology": {"key": RACK}}))
    service.wait_for("GPUShortage", "True", "InsufficientGPUs")
    placed = "1 of 2 pods of the replica have nodes"
    service.wait("one has a node", lambda: placed in service.condition("GPUShortage").get("message", ""))
    cordon(NODES[0])
    cordon(*NODES[3:], off=True)
    service.wait("it lets go", lambda: racks(service.pods()) != {"rack-0"}, 3 * PATIENCE)
    serves(service, 1)
    assert racks(service.pods()) <= {"rack-1", "rack-2"}


def test_replicas_that_are_spread_share_no_rack(service: Service) -> None:
    service.apply(pair(3, accelerator={"nodes": 1 + 1, "topology": {"key": RACK, "spread": True}}))
    serves(service, 3)
    homes = [racks(pods) for pods in groups(service).values()]
    assert sorted(map(len, homes)) == [1, 1, 1]
    assert len(set.union(*homes)) == 3


def racks(pods: list[Object]) -> set[str]:
    return {pod["spec"]["nodeName"].rpartition("-")[0] for pod in pods if "nodeName" in pod["spec"]}


def test_a_new_spec_replaces_replicas_as_wholes_while_enough_serve(service: Service) -> None:
    service.apply(pair(2))
    serves(service, 2)
    before = uids(service)
    service.apply(pair(2, runtime={"maxSequences": 32}))
    service.wait_for("Progressing", "True", "RollingOut")
    fewest = 2

    def replaced() -> bool:
        nonlocal fewest
        fewest = min(fewest, service.status()["replicas"]["ready"])
        return not before & uids(service)

    service.wait("all pods are new", replaced)
    serves(service, 2)
    assert fewest >= 2
    assert {argument(pod, "--max-num-seqs") for pod in service.pods()} == {"32"}


def test_a_service_serves_on_while_it_changes_between_one_pod_and_several(service: Service, cordon: Cordon) -> None:
    """No node takes the new pods at first: those that serve stay until the new ones do."""
    single, together = pair(1, accelerator={"nodes": 1}), pair(1)
    service.apply(single)
    serves(service, 1)
    for wanted, pods in ((together, 2), (single, 1)):
        before = uids(service)
        cordon(*NODES)
        service.apply(wanted)
        service.wait("the new pods wait", lambda count=pods, was=before: len(uids(service) - was) == count)
        service.wait_for("Progressing", "True", "RollingOut")
        assert before <= uids(service)
        assert service.status()["replicas"]["ready"] == 1
        cordon(*NODES, off=True)
        service.wait("the former pods have gone", lambda gone=before: not gone & uids(service))
        serves(service, 1)
        assert len(service.pods()) == pods
    for plural, name in (("services", "chat-nodes"), ("statefulsets", "chat-0"), ("leaderworkersets", "chat-nodes")):
        where = path(service.namespace, plural, name)
        service.wait(f"{name} is gone", lambda gone=where: service.kube.find(gone) is None)
