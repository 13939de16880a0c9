"""Schedules and budgets bound the replicas that a real API server gets to hold."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.kind.controlplane import ControlPlane
from tests.operator_process import OperatorProcess

from .conftest import OPERATOR
from .service import Service
from .test_plan import diff

ALWAYS = {"name": "always", "start": "00:00", "end": "00:00", "minReplicas": 3}


def later() -> dict[str, Any]:
    """A schedule that holds in three hours."""
    start = datetime.now(UTC) + timedelta(hours=3)
    return {**ALWAYS, "name": "later", "start": f"{start:%H:%M}", "end": f"{start + timedelta(hours=1):%H:%M}"}


def size(service: Service) -> int | None:
    """Replicas that the Deployment asks for, None while there is none."""
    found: int | None = service.deployment().get("spec", {}).get("replicas")
    return found


def settled(service: Service) -> bool:
    """There are as many pods as the Deployment asks for, and no controller is about to change that."""
    found = service.deployment()
    status, generation = found["status"], found["metadata"]["generation"]
    counted = status.get("replicas", 0), len(service.pods())
    return status.get("observedGeneration") == generation and counted == (size(service), size(service))


def scaling(*schedules: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"scaling": {"maxReplicas": 8, "schedules": list(schedules), **more}}


def test_a_new_service_has_the_replicas_of_its_schedule(service: Service) -> None:
    service.apply(scaling(ALWAYS, later() | {"minReplicas": 7}))
    service.wait("three replicas", lambda: size(service) == 3)
    service.become_ready()


def test_a_schedule_that_is_added_raises_replicas(service: Service) -> None:
    service.apply(scaling())
    service.wait("one replica", lambda: size(service) == 1)
    service.apply(scaling(ALWAYS))
    service.wait("three replicas", lambda: size(service) == 3)


def test_a_budget_lowers_replicas_to_what_it_is_enough_for_and_says_so(service: Service) -> None:
    service.apply({"accelerator": {"count": 2}, **scaling(minReplicas=4)})
    service.wait("four replicas", lambda: size(service) == 4)
    budget = {"costPerHour": "10", "gpuCostPerHour": "2.50"}
    service.apply({"accelerator": {"count": 2}, **scaling(minReplicas=4, budget=budget)})
    service.wait("two replicas", lambda: size(service) == 2)
    service.wait("two pods", lambda: settled(service))
    service.load_model()
    condition = service.wait_for("ScalingLimited", "True", "BudgetBelowMinimum")
    assert "too small for 4 replicas" in condition["message"]
    service.wait_for("Ready", "True", "Available")


def test_a_restarted_operator_keeps_the_replicas_of_a_schedule(operator: OperatorProcess, own_service: Service) -> None:
    own_service.apply(scaling(ALWAYS | {"minReplicas": 1, "maxReplicas": 1}, minReplicas=2))
    own_service.become_ready()
    own_service.wait_for("ScalingActive", "False", "Holding")
    operator.stop()
    generation = own_service.deployment()["metadata"]["generation"]
    operator.start()
    unchanged = 'aifactory_reconcile_duration_seconds_count{outcome="unchanged"}'
    own_service.wait("reconciled", lambda: unchanged in operator.metrics())
    assert size(own_service) == 1
    assert own_service.deployment()["metadata"]["generation"] == generation


def test_diff_knows_the_schedule_of_the_moment(api: ControlPlane, service: Service, tmp_path: Path) -> None:
    code, shown = diff(api.kubeconfig_for(OPERATOR), service.manifest(scaling(ALWAYS)), tmp_path / "chat.yaml")
    assert code == 1
    assert "replicas 0 -> 3" in shown
