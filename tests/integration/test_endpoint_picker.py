"""llm-d on a real API server with the real InferencePool, by the operator with the rights that it is installed with."""

import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.kube import Object, path
from tests.kind import crds
from tests.kind.controlplane import ControlPlane
from tests.kind.paths import CRDS
from tests.kind.processes import free_ports
from tests.kind.progress import StepFailedError
from tests.operator_process import OperatorProcess

from .kube import Kube
from .service import Service

MANIFESTS = Path(__file__).parents[2] / "manifests"
OPERATOR = ("aifactory-system", "aifactory-operator")
POOL_CRD = "inferencepools.inference.networking.k8s.io"
LLMD = {"runtime": {"engine": "llmd"}}
GATEWAY = {"expose": {"host": "chat.example.com", "gateway": {"name": "public"}}}
# Plural and name, after the service's, of what an endpoint picker consists of.
PICKER = {
    "deployments": "-epp",
    "networkpolicies": "-epp",
    "rolebindings": "-epp",
    "roles": "-epp",
    "serviceaccounts": "-epp-server",
    "services": "-epp",
}


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    """With the Gateway API, but not yet with its inference extension."""
    with ControlPlane(crds=[*CRDS, *crds.crd_files("HTTPRoute")]) as plane:
        plane.kubectl("apply", "--server-side", "-k", str(MANIFESTS))
        yield plane


@pytest.fixture(scope="module", autouse=True)
def operator(plane: ControlPlane) -> Iterator[OperatorProcess]:
    """The one of all tests here."""
    kubeconfig = plane.kubeconfig_for_service_account(*OPERATOR)
    with OperatorProcess(kubeconfig, free_ports(1)[0], {"AIFACTORY_DISCOVERY": "0.2"}) as operator:
        yield operator


@pytest.fixture
def extension(plane: ControlPlane) -> None:
    """The cluster serves pools."""
    (file,) = crds.crd_files("InferencePool")
    plane.kubectl("apply", "--server-side", "-f", str(file))


@pytest.fixture
def no_extension(plane: ControlPlane) -> None:
    """The cluster serves no pools."""
    plane.kubectl("delete", "crd", POOL_CRD, "--ignore-not-found")


@pytest.fixture
def service(plane: ControlPlane) -> Iterator[Service]:
    """Not yet created."""
    kube = Kube(plane)
    made = Service(plane, kube, "default", f"chat-{uuid.uuid4().hex[:6]}")
    yield made
    made.delete()
    kube.close()


def part(service: Service, plural: str) -> Object | None:
    """A part of the picker."""
    return service.kube.find(path("default", plural, service.name + PICKER[plural]))


def parts(service: Service) -> set[str]:
    """Plurals of the parts of the picker that are there."""
    return {plural for plural in PICKER if part(service, plural)}


def pool(service: Service) -> Object | None:
    """The pool as stored; None too where the kind is not served."""
    return service.kube.find(path("default", "inferencepools", service.name))


def play_kubelet(service: Service, role: str) -> None:
    """Pods of this role serve."""
    pods = service.wait(f"a pod of {role}", lambda: [pod for pod in service.pods() if role_of(pod) == role])
    ready = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    for pod in pods:
        service.kube.merge(path("default", "pods", pod["metadata"]["name"], "status"), {"status": ready})


def role_of(pod: Object) -> str:
    return str(pod["metadata"]["labels"]["aifactory.dev/role"])


