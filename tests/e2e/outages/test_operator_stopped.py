"""The operator goes away: what serves goes on serving, and what is remembered is not needed."""

from tests.e2e.conftest import Serve
from tests.e2e.kube import Kube, path
from tests.e2e.outages.conftest import Scaled, crash_leader, leader
from tests.e2e.service import CHILDREN, PATIENT, SYSTEM, Service, operator_pods, scaling
from tests.kind.cluster import Cluster

WINDOW_SECONDS = 20


def test_a_killed_operator_goes_on_where_it_was_and_removes_nothing_for_a_window(
    cluster: Cluster, kube: Kube, serve: Serve
) -> None:
    service = serve(scaling=scaling(1, 3, scaleDown=_slowly()), slo=PATIENT)
    service.wait_ready()
    load = service.load("18@900s", "--timeout", "300", "--max-in-flight", "2000")
    service.wait("the ramp begins", lambda: service.replicas >= 2)
    crash_leader(kube, cluster.node)
    service.wait("the ramp ends where it would have", lambda: service.replicas == 3)
    service.wait("all serve", lambda: service.status["replicas"]["ready"] == 3)
    assert service.steps == [1, 2, 3], service.explain()

    assert load.stop()["failed"] == 0
    service.wait("the way down begins", lambda: service.steps[-1] < 3)
    leads_since = crash_leader(kube, cluster.node)
    service.wait("the way down ends", lambda: service.replicas == 1)
    assert service.steps == [1, 2, 3, 2, 1], service.explain()
    shrunk = service.sizes.seen[_last_change(service)][0]
    assert shrunk - leads_since >= WINDOW_SECONDS, service.explain()


def test_a_service_deleted_while_the_operator_is_down_is_gone_at_once_with_its_children(
    serve: Serve, scaled: Scaled
) -> None:
    service = serve()
    service.wait_ready()
    with scaled("aifactory-operator", 0):
        service.delete()
        assert service.gone
        service.wait(
            "its children are collected",
            lambda: not any(service.child(kind) for kind in CHILDREN) and not service.pods,
        )


def test_a_second_operator_stands_by_and_takes_over(kube: Kube, serve: Serve, scaled: Scaled) -> None:
    service = serve()
    service.wait_ready()
    with scaled("aifactory-operator", 2):
        active = leader(kube)
        leading = {pod["metadata"]["name"]: _leading(kube, pod["metadata"]["name"]) for pod in operator_pods(kube)}
        assert leading.pop(active) == 1.0
        assert list(leading.values()) == [0.0]
        kube.delete(path(SYSTEM, "pods", active))
        service.wait("the other one leads", lambda: leader(kube) not in ("", active))
        kube.delete(service.child_path("services"))
        service.wait("the new leader repairs", lambda: service.child("services"))


def _slowly() -> dict[str, object]:
    return {"stabilizationWindow": f"{WINDOW_SECONDS}s", "period": "30s", "maxReplicas": 1}


def _last_change(service: Service) -> int:
    sizes = [obj["spec"]["replicas"] for _, _, obj in service.sizes.seen]
    return next(index for index in reversed(range(1, len(sizes))) if sizes[index] != sizes[index - 1])


def _leading(kube: Kube, pod: str) -> float:
    page = kube.send("GET", path(SYSTEM, "pods", f"{pod}:8080", "proxy/metrics"))
    return next(float(line.split()[1]) for line in page.splitlines() if line.startswith("aifactory_leading "))
