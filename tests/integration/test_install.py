"""`kubectl apply -k manifests/` on a real API server: admitted, repeatable, and enough rights but no more."""

from pathlib import Path

import pytest

from tests.e2e.waiting import PATIENCE, wait_until
from tests.kind.controlplane import ControlPlane

ROOT = Path(__file__).parents[2]
NAMESPACE = "aifactory-system"
ACCOUNT = f"{NAMESPACE}:aifactory-operator"
OPERATOR = f"--as=system:serviceaccount:{ACCOUNT}"
TAKE = ("create", "leases.coordination.k8s.io")
LEASE = """
apiVersion: coordination.k8s.io/v1
kind: Lease
metadata: {name: aifactory-operator, namespace: aifactory-system}
spec: {holderIdentity: %s}
"""


@pytest.fixture(scope="module")
def installed(api: ControlPlane) -> ControlPlane:
    for folder in ("manifests", "manifests/prometheus"):
        api.kubectl("apply", "--server-side", "-k", str(ROOT / folder))
    wait_until("the rights are in force", lambda: api.may(ACCOUNT, NAMESPACE, *TAKE), PATIENCE, str)
    return api


def test_the_namespace_admits_the_pods_of_the_installation(installed: ControlPlane) -> None:
    for deployment in ("aifactory-operator", "prometheus"):
        condition = "--for=jsonpath={.status.unavailableReplicas}=1"  # a pod exists; without a kubelet it stays pending
        installed.kubectl("wait", condition, "-n", NAMESPACE, f"deployment/{deployment}", "--timeout=150s")
    assert "FailedCreate" not in installed.kubectl("get", "events", "-n", NAMESPACE)


def test_installing_again_changes_nothing(installed: ControlPlane) -> None:
    shown = (
        "get",
        "deployment,configmap,networkpolicy",
        "-n",
        NAMESPACE,
        "-o",
        "jsonpath={.items[*].metadata.generation}",
    )
    before = installed.kubectl(*shown)
    installed.kubectl("apply", "--server-side", "-k", str(ROOT / "manifests"))
    assert installed.kubectl(*shown) == before


def test_the_operator_may_take_and_renew_its_lease(installed: ControlPlane) -> None:
    installed.kubectl("create", OPERATOR, "-f", "-", stdin=LEASE % "first")
    installed.kubectl("replace", OPERATOR, "-f", "-", stdin=LEASE % "second")
    holder = installed.kubectl(
        "get", "lease", "aifactory-operator", OPERATOR, "-n", NAMESPACE, "-o", "jsonpath={.spec.holderIdentity}"
    )
    assert holder == "second"


@pytest.mark.parametrize(
    ("verb", "resource"),
    [
        ("get", "secrets"),
        ("list", "secrets"),
        ("create", "pods"),
        ("create", "pods/exec"),
        ("update", "inferenceservices.aifactory.dev"),
        ("patch", "inferenceservices.aifactory.dev"),
        ("create", "clusterrolebindings.rbac.authorization.k8s.io"),
        ("update", "leases.coordination.k8s.io/another"),
        ("delete", "nodes"),
    ],
)
def test_the_operator_may_not(installed: ControlPlane, verb: str, resource: str) -> None:
    assert not installed.may(ACCOUNT, NAMESPACE, verb, resource)
