"""NVIDIA Dynamo itself: its frontend, and its mocker as prefill and decode workers that need no GPU."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from aifactory.runtimes.dynamo import DISCOVERY

from tests.e2e.conftest import Serve
from tests.e2e.install import GPU
from tests.e2e.kube import Object, path
from tests.e2e.service import MODEL, SERVICE_LABEL, Service, scaling
from tests.e2e.waiting import PATIENCE, History

IMAGE = "aifactory/dynamo:dev"
# Five prompts of 64 tokens a second, one after the other.
SLOW_PREFILL = ("--no-enable-prefix-caching", "--speedup-ratio", "0.08", "--max-num-seqs", "1")
# A token in 115 ms, in 350 ms with a third of the KV cache in use and in 680 ms with all of it.
SLOW_DECODE = ("--speedup-ratio", "0.05", "--block-size", "16", "--num-gpu-blocks-override", "376")
# Far above what a machine short of CPU adds, so that only the part that is slow misses its own.
FIRST_TOKEN, NEXT_TOKEN = "10s", "7s"
PROMPTS = ("--prompt-tokens", "64", "--output-tokens", "8")
ANSWERS = ("--prompt-tokens", "64", "--output-tokens", "30")
ROLES = ("frontend", "prefill", "decode")


class Roles:
    """A service and the sizes of its Deployments."""

    def __init__(self, service: Service) -> None:
        self.service = service
        where = path(service.namespace, "deployments")
        self._sizes = {role: History(service.kube.watch(where, f"{service.name}-{role}")) for role in ROLES}

    def steps(self, role: str) -> list[int]:
        """The numbers of replicas that a role was asked for, in their order."""
        return self._sizes[role].path(lambda deployment: int(deployment["spec"]["replicas"]))

    def status(self, role: str) -> Object:
        """What the service's status says of a role."""
        found = {each["name"]: each for each in self.service.status.get("roles", [])}
        return found.get(role, {})

    def ready(self, role: str) -> int:
        return int(self.status(role).get("replicas", {}).get("ready", 0))

    def explain(self) -> str:
        sizes = {role: self.steps(role) for role in ROLES}
        return f"{sizes}\n{self.service.explain()}"

    def close(self) -> None:
        for history in self._sizes.values():
            history.stop()


@pytest.fixture
def split(serve: Serve) -> Iterator[Callable[..., Roles]]:
    """Creates a service of one frontend, and prefill and decode workers that scale from 1 to `most`."""
    made: list[Roles] = []

    def create(most: int = 2, next_token: str = NEXT_TOKEN, **arguments: tuple[str, ...]) -> Roles:
        behavior = scaling(1, most, waitingPerReplica=1000)
        parts = {
            part: {"scaling": behavior} | ({"args": [*arguments[part]]} if part in arguments else {})
            for part in ("prefill", "decode")
        }
        targets = {"timeToFirstToken": {"target": FIRST_TOKEN}, "interTokenLatency": {"target": next_token}}
        slo = {"workload": "offline", "objectives": targets, "attainment": "50%"}
        drain = {"timeout": "20s"}
        service = serve(model=model(), runtime=runtime(), topology={"disaggregated": parts}, slo=slo, drain=drain)
        made.append(Roles(service))
        return made[-1]

    yield create
    for roles in made:
        roles.close()


def model() -> Object:
    return {"name": MODEL, "source": {"image": {"path": "/opt/model"}}}


def runtime() -> Object:
    """A frontend that has missed a worker, as one in a hundred does, begins anew within the patience of a test."""
    return {"engine": "dynamo", "image": IMAGE, "dynamo": {"backend": "mocker"}, "startupTimeout": "90s"}


def test_a_service_that_is_not_split_answers_and_is_measured_by_its_frontend(serve: Serve) -> None:
    service = serve(model=model(), runtime=runtime(), slo={"workload": "interactive"}, scaling=scaling(1, 2))
    service.wait_ready()
    service.wait("it answers", service.completes)
    load = service.load("2@900s")
    read = {"timeToFirstToken": "OK", "interTokenLatency": "OK"}
    service.wait("objectives are read", lambda: _states(service) == read)
    service.wait("every replica reports", lambda: service.is_("MetricsAvailable", "True"))
    assert load.stop()["failed"] == 0


@pytest.mark.slow
def test_a_changed_spec_replaces_prefill_and_decode_workers_and_nobody_notices(split: Callable[..., Roles]) -> None:
    roles = split(most=1)
    service = roles.service
    service.wait_ready()
    load = service.load("10@1200s", "--output-tokens", "40")
    load.wait_running()
    before = _names(service)

    service.edit({"runtime": {"args": ["--max-num-seqs", "128"], "dynamo": {"frontendReplicas": 2}}})
    service.wait(
        "all pods are replaced", lambda: len(_names(service) - before) == len(_all_pods(service)) == 4, 2 * PATIENCE
    )
    service.wait_ready()
    service.edit({"runtime": {"dynamo": {"frontendReplicas": 1}}})
    service.wait("a frontend leaves", lambda: len(_all_pods(service)) == 3)
    _nobody_noticed(load.stop(), roles)


