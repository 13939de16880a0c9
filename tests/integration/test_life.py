"""What a user reads in the status while a service lives, and what is left when it is deleted."""

from tests.operator_process import OperatorProcess

from .service import CHILDREN, Service, operator_writes, target

UNSCHEDULABLE = {
    "type": "PodScheduled",
    "status": "False",
    "reason": "Unschedulable",
    "lastTransitionTime": "2026-01-01T00:00:00Z",
    "message": "0/3 nodes are available: 3 Insufficient nvidia.com/gpu.",
}


def test_a_service_is_ready_when_its_model_is_loaded_and_not_before(service: Service) -> None:
    service.apply()
    loading = service.wait_for("Ready", "Unknown", "ModelLoading")
    assert loading["message"] == "0 of 1 required replicas serve; the model is loading"
    assert service.condition("Reconciling")["status"] == "True"
    service.wait("a pod exists", service.pods)
    service.load_model()
    ready = service.wait_for("Ready", "True", "Available")
    assert ready["observedGeneration"] == 1
    assert service.condition("Reconciling") == {}
    counts = {"desired": 1, "current": 1, "ready": 1, "pending": 0, "unschedulable": 0}
    service.wait("its pod is counted", lambda: service.status()["replicas"] == counts)
    assert service.status()["url"] == f"http://{service.name}.{service.namespace}.svc"


def test_the_operators_page_shows_what_alerts_and_dashboards_read(
    service: Service, shared_operator: OperatorProcess
) -> None:
    service.become_ready()
    of = f'inferenceservice="{service.name}",namespace="{service.namespace}"'
    for sample in (
        f"aifactory_service_ready{{{of}}} 1.0",
        f"aifactory_service_slo_goal{{{of}}} 0.99",
        f'aifactory_service_replicas{{{of},role="model-server",state="ready"}} 1.0',
        f'aifactory_service_condition{{condition="Ready",{of},reason="Available",status="True"}} 1.0',
    ):
        service.wait(sample, lambda sample=sample: sample in shared_operator.metrics())


def test_a_lack_of_gpus_is_named(service: Service) -> None:
    service.apply()
    service.wait("a pod exists", service.pods)
    service.play_kubelet({"conditions": [UNSCHEDULABLE]})
    assert "Insufficient nvidia.com/gpu" in service.wait_for("GPUShortage", "True", "InsufficientGPUs")["message"]
    service.wait_for("Ready", "False", "InsufficientGPUs")
    service.play_kubelet({"conditions": [{"type": "PodScheduled", "status": "True"}]})
    service.load_model()
    service.wait_for("Ready", "True", "Available")
    service.wait("nothing is short", lambda: service.condition("GPUShortage") == {})


def test_an_image_that_cannot_be_pulled_says_where_to_look(service: Service) -> None:
    service.apply()
    service.wait("a pod exists", service.pods)
    waiting = {"reason": "ImagePullBackOff", "message": 'Back-off pulling image "vllm/nowhere:1"'}
    container = {"name": "model-server", "image": "x", "imageID": "", "ready": False, "restartCount": 0}
    service.play_kubelet({"containerStatuses": [{**container, "state": {"waiting": waiting}}]})
    stalled = service.wait_for("Stalled", "True", "ImagePullFailed")
    assert "spec.runtime.image" in stalled["message"]


def test_an_edit_of_the_spec_rolls_out_and_ends_ready(service: Service) -> None:
    service.become_ready()
    service.apply({"runtime": {"args": ["--max-model-len", "4096"]}})
    service.wait_for("Ready", "Unknown", "RollingOut")
    service.wait("a pod of the new spec exists", lambda: len(service.pods()) == 2)
    service.load_model()
    ready = service.wait_for("Ready", "True", "Available")
    assert ready["observedGeneration"] == 2
    assert "4096" in service.container()["args"]


def test_a_change_of_replicas_alone_is_never_told_as_a_rollout(service: Service) -> None:
    service.apply({"replicas": 2})
    service.wait("both pods exist", lambda: len(service.pods()) == 2)
    service.become_ready()
    service.apply({"replicas": 1})
    service.wait("one is left", lambda: service.deployment()["status"].get("replicas") == 1)
    assert service.wait_for("Ready", "True", "Available")["observedGeneration"] == 2
    assert "Available" in (told := reasons(service, "Ready"))
    assert "RollingOut" not in told


def reasons(service: Service, kind: str) -> set[str]:
    """All that the operator has ever given for a condition of the service."""
    written = (
        event["requestObject"]["status"].get("conditions", ())
        for event in operator_writes(service.api, service.namespace)
        if target(event) == "patch inferenceservices/status" and event["objectRef"]["name"] == service.name
    )
    return {one["reason"] for conditions in written for one in conditions if one["type"] == kind}


def test_a_paused_service_is_left_as_it_is(service: Service) -> None:
    service.become_ready()
    before = service.deployment()
    service.apply({"mode": "Paused", "replicas": 3})
    assert service.wait_for("Ready", "True", "Paused")["observedGeneration"] == 2
    assert service.deployment()["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
    service.kube.delete(service.child_path("services"))
    unready = service.wait_for("Ready", "False", "Paused")
    assert unready["message"].endswith(f"missing: Service/{service.name}")
    assert service.child("services") is None
    service.apply({"replicas": 3})
    service.wait("resumed", lambda: service.deployment()["spec"]["replicas"] == 3)
    service.wait("reached again", lambda: service.child("services"))


def test_a_planned_service_has_a_status_and_no_children(service: Service) -> None:
    service.apply({"mode": "Plan"})
    service.wait_for("Ready", "Unknown", "PlanOnly")
    assert service.status()["resolved"]["command"][0] == "vllm"
    assert [plural for plural in CHILDREN if service.child(plural)] == []


def test_deletion_takes_all_children_along(service: Service) -> None:
    service.apply()
    service.wait_children()
    service.delete()
    assert service.kube.find(service.path) is None, "nothing holds the object back"
    service.wait("children are collected", lambda: not any(map(service.child, CHILDREN)))


def test_deletion_does_not_need_the_operator(operator: OperatorProcess, own_service: Service) -> None:
    own_service.apply()
    own_service.wait_children()
    operator.stop()
    own_service.delete()
    assert own_service.kube.find(own_service.path) is None
    own_service.wait("children are collected", lambda: not any(map(own_service.child, CHILDREN)))
    operator.start()
    own_service.apply()
    own_service.wait_children()
