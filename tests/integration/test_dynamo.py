"""Dynamo on a real API server, by the operator with the rights that it is installed with."""

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.kube import Object, path
from tests.kind.controlplane import ControlPlane
from tests.kind.paths import CRDS
from tests.kind.processes import free_ports
from tests.operator_process import OperatorProcess

from .kube import Kube
from .service import Service

MANIFESTS = Path(__file__).parents[2] / "manifests"
OPERATOR = ("aifactory-system", "aifactory-operator")
DYNAMO = {"engine": "dynamo", "dynamo": {"backend": "mocker", "frontendReplicas": 2}}
SPLIT: dict[str, Any] = {
    "runtime": DYNAMO,
    "topology": {"disaggregated": {"prefill": {"replicas": 3}, "decode": {"scaling": {"maxReplicas": 4}}}},
}


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    """Installed as README says."""
    with ControlPlane(crds=CRDS) as plane:
        plane.kubectl("apply", "--server-side", "-k", str(MANIFESTS))
        install_kind(plane)
        kubeconfig = plane.kubeconfig_for_service_account(*OPERATOR)
        with OperatorProcess(kubeconfig, free_ports(1)[0], {"AIFACTORY_DISCOVERY": "0.2"}):
            yield plane


@pytest.fixture
def service(plane: ControlPlane) -> Iterator[Service]:
    """Not yet created."""
    kube = Kube(plane)
    made = Service(plane, kube, "default", f"chat-{uuid.uuid4().hex[:6]}")
    yield made
    made.delete()
    kube.close()


@pytest.fixture
def no_kind(plane: ControlPlane) -> Iterator[None]:
    """The cluster does not serve what pods find each other by."""
    plane.kubectl("delete", "-k", str(MANIFESTS / "dynamo"))
    yield
    install_kind(plane)


def install_kind(plane: ControlPlane) -> None:
    plane.kubectl("apply", "--server-side", "-k", str(MANIFESTS / "dynamo"))


def sizes(service: Service) -> dict[str, int]:
    """Replicas of each Deployment of the service, by what its name adds to the service's."""
    owned = f"{path('default', 'deployments')}?labelSelector=aifactory.dev/inferenceservice%3D{service.name}"
    return {
        item["metadata"]["name"].removeprefix(service.name): item["spec"]["replicas"]
        for item in service.kube.send("GET", owned)["items"]
    }


def found(service: Service, plural: str) -> Object | None:
    return service.kube.find(path("default", plural, f"{service.name}-discovery"))


def subjects(service: Service) -> set[str]:
    """Names of the accounts that may find each other."""
    binding = found(service, "rolebindings") or {"subjects": []}
    return {subject["name"] for subject in binding["subjects"]}


def may(plane: ControlPlane, service: Service, role: str, verb: str, resource: str) -> bool:
    """Whether pods of a role may do something in their namespace."""
    account = f"default:{service.name}-{role}-server"
    return plane.may(account, "default", verb, resource)


@pytest.mark.usefixtures("no_kind")
def test_a_cluster_without_the_kind_that_pods_need_is_told_what_to_install(
    plane: ControlPlane, service: Service
) -> None:
    service.apply(SPLIT)
    assert "manifests/dynamo" in service.wait_for("Ready", "False", "KindMissing")["message"]
    install_kind(plane)
    service.wait("all parts", lambda: len(sizes(service)) == 3)
    service.wait_for("Ready", "Unknown", "ModelLoading")


def test_every_part_gets_its_pods(service: Service) -> None:
    service.apply(SPLIT)
    wanted = {"-frontend": 2, "-prefill": 3, "-decode": 1}
    service.wait("all parts", lambda: sizes(service) == wanted)
    service.wait("the status names them", lambda: len(service.status().get("roles", [])) == 3)
    assert {role["name"]: role["replicas"]["desired"] for role in service.status()["roles"]} == {
        "frontend": 2,
        "prefill": 3,
        "decode": 1,
    }
    assert service.status()["replicas"]["desired"] == 4


@pytest.mark.parametrize("role", ["frontend", "prefill", "decode"])
def test_pods_may_find_each_other_and_nothing_else(plane: ControlPlane, service: Service, role: str) -> None:
    service.apply(SPLIT)
    service.wait("all parts", lambda: len(sizes(service)) == 3)
    allowed = [("watch", "endpointslices"), ("create", "dynamoworkermetadatas"), ("patch", "dynamoworkermetadatas")]
    for verb, resource in allowed:
        service.wait(f"{verb} {resource}", lambda what=(verb, resource): may(plane, service, role, *what))
    refused = [("get", "secrets"), ("list", "pods"), ("patch", "endpointslices"), ("delete", "dynamoworkermetadatas")]
    for verb, resource in refused:
        assert not may(plane, service, role, verb, resource), f"{verb} {resource}"


def test_a_service_is_split_and_put_together_again(service: Service) -> None:
    service.apply({"runtime": DYNAMO})
    service.wait("frontends and workers", lambda: sizes(service) == {"-frontend": 2, "": 1})
    service.apply(SPLIT)
    service.wait("workers of two kinds", lambda: sizes(service).keys() == {"-frontend", "-prefill", "-decode"})
    service.apply({"runtime": DYNAMO})
    service.wait("workers of one kind", lambda: sizes(service) == {"-frontend": 2, "": 1})
    accounts = {f"{service.name}-frontend-server", f"{service.name}-server"}
    service.wait("nobody else may find others", lambda: subjects(service) == accounts)


def test_another_engine_leaves_nothing_of_it(service: Service) -> None:
    service.apply(SPLIT)
    service.wait("all parts", lambda: len(sizes(service)) == 3)
    service.apply({"runtime": {"engine": "vllm"}})
    service.wait("one Deployment", lambda: sizes(service) == {"": 1})
    service.wait(
        "no discovery", lambda: not any(found(service, kind) for kind in ("roles", "rolebindings", "services"))
    )
