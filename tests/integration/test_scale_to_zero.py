"""A service that sleeps while nobody asks, and wakes when its activator says that somebody does."""

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.bench.reconcile.prometheus import serve
from tests.e2e.kube import MERGE, Object, path
from tests.kind.controlplane import ControlPlane
from tests.operator_process import OperatorProcess

from .conftest import OPERATOR, new_operator
from .kube import Kube
from .service import Service, operator_writes
from .test_plan import diff

NAMESPACE = "asleep"
IMAGE = "registry.example.com/aifactory:1"
ACTIVATOR, MODEL = "activator", "model-server"
SLEEPS = {"scaling": {"minReplicas": 0, "maxReplicas": 2, "scaleToZero": {"after": "1s"}}}
# The operator knows an activator by its address, and the test asks from this one.
HERE, ELSEWHERE = "127.0.0.1", "10.96.1.2"


@dataclass
class Prometheus:
    """Every pod that it was told of reports; it is busy or idle."""

    pods: dict[str, set[str]] = field(default_factory=dict)
    busy: bool = True
    lock: threading.Lock = field(default_factory=threading.Lock)

    def report(self, service: Service, pods: set[str]) -> None:
        with self.lock:
            self.pods[service.name] = pods

    def answer(self, query: str) -> bytes:
        with self.lock:
            samples = [sample for name, pods in self.pods.items() for sample in self._of(query, name, pods)]
        return json.dumps({"status": "success", "data": {"resultType": "vector", "result": samples}}).encode()

    def _of(self, query: str, name: str, pods: set[str]) -> Iterator[Object]:
        labels = {"namespace": NAMESPACE, "inferenceservice": name}
        load = 2.0 if self.busy else 0.0
        if ", le)" in query:
            for edge, count in (("0.001", load), ("+Inf", load)):
                yield {"metric": {**labels, "le": edge}, "value": [1.7e9, str(count)]}
        elif ", pod)" in query:
            value = 1.0 if query.startswith("time()") else 0.1 * load if "usage" in query else load
            yield from ({"metric": {**labels, "pod": pod}, "value": [1.7e9, str(value)]} for pod in pods)
        else:
            yield {"metric": labels, "value": [1.7e9, "0" if "deriv" in query else str(load)]}


@pytest.fixture(scope="module")
def prometheus() -> Prometheus:
    return Prometheus()


