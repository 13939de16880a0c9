"""Who gets the requests of a service that may have no replica, in the writes of each step."""

import copy
from dataclasses import replace
from typing import Any

import pytest
from aifactory.api.inferenceservice import InferenceService
from aifactory.api.role import RoleName
from aifactory.api.rollout import RolloutPhase
from aifactory.api.status import ReplicasStatus
from aifactory.canary import Rollout, Split, Staged
from aifactory.decide import Plan, plan, wanted_replicas
from aifactory.holding import FAREWELL_SECONDS, Holding, holding
from aifactory.observed import Group, Observed, Pod, Workload
from aifactory.runtimes import Activation, roles

SERVERS = RoleName.MODEL_SERVER
SLEEPS: dict[str, Any] = {"scaling": {"minReplicas": 0, "maxReplicas": 4}}
STAYS: dict[str, Any] = {"scaling": {"minReplicas": 1, "maxReplicas": 4}}
NOON = 1767268800.0
READY = (Pod("llama-1", created_at=NOON - 600, ready=True, ready_at=NOON - 300),)
LOADING = (Pod("llama-1", created_at=NOON - 600),)
LEAVING = (replace(READY[0], terminating=True),)


def service(**spec: Any) -> InferenceService:
    return InferenceService.model_validate(
        {
            "metadata": {"name": "llama", "namespace": "chat", "uid": "uid-1"},
            "spec": {"model": {"name": "meta/llama"}, "runtime": {"engine": "vllm"}, **spec},
        }
    )


class Cluster:
    """Holds what was applied to it."""

    def __init__(self) -> None:
        self.children: dict[tuple[str, str], dict[str, Any]] = {}
        self.replicas = 0

    def plan(self, replicas: int, *pods: Pod, now: float = NOON, **spec: Any) -> Plan:
        group = Group(Workload(replicas=self.replicas) if self.children else None, pods)
        seen = Observed(copy.deepcopy(self.children), {SERVERS: group})
        return plan(service(**(spec or SLEEPS)), seen, {SERVERS: replicas}, {}, served=(), now=now)

    def carry_out(self, replicas: int, *pods: Pod, now: float = NOON, **spec: Any) -> list[str]:
        """Apply the plan as the operator does; what was written, in its order."""
        todo = self.plan(replicas, *pods, now=now, **spec)
        written = []
        for child in todo.apply:
            self.children[child["kind"], child["metadata"]["name"]] = copy.deepcopy(child)
            written.append(f"{child['kind']}/{child['metadata']['name']}")
        for child in todo.delete:
            del self.children[child["kind"], child["metadata"]["name"]]
            written.append(f"-{child['kind']}/{child['metadata']['name']}")
        for (kind, name), count in todo.replicas.items():
            self.children[kind, name]["spec"]["replicas"] = count
            written.append(f"{kind}/{name}={count}")
        self.replicas = replicas
        return written

    def answers(self, name: str = "llama") -> str:
        return str(self.children["Service", name]["spec"]["selector"]["aifactory.dev/role"])


@pytest.fixture
def cluster() -> Cluster:
    one = Cluster()
    one.carry_out(1)
    return one


def test_a_new_service_begins_with_a_replica_and_holds_requests_until_it_serves(cluster):
    assert cluster.children["Deployment", "llama"]["spec"]["replicas"] == 1
    assert cluster.children["Deployment", "llama-activator"]["spec"]["replicas"] == 1
    assert (cluster.answers(), cluster.answers("llama-direct")) == ("activator", "none")
    assert cluster.plan(1, *LOADING) == Plan()
    assert cluster.carry_out(1, *READY) == ["Service/llama", "Service/llama-direct"]
    assert (cluster.answers(), cluster.answers("llama-direct")) == ("model-server", "model-server")


def test_the_last_replica_goes_after_requests_have_been_turned_to_the_activator(cluster):
    cluster.carry_out(1, *READY)
    assert cluster.carry_out(0, *READY) == ["Service/llama", "Service/llama-direct", "Deployment/llama=0"]
    assert (cluster.answers(), cluster.answers("llama-direct")) == ("activator", "none")
    assert cluster.plan(0, *LEAVING) == Plan()


def test_a_replica_on_its_way_out_gets_no_held_request(cluster):
    cluster.carry_out(1, *READY)
    cluster.carry_out(0, *READY)
    assert cluster.carry_out(1, *LEAVING, *LOADING) == ["Deployment/llama=1"]
    assert cluster.answers("llama-direct") == "none"