@pytest.mark.slow
def test_workers_stay_until_all_of_the_next_generation_are_there(split: Callable[..., Roles]) -> None:
    roles = split(most=1)
    service = roles.service
    service.wait_ready()
    load = service.load("10@1200s", "--output-tokens", "40")
    load.wait_running()
    before = _names(service)

    service.edit({"runtime": {"args": ["--max-num-seqs", "128"]}, "topology": _decode_on("NVIDIA-NONE")})
    service.wait("the next prefill worker serves", lambda: _ready_pods(service, "prefill") == 2)
    service.hold("the former ones stay", lambda: before <= _names(service), DISCOVERY.seconds + 10)
    service.edit({"topology": _decode_on(None)})
    service.wait(
        "all pods are replaced", lambda: len(_names(service) - before) == len(_all_pods(service)) == 3, 2 * PATIENCE
    )
    _nobody_noticed(load.stop(), roles)


@pytest.mark.slow
def test_prompts_that_wait_add_prefill_workers_and_leave_decode_as_it_is(split: Callable[..., Roles]) -> None:
    roles = split(prefill=SLOW_PREFILL)
    service = roles.service
    service.wait_ready()
    quiet = service.load("1@1500s", *PROMPTS)
    peak = service.load("5@900s", *PROMPTS)

    service.wait("a prefill worker is added", lambda: roles.steps("prefill") == [1, 2])
    service.wait("it serves", lambda: roles.ready("prefill") == 2)
    service.wait("the objectives are met again", lambda: service.is_("SLOMet", "True"))
    first = roles.status("prefill")["scaling"]["history"][-1]
    assert (first["from"], first["to"], first["signal"]) == (1, 2, "timeToFirstToken"), roles.explain()

    assert peak.stop()["failed"] == 0, roles.explain()
    service.wait("the prefill worker leaves", lambda: roles.steps("prefill") == [1, 2, 1], 330)
    service.wait("it is gone", lambda: len(service.pods) == 3)
    assert roles.steps("decode") == roles.steps("frontend") == [1], roles.explain()
    _nobody_noticed(quiet.stop(), roles)


@pytest.mark.slow
def test_long_answers_add_decode_workers_and_leave_prefill_as_it_is(split: Callable[..., Roles]) -> None:
    roles = split(decode=SLOW_DECODE, next_token="500ms")
    service = roles.service
    service.wait_ready()
    quiet = service.load("0.2@1500s", *ANSWERS)
    peak = service.load("3@900s", *ANSWERS)

    service.wait("a decode worker is added", lambda: roles.steps("decode") == [1, 2])
    service.wait("it serves", lambda: roles.ready("decode") == 2)
    first = roles.status("decode")["scaling"]["history"][-1]
    assert (first["from"], first["to"], first["signal"]) == (1, 2, "interTokenLatency"), roles.explain()

    assert peak.stop()["failed"] == 0, roles.explain()
    service.wait("the decode worker leaves", lambda: roles.steps("decode") == [1, 2, 1], 330)
    service.wait("it is gone", lambda: len(service.pods) == 3)
    assert roles.steps("prefill") == roles.steps("frontend") == [1], roles.explain()
    _nobody_noticed(quiet.stop(), roles)


def _decode_on(product: str | None) -> Object:
    """GPUs of a product that no node has keep a worker from being scheduled."""
    accelerator = None if product is None else {"resourceName": GPU, "product": product}
    return {"disaggregated": {"decode": {"accelerator": accelerator}}}


def _ready_pods(service: Service, role: str) -> int:
    pods = [pod for pod in service.pods if pod["metadata"]["labels"]["aifactory.dev/role"] == role]
    ready = [one for pod in pods for one in pod["status"].get("conditions", []) if one["type"] == "Ready"]
    return sum(one["status"] == "True" for one in ready)


def _names(service: Service) -> set[str]:
    return {pod["metadata"]["name"] for pod in service.pods}


def _all_pods(service: Service) -> list[Object]:
    """With those that are leaving."""
    return service.kube.items(f"{path(service.namespace, 'pods')}?labelSelector={SERVICE_LABEL}%3D{service.name}")


def _nobody_noticed(summary: dict[str, Any], roles: Roles) -> None:
    assert summary["completed"] > 0, roles.explain()
    assert summary["failed"] == summary["aborted_streams"] == 0, f"{json.dumps(summary)}\n{roles.explain()}"


def _states(service: Service) -> dict[str, str]:
    return {objective["objective"]: objective["state"] for objective in service.status.get("slo", [])}