@pytest.fixture(scope="module")
def watched(api: ControlPlane, kube: Kube, prometheus: Prometheus) -> Iterator[OperatorProcess]:
    """An operator that reads signals every second."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    kube.apply(path("", "namespaces", NAMESPACE), namespace)
    settings = {"AIFACTORY_DOWNLOAD_IMAGE": IMAGE, "AIFACTORY_OPERATOR_URL": "http://operator.example.svc:9000"}
    with serve(prometheus) as url, new_operator(api, NAMESPACE, AIFACTORY_PROMETHEUS_URL=url, **settings) as process:
        yield process


class Sleeper(Service):
    """The parts that the kubelet and Prometheus play."""

    def __init__(self, api: ControlPlane, kube: Kube, name: str, prometheus: Prometheus) -> None:
        super().__init__(api, kube, NAMESPACE, name)
        self.prometheus = prometheus

    def of(self, role: str) -> list[Object]:
        return [pod for pod in self.pods() if pod["metadata"]["labels"]["aifactory.dev/role"] == role]

    def start(self, role: str, address: str = HERE) -> None:
        """The pods of a role are ready."""
        self.wait(f"a pod of {role}", lambda: self.of(role))
        ready = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}], "podIPs": [{"ip": address}]}
        for pod in self.of(role):
            name = pod["metadata"]["name"]
            status = {"status": ready | {"podIP": address}}
            self.kube.send("PATCH", path(self.namespace, "pods", name, "status"), status, MERGE)
        if role == MODEL:
            self.prometheus.report(self, {pod["metadata"]["name"] for pod in self.of(MODEL)})

    def answers(self, service: str = "") -> str:
        """The role that a Service leads to."""
        found = self.kube.send("GET", path(self.namespace, "services", f"{self.name}{service}"))
        return str(found["spec"]["selector"]["aifactory.dev/role"])

    def serve(self) -> None:
        """Create it, and bring it to Ready."""
        self.prometheus.busy = True
        self.apply(SLEEPS)
        self.start(ACTIVATOR)
        self.start(MODEL)
        self.wait_for("Ready", "True", "Available")
        self.wait("requests go to replicas", lambda: (self.answers(), self.answers("-direct")) == (MODEL, MODEL))

    def fall_asleep(self) -> None:
        """Nobody asks."""
        self.prometheus.busy = False
        self.wait_for("Ready", "True", "ScaledToZero")


@pytest.fixture
def sleeper(api: ControlPlane, kube: Kube, watched: OperatorProcess, prometheus: Prometheus) -> Iterator[Sleeper]:
    one = Sleeper(api, kube, "chat", prometheus)
    yield one
    one.delete()
    one.wait("children are collected", lambda: not one.pods() and not one.child("services"))


def told(sleeper: Sleeper) -> list[str]:
    """The roles that its second Service was told to lead to, as far as the API server has recorded it."""
    name = f"{sleeper.name}-direct"
    writes = [one for one in operator_writes(sleeper.api, NAMESPACE) if one["objectRef"].get("name") == name]
    return [str(one["requestObject"]["spec"]["selector"]["aifactory.dev/role"]) for one in writes]


def wake(operator: OperatorProcess, name: str) -> int:
    """What the operator says to somebody at HERE."""
    url = f"http://{HERE}:{operator.port}/wake/{NAMESPACE}/{name}"
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method="POST"), timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return int(error.code)


def test_requests_are_held_from_the_beginning_until_a_replica_serves(sleeper: Sleeper) -> None:
    sleeper.prometheus.busy = True
    sleeper.apply(SLEEPS)
    sleeper.start(ACTIVATOR)
    sleeper.wait("a model server", lambda: sleeper.of(MODEL))
    assert (sleeper.answers(), sleeper.answers("-direct")) == (ACTIVATOR, "none")
    sleeper.start(MODEL)
    sleeper.wait("switched", lambda: (sleeper.answers(), sleeper.answers("-direct")) == (MODEL, MODEL))


def test_requests_go_to_the_activator_before_the_last_replica_goes(sleeper: Sleeper) -> None:
    sleeper.serve()
    sleeper.wait("the last write is recorded", lambda: told(sleeper)[-1] == MODEL)
    before = len(operator_writes(sleeper.api, NAMESPACE))
    sleeper.fall_asleep()
    assert (sleeper.answers(), sleeper.answers("-direct")) == (ACTIVATOR, "none")
    assert sleeper.deployment()["spec"]["replicas"] == 0
    children = ("services", "deployments")
    written = [event["objectRef"] for event in operator_writes(sleeper.api, NAMESPACE)[before:]]
    assert [f"{where['resource']}/{where['name']}" for where in written if where["resource"] in children] == [
        "services/chat",
        "services/chat-direct",
        "deployments/chat",
    ]
    history = sleeper.status()["scaling"]["history"]
    assert (history[0]["from"], history[0]["to"], history[0]["reason"]) == (1, 0, "ScaledToZero")
    sleeper.wait_for("ModelReady", "False", "ScaledToZero")
    assert sleeper.condition("Stalled") == sleeper.condition("Reconciling") == {}


def test_a_request_brings_a_replica_back_and_is_held_until_it_serves(
    sleeper: Sleeper, watched: OperatorProcess
) -> None:
    sleeper.serve()
    sleeper.fall_asleep()
    assert wake(watched, sleeper.name) == 202
    cold = sleeper.wait_for("Ready", "Unknown", "ColdStarting")
    assert "requests are held" in cold["message"]
    assert sleeper.condition("ModelReady")["reason"] == "ColdStarting"
    assert sleeper.status()["scaling"]["history"][0]["reason"] == "Activated"
    assert sleeper.answers() == ACTIVATOR
    assert wake(watched, sleeper.name) == 200, "it is on its way"
    sleeper.prometheus.busy = True
    sleeper.start(MODEL)
    sleeper.wait_for("Ready", "True", "Available")
    sleeper.wait("switched", lambda: (sleeper.answers(), sleeper.answers("-direct")) == (MODEL, MODEL))


def test_a_request_that_comes_while_the_last_replica_is_about_to_go_is_held_for_the_next(
    sleeper: Sleeper, watched: OperatorProcess
) -> None:
    sleeper.serve()
    (last,) = sleeper.of(MODEL)
    with sleeper.api.slow_controllers():
        sleeper.fall_asleep()
        assert wake(watched, sleeper.name) == 202
        assert sleeper.answers() == ACTIVATOR
    sleeper.wait_for("Ready", "Unknown", "ColdStarting")
    assert sleeper.answers() == ACTIVATOR
    assert [pod["metadata"]["uid"] for pod in sleeper.of(MODEL)] != [last["metadata"]["uid"]]


def test_nobody_but_its_own_activator_wakes_a_service(sleeper: Sleeper, watched: OperatorProcess) -> None:
    sleeper.serve()
    sleeper.start(ACTIVATOR, ELSEWHERE)
    sleeper.wait("its address is known", lambda: wake(watched, sleeper.name) == 403)
    sleeper.fall_asleep()
    assert wake(watched, sleeper.name) == 403
    assert wake(watched, "nobody") == 403
    assert sleeper.deployment()["spec"]["replicas"] == 0


def test_a_sleeping_service_is_as_its_manifest_says(sleeper: Sleeper, tmp_path: Path) -> None:
    """To whoever compares it, without knowing the operator's settings."""
    sleeper.serve()
    sleeper.fall_asleep()
    title = f"InferenceService {NAMESPACE}/{sleeper.name}"
    kubeconfig = sleeper.api.kubeconfig_for(OPERATOR)
    assert diff(kubeconfig, sleeper.manifest(SLEEPS), tmp_path / "chat.yaml") == (0, f"{title}: no changes\n")