def test_requests_are_held_too_when_the_only_replica_is_lost(cluster):
    cluster.carry_out(1, *READY)
    cluster.carry_out(1, *LOADING)
    assert cluster.answers() == "activator"


def test_a_scaled_activator_is_scaled_back(cluster):
    cluster.children["Deployment", "llama-activator"]["spec"]["replicas"] = 0
    assert cluster.carry_out(1, *LOADING) == ["Deployment/llama-activator"]


def test_a_service_that_stays_awake_has_no_activator():
    one = Cluster()
    one.carry_out(1, **STAYS)
    assert not any("activator" in name or "direct" in name for _, name in one.children)
    assert one.answers() == "model-server"


def test_an_activator_that_is_no_longer_wanted_goes_once_all_it_held_is_answered(cluster):
    cluster.carry_out(1, *READY)
    cluster.carry_out(0, *READY)
    cluster.carry_out(1, *LOADING, **STAYS)
    assert cluster.answers() == "activator"
    fresh = (replace(READY[0], ready_at=NOON),)
    assert set(cluster.carry_out(1, *fresh, **STAYS)) == {"Service/llama", "Service/llama-direct"}
    gone = cluster.carry_out(1, *fresh, now=NOON + FAREWELL_SECONDS, **STAYS)
    expected = {"-Deployment/llama-activator", "-Service/llama-direct", "-NetworkPolicy/llama-activator"}
    assert set(gone) == expected
    assert cluster.answers() == "model-server"


@pytest.mark.parametrize(("pods", "asleep"), [(READY, False), (LOADING, True), (LEAVING, True), ((), True)])
def test_who_serves_decides_who_answers(pods, asleep):
    (role,) = roles(service(**SLEEPS))
    observed = Observed({}, {SERVERS: Group(Workload(1), pods)})
    assert holding(role, observed, 1, NOON) == Holding(activator=True, asleep=asleep)


def test_a_canary_that_stands_in_for_the_only_replica_answers(cluster):
    cluster.carry_out(1, *READY)
    seen = Observed(cluster.children, {SERVERS: Group(Workload(0))}, Group(Workload(1), READY))
    staged = Staged(Split(0, 1), Rollout(RolloutPhase.PROMOTING, "new"), exists=True)
    todo = plan(service(**SLEEPS), seen, {SERVERS: 1}, {}, served=(), staged=staged, now=NOON)
    assert not any(child["kind"] == "Service" for child in todo.apply), cluster.answers()


def test_activators_run_what_the_operator_runs_and_ask_it():
    activation = Activation("registry.example.com/aifactory:1", "http://operator.example.svc:9000/")
    todo = plan(service(**SLEEPS), Observed(), {}, {}, served=(), activation=activation)
    (deployment,) = (child for child in todo.apply if child["metadata"]["name"] == "llama-activator"
                     and child["kind"] == "Deployment")  # fmt: skip
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "registry.example.com/aifactory:1"
    assert "http://operator.example.svc:9000/wake/chat/llama" in container["args"]


@pytest.mark.parametrize(("before", "after"), [(None, 1), (0, 1), (3, 3), (9, 4)])
def test_a_lost_workload_comes_back_awake(before, after):
    remembered = None if before is None else ReplicasStatus(desired=before)
    assert wanted_replicas(service(**SLEEPS).spec, Group(), remembered, None) == after


@pytest.mark.parametrize(("pods", "after"), [(READY, 0), (LEAVING, 1), ((), 1)])
def test_a_replica_that_is_about_to_go_is_gone_before_the_next(pods, after):
    leaving = Group(Workload(replicas=0), pods, activator=True)
    assert wanted_replicas(service(**STAYS).spec, leaving, ReplicasStatus(), None) == after


def test_a_replica_that_nobody_stands_in_for_is_kept_if_it_still_can_be():
    leaving = Group(Workload(replicas=0), READY)
    assert wanted_replicas(service(**STAYS).spec, leaving, ReplicasStatus(), None) == 1


def test_a_sleeping_service_sleeps_on_without_a_decision():
    asleep = Group(Workload(replicas=0))
    assert wanted_replicas(service(**SLEEPS).spec, asleep, ReplicasStatus(), None) == 0


@pytest.mark.parametrize("replicas", [0, 1, 9])
def test_where_decisions_are_only_reported_replicas_are_somebody_elses(replicas):
    spec = service(scaling={"minReplicas": 2, "maxReplicas": 4, "mode": "Recommend"}).spec
    assert wanted_replicas(spec, Group(Workload(replicas=replicas)), ReplicasStatus(), None) == replicas