def say(service: Service, **conditions: str) -> None:
    """Play the Gateway: what it says of the pool."""
    told = [
        {
            "type": kind,
            "status": status,
            "reason": "Played",
            "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }
        for kind, status in conditions.items()
    ]
    parents = [{"parentRef": {"name": "public"}, "controllerName": "example.com/gateway", "conditions": told}]
    where = path("default", "inferencepools", service.name, "status")
    service.kube.send("PATCH", where, {"status": {"parents": parents}}, "application/merge-patch+json")


@pytest.mark.usefixtures("no_extension")
def test_without_the_extension_the_workers_serve_and_what_is_missing_is_said(service: Service) -> None:
    service.apply({**LLMD, **GATEWAY})
    missing = service.wait_for("RoutingReady", "False", "InferenceExtensionMissing")
    assert "install the Gateway API inference extension" in missing["message"]
    play_kubelet(service, "model-server")
    service.wait_for("Ready", "True", "Available")
    assert parts(service) == set()
    route = service.child("httproutes")
    assert route is not None
    assert route["spec"]["rules"][0]["backendRefs"][0]["kind"] == "Service"


@pytest.mark.usefixtures("extension")
def test_with_the_extension_requests_go_through_the_pool(service: Service) -> None:
    service.apply({**LLMD, **GATEWAY})
    service.wait_for("RoutingReady", "Unknown", "EndpointPickerStarting")
    assert parts(service) == PICKER.keys()
    route = service.child("httproutes")
    assert route is not None
    assert route["spec"]["rules"][0]["backendRefs"][0]["kind"] == "InferencePool"
    play_kubelet(service, "model-server")
    play_kubelet(service, "epp")
    service.wait_for("RoutingReady", "Unknown", "PoolPending")
    say(service, Accepted="True", ResolvedRefs="True")
    service.wait_for("RoutingReady", "True", "PoolAccepted")
    service.wait_for("Ready", "True", "Available")
    say(service, Accepted="True", ResolvedRefs="False")
    service.wait_for("RoutingReady", "False", "PoolRejected")
    assert service.condition("Ready")["status"] == "True"


@pytest.mark.usefixtures("extension")
def test_the_pool_selects_the_pods_of_the_workers_and_no_others(service: Service) -> None:
    service.apply({**LLMD, "replicas": 2})
    selector = service.wait("a pool", lambda: pool(service))["spec"]["selector"]["matchLabels"]
    service.wait("all pods", lambda: len(service.pods()) == 3)
    wanted = ",".join(f"{key}={value}" for key, value in selector.items())
    found = service.kube.send("GET", f"{path('default', 'pods')}?labelSelector={wanted}")["items"]
    assert [role_of(pod) for pod in found] == ["model-server"] * 2


def test_an_extension_that_is_installed_later_is_used_and_one_that_goes_is_done_without(
    service: Service, no_extension: None, request: pytest.FixtureRequest
) -> None:
    service.apply({**LLMD, **GATEWAY})
    service.wait_for("RoutingReady", "False", "InferenceExtensionMissing")
    request.getfixturevalue("extension")
    service.wait("a pool", lambda: pool(service))
    service.wait_for("RoutingReady", "Unknown", "EndpointPickerStarting")
    service.api.kubectl("delete", "crd", POOL_CRD)
    service.wait("the picker is gone", lambda: not parts(service))
    service.wait_for("RoutingReady", "False", "InferenceExtensionMissing")
    assert service.deployment()["spec"]["replicas"] == 1


def test_an_extension_that_comes_and_goes_does_not_end_the_operator(
    service: Service, no_extension: None, extension: None, operator: OperatorProcess
) -> None:
    service.apply({**LLMD, "replicas": 1})
    (file,) = crds.crd_files("InferencePool")
    for _ in range(5):
        service.wait("a pool", lambda: pool(service))
        service.api.kubectl("delete", "crd", POOL_CRD)
        service.wait_for("RoutingReady", "False", "InferenceExtensionMissing")
        service.api.kubectl("apply", "--server-side", "-f", str(file))
    service.apply({**LLMD, "replicas": 2})
    service.wait("noticed", lambda: service.deployment()["spec"]["replicas"] == 2)
    assert operator.running


@pytest.mark.usefixtures("extension")
def test_a_picker_that_somebody_damages_is_repaired(service: Service) -> None:
    service.apply(LLMD)
    service.wait("the picker is there", lambda: parts(service) == PICKER.keys())
    picker = path("default", "deployments", f"{service.name}-epp")
    service.kube.merge(picker, {"spec": {"replicas": 0}})
    service.kube.delete(path("default", "roles", f"{service.name}-epp"))
    service.wait("it may read again", lambda: part(service, "roles"))
    service.wait("it runs again", lambda: (part(service, "deployments") or {})["spec"]["replicas"] == 1)


@pytest.mark.usefixtures("extension")
def test_a_role_of_somebody_else_is_not_taken_over(service: Service) -> None:
    name = f"{service.name}-epp"
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]
    service.kube.send("POST", path("default", "roles"), {"metadata": {"name": name}, "rules": rules})
    service.apply(LLMD)
    service.wait_for("Ready", "False", "NameTaken")
    role = part(service, "roles")
    assert role is not None
    assert role["rules"] == rules
    service.kube.delete(path("default", "roles", name))


@pytest.mark.usefixtures("extension")
def test_the_picker_may_read_its_pods_and_pool_and_nothing_else(service: Service, plane: ControlPlane) -> None:
    service.apply(LLMD)
    service.wait("the picker is there", lambda: parts(service) == PICKER.keys())
    user = f"system:serviceaccount:default:{service.name}-epp-server"
    review = path("default", "localsubjectaccessreviews").replace("/api/v1", "/apis/authorization.k8s.io/v1")

    def may(verb: str, group: str, resource: str) -> bool:
        attributes = {"namespace": "default", "verb": verb, "group": group, "resource": resource}
        body = {"metadata": {"namespace": "default"}, "spec": {"user": user, "resourceAttributes": attributes}}
        return bool(service.kube.send("POST", review, body)["status"]["allowed"])

    service.wait("pods", lambda: may("watch", "", "pods"))
    service.wait("pools", lambda: may("list", "inference.networking.k8s.io", "inferencepools"))
    service.wait("objectives", lambda: may("watch", "llm-d.ai", "inferenceobjectives"))
    assert not may("get", "", "secrets")
    assert not may("delete", "", "pods")
    assert not may("patch", "inference.networking.k8s.io", "inferencepools")


def test_the_operator_can_grant_no_more_than_it_may_do(plane: ControlPlane) -> None:
    kubeconfig = plane.kubeconfig_for_service_account(*OPERATOR)
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": "more", "namespace": "default"},
        "rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}],
    }
    with pytest.raises(StepFailedError, match="attempting to grant RBAC permissions not currently held"):
        plane.kubectl("--kubeconfig", str(kubeconfig), "create", "-f", "-", stdin=json.dumps(role))