def test_a_paused_service_is_not_woken(sleeper: Sleeper, watched: OperatorProcess) -> None:
    sleeper.serve()
    sleeper.fall_asleep()
    sleeper.apply({**SLEEPS, "mode": "Paused"})
    sleeper.wait_for("Ready", "True", "Paused")
    assert wake(watched, sleeper.name) == 409
    sleeper.apply(SLEEPS)
    sleeper.wait("woken", lambda: wake(watched, sleeper.name) == 202)


def test_a_service_that_is_to_stay_awake_keeps_its_activator_until_replicas_serve(sleeper: Sleeper) -> None:
    sleeper.serve()
    sleeper.fall_asleep()
    sleeper.wait("the last replica is gone", lambda: not sleeper.of(MODEL))
    sleeper.apply({"scaling": {"minReplicas": 1, "maxReplicas": 2}})
    sleeper.wait("a replica", lambda: sleeper.of(MODEL))
    assert (sleeper.answers(), len(sleeper.of(ACTIVATOR))) == (ACTIVATOR, 1)
    sleeper.start(MODEL)
    sleeper.wait("switched", lambda: sleeper.answers() == MODEL)
    assert sleeper.of(ACTIVATOR), "what it holds is not forwarded yet"
    sleeper.wait("the activator goes", lambda: not sleeper.of(ACTIVATOR))
    direct = path(NAMESPACE, "services", "chat-direct")
    sleeper.wait("so does the way round it", lambda: sleeper.kube.find(direct) is None)
