"""What the operator writes, by the API server's own record: its children, status, and nothing else."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from aifactory.autoscale.memory import Memory
from aifactory.cluster.writer import STATUS_MANAGER
from aifactory.signals.objectives import Signal

from tests.e2e.kube import Object
from tests.e2e.waiting import hold_true
from tests.kind.controlplane import ControlPlane
from tests.kind.progress import StepFailedError
from tests.operator_process import OperatorProcess

from .conftest import new_operator
from .service import Service, operator_writes, target

STATUS = "patch inferenceservices/status"


def test_of_the_object_only_status_is_written(service: Service) -> None:
    service.apply()
    made = service.get()
    service.become_ready()
    service.apply({"replicas": 2})
    service.wait("seen", lambda: service.status().get("observedGeneration") == 2)
    now = service.get()["metadata"]
    for field in ("annotations", "finalizers", "labels", "ownerReferences"):
        assert now.get(field) == made["metadata"].get(field), field
    managers = {
        entry["manager"]: entry["fieldsV1"].keys() for entry in now["managedFields"] if entry["manager"] != "gitops"
    }
    assert managers == {"aifactory-status": {"f:status"}}
    writes = [
        event
        for event in operator_writes(service.api, service.namespace)
        if event["objectRef"]["resource"] == "inferenceservices"
    ]
    assert {target(event) for event in writes} == {STATUS}


def test_the_applied_manifest_shows_no_difference_while_the_service_serves(service: Service, tmp_path: Path) -> None:
    """As a GitOps tool compares; `kubectl diff` fails when there is any."""
    manifest = tmp_path / "service.yaml"
    manifest.write_text(json.dumps(service.manifest()))
    service.become_ready()
    service.wait_for("MetricsAvailable", "False", "PrometheusUnreachable")  # the last that there is to tell
    assert service.api.kubectl("diff", "--server-side", "--field-manager=gitops", "-f", str(manifest)) == ""
    manifest.write_text(json.dumps(service.manifest({"replicas": 2})))
    with pytest.raises(StepFailedError):
        service.api.kubectl("diff", "--server-side", "--field-manager=gitops", "-f", str(manifest))


def test_a_new_service_costs_few_writes(service: Service) -> None:
    service.apply()
    service.wait_children()
    mine = Counter(map(target, writes_about(service)))
    assert {what: count for what, count in mine.items() if what != STATUS} == {
        "patch deployments": 1,
        "patch services": 1,
        "patch serviceaccounts": 1,
        "patch networkpolicies": 1,
        "patch poddisruptionbudgets": 1,
    }
    assert mine.total() <= 8


def test_a_restart_over_unchanged_services_writes_nothing(
    api: ControlPlane, operator: OperatorProcess, own_service: Service
) -> None:
    own_service.become_ready()
    own_service.wait_for("MetricsAvailable", "False", "PrometheusUnreachable")
    operator.stop()
    before = len(operator_writes(api, own_service.namespace))
    operator.start()
    unchanged = 'aifactory_reconcile_duration_seconds_count{outcome="unchanged"}'
    own_service.wait("reconciled", lambda: unchanged in operator.metrics())
    hold_true(
        "no writes", lambda: len(operator_writes(api, own_service.namespace)) == before, 3, lambda: "the operator wrote"
    )


def writes_about(service: Service) -> list[Object]:
    """Audit events of writes to the service and its children."""
    events = operator_writes(service.api, service.namespace)
    return [event for event in events if event["objectRef"].get("name", "").startswith(service.name)]


def remember(service: Service, learned: dict[str, str]) -> None:
    """Write what an operator before this one has learned."""
    status = service.status()
    status["scaling"] = {**status.get("scaling", {}), "learned": learned}
    as_operator = f"{service.path}/status?fieldManager={STATUS_MANAGER}&force=true"
    service.kube.send("PATCH", as_operator, {**service.manifest(), "status": status}, "application/apply-patch+yaml")


def test_what_was_learned_survives_a_restart(operator: OperatorProcess, own_service: Service) -> None:
    learned = {name: f"{value:g}" for name, value in Memory(base={Signal.TTFT: 0.123}).learned().items()}
    own_service.apply({"scaling": {"minReplicas": 1, "maxReplicas": 4}})
    own_service.wait_children()
    operator.stop()
    remember(own_service, {**learned, "bad": "x"})
    operator.start()
    own_service.load_model()
    own_service.wait("written anew", lambda: "bad" not in own_service.status()["scaling"].get("learned", {}))
    assert own_service.status()["scaling"]["learned"] == learned


@pytest.fixture
def telling_operator(api: ControlPlane, namespace: str) -> Iterator[OperatorProcess]:
    """One that writes what it learns at once."""
    with new_operator(api, namespace, AIFACTORY_STATUS_INTERVAL="1") as process:
        yield process


def test_what_was_learned_of_other_replicas_is_forgotten(
    telling_operator: OperatorProcess, own_service: Service
) -> None:
    operator = telling_operator
    scales = {"scaling": {"minReplicas": 1, "maxReplicas": 4}}
    learned = {name: f"{value:g}" for name, value in Memory(base={Signal.TTFT: 0.123}).learned().items()}
    own_service.apply(scales)
    own_service.become_ready()
    operator.stop()
    remember(own_service, learned)
    operator.start()
    of = own_service.wait("known of whom", lambda: own_service.status()["scaling"].get("learnedOf"))
    assert own_service.status()["scaling"]["learned"] == learned
    own_service.apply({**scales, "runtime": {"image": "vllm/vllm-openai:next"}})
    own_service.wait("rolling out", lambda: len(own_service.pods()) == 2)
    operator.stop()
    assert own_service.status()["scaling"]["learnedOf"] == of, "the former replica serves, and is known after a restart"
    operator.start()
    own_service.wait("only the new one is there", lambda: own_service.load_model() or len(own_service.pods()) == 1)
    own_service.wait("forgotten", lambda: "learned" not in own_service.status()["scaling"])


def test_scaling_writes_replicas_alone(service: Service) -> None:
    service.apply({"scaling": {"minReplicas": 1, "maxReplicas": 4}})
    service.wait_children()
    service.apply({"scaling": {"minReplicas": 3, "maxReplicas": 4}})
    service.wait("scaled", lambda: service.deployment()["spec"]["replicas"] == 3)
    service.wait("reported", lambda: service.status()["replicas"]["desired"] == 3)
    writes = [
        event
        for event in operator_writes(service.api, service.namespace)
        if event["objectRef"].get("name") == service.name and target(event) == "patch deployments"
    ]
    assert [event["requestObject"] for event in writes[1:]] == [{"spec": {"replicas": 3}}]


def test_a_lost_deployment_comes_back_at_its_last_size(service: Service) -> None:
    service.apply({"scaling": {"minReplicas": 1, "maxReplicas": 4}})
    service.wait_children()
    service.apply({"scaling": {"minReplicas": 3, "maxReplicas": 4}})
    service.wait("reported", lambda: service.status()["replicas"].get("desired") == 3)
    service.apply({"scaling": {"minReplicas": 1, "maxReplicas": 4}})
    service.wait("seen", lambda: service.status()["observedGeneration"] == 3)
    uid = service.deployment()["metadata"]["uid"]
    service.kube.delete(service.child_path("deployments"))
    service.wait("recreated", lambda: service.deployment().get("metadata", {}).get("uid") not in (None, uid))
    assert service.deployment()["spec"]["replicas"] == 3


@pytest.mark.parametrize("mode", ["Paused", "Plan"])
def test_a_service_that_is_not_active_gets_status_only(service: Service, mode: str) -> None:
    service.apply({"mode": mode})
    service.wait("seen", lambda: service.status().get("observedGeneration") == 1)
    mine = service.wait("it is recorded", lambda: writes_about(service))
    assert {target(event) for event in mine} == {STATUS}
