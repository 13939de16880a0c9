"""Pods and Deployments as the API server sends them, and what they mean."""

from typing import Any

import pytest
from aifactory.api.role import RoleName
from aifactory.cluster.read import pod_of
from aifactory.cluster.workloads import workload, workload_of
from aifactory.observed import Workload
from aifactory.render import labels
from aifactory.render.drift import HASH_ANNOTATION
from aifactory.status.numbers import epoch

from tests.unit.cluster.objects import pod

MIDNIGHT = 1767225600.0  # 2026-01-01T00:00:00Z


def condition(kind: str, status: str, reason: str = "", message: str = "") -> dict[str, Any]:
    time = "2026-01-01T00:02:00Z"
    return {"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": time}


def container(name: str = "model-server", restarts: int = 0, **state: Any) -> dict[str, Any]:
    last = {"lastState": state.pop("lastState")} if "lastState" in state else {}
    return {"name": name, "restartCount": restarts, "state": state, **last}


CREATING = {"waiting": {"reason": "ContainerCreating"}}
BACK_OFF = {"waiting": {"reason": "ImagePullBackOff", "message": 'Back-off pulling image "x"'}}
CRASHED = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s restarting failed container"}}
OUT_OF_MEMORY = {"terminated": {"reason": "OOMKilled", "exitCode": 137, "message": "loading\nCUDA out of memory\n"}}


def test_times_are_epoch_seconds():
    assert epoch("2026-01-01T00:00:00Z") == MIDNIGHT
    assert epoch("2026-01-01T00:00:00.500000Z") == MIDNIGHT + 0.5
    assert epoch(None) is None


def test_a_pod_that_was_just_created_is_pending():
    seen = pod_of(pod(phase="Pending"))
    assert (seen.name, seen.created_at, seen.template_hash) == ("llama-1", MIDNIGHT, "5d4f")
    assert seen.pending
    assert not seen.unschedulable


def test_a_pod_without_status_is_pending():
    body = pod()
    del body["status"]
    assert pod_of(body).pending


def test_a_pod_that_no_node_can_take():
    message = "0/3 nodes are available: 3 Insufficient nvidia.com/gpu."
    seen = pod_of(pod(phase="Pending", conditions=[condition("PodScheduled", "False", "Unschedulable", message)]))
    assert seen.unschedulable
    assert seen.unschedulable_since == MIDNIGHT + 120
    assert seen.unschedulable_message == message


def test_a_pod_that_a_queue_holds_back_waits_for_a_node():
    seen = pod_of(pod(conditions=[condition("PodScheduled", "False", "SchedulingGated", "gated")]))
    assert seen.unschedulable
    assert seen.unschedulable_message == "gated"


def test_a_pod_knows_since_when_it_is_not_ready():
    seen = pod_of(pod(phase="Running", conditions=[condition("Ready", "False")]))
    assert (seen.ready_at, seen.unready_since) == (None, MIDNIGHT + 120)


def test_a_pod_that_serves():
    conditions = [condition("PodScheduled", "True"), condition("Ready", "True")]
    seen = pod_of(pod(phase="Running", conditions=conditions, containerStatuses=[container(running={})]))
    assert seen.ready
    assert seen.ready_at == MIDNIGHT + 120
    assert not seen.pending


def test_a_pod_knows_when_it_got_its_node_and_when_its_container_began_last():
    begun = container(running={"startedAt": "2026-01-01T00:05:00Z"})
    seen = pod_of(pod(conditions=[condition("PodScheduled", "True")], containerStatuses=[begun]))
    assert (seen.scheduled_at, seen.began_at) == (MIDNIGHT + 120, MIDNIGHT + 300)
    crashing = container(waiting={"reason": "CrashLoopBackOff"})
    assert pod_of(pod(containerStatuses=[crashing])).began_at is None


def test_a_pod_knows_since_when_its_scheduler_or_its_node_has_not_begun_with_it():
    assert pod_of(pod(phase="Pending")).unstarted_since == MIDNIGHT
    scheduled, creating = condition("PodScheduled", "True"), container(**CREATING)
    waits = [scheduled, condition("PodReadyToStartContainers", "False")]
    seen = pod_of(pod(phase="Pending", conditions=waits, containerStatuses=[creating]))
    assert (seen.scheduled, seen.unstarted_since) == (True, MIDNIGHT + 120)


def test_a_pod_that_pulls_its_image_or_finds_no_node_or_runs_is_begun_with():
    scheduled, nowhere = condition("PodScheduled", "True"), condition("PodScheduled", "False")
    pulls = [scheduled, condition("PodReadyToStartContainers", "True")]
    assert pod_of(pod(conditions=pulls, containerStatuses=[container(**CREATING)])).unstarted_since is None
    assert pod_of(pod(conditions=[scheduled])).unstarted_since is None, "an earlier Kubernetes does not tell"
    assert pod_of(pod(conditions=[nowhere])).unstarted_since is None
    runs = container(running={"startedAt": "2026-01-01T00:05:00Z"})
    assert pod_of(pod(containerStatuses=[runs])).unstarted_since is None


def test_a_pod_that_loads_is_not_ready():
    seen = pod_of(pod(conditions=[condition("Ready", "False")], containerStatuses=[container(running={})]))
    assert not seen.ready
    assert seen.ready_at is None
    assert seen.waiting_reason == ""


def test_a_pod_that_is_deleted_is_leaving_though_it_still_answers():
    body = pod(phase="Running", conditions=[condition("Ready", "True")])
    body["metadata"]["deletionTimestamp"] = "2026-01-01T00:05:00Z"
    assert pod_of(body).terminating


@pytest.mark.parametrize("phase", ["Failed", "Succeeded"])
def test_a_pod_that_ended_is_leaving(phase):
    assert pod_of(pod(phase=phase)).terminating


def test_what_a_container_waits_for():
    seen = pod_of(pod(containerStatuses=[container(**BACK_OFF)]))
    assert (seen.waiting_reason, seen.waiting_message) == ("ImagePullBackOff", 'Back-off pulling image "x"')


@pytest.mark.parametrize("others", [[container("a", **CREATING)], [container("a", running={})]])
def test_a_container_in_trouble_is_found_beside_a_sidecar(others):
    trouble = container(**BACK_OFF)
    assert pod_of(pod(containerStatuses=[*others, trouble])).waiting_reason == "ImagePullBackOff"
    assert pod_of(pod(containerStatuses=[trouble, *others])).waiting_reason == "ImagePullBackOff"


def test_an_init_container_in_trouble_is_found():
    waiting = [container(waiting={"reason": "PodInitializing"})]
    seen = pod_of(pod(initContainerStatuses=[container("injected", **BACK_OFF)], containerStatuses=waiting))
    assert seen.waiting_reason == "ImagePullBackOff"


def test_a_crash_keeps_its_cause_and_last_words():
    seen = pod_of(pod(containerStatuses=[container(restarts=3, lastState=OUT_OF_MEMORY, **CRASHED)]))
    assert seen.restarts == 3
    assert seen.last_exit == "OOMKilled, exit code 137: CUDA out of memory"


def test_a_crash_is_known_before_the_restart():
    assert pod_of(pod(containerStatuses=[container(**OUT_OF_MEMORY)])).last_exit.startswith("OOMKilled")


def test_a_clean_end_is_no_crash():
    ended = {"terminated": {"reason": "Completed", "exitCode": 0}}
    assert pod_of(pod(initContainerStatuses=[container("init", **ended)])).last_exit == ""


def deployment(status: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "llama", "generation": 3}, "spec": spec, "status": status}


def test_a_deployment_that_is_rolled_out():
    status = {"observedGeneration": 3, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 2}
    seen = workload_of(deployment(status, replicas=2))
    assert (seen.replicas, seen.total, seen.updated, seen.ready, seen.available) == (2, 2, 2, 2, 2)
    assert (seen.generation, seen.observed_generation) == (3, 3)
    assert not seen.rolling_out


def test_a_deployment_that_nobody_has_looked_at_yet():
    seen = workload_of({"metadata": {"name": "llama", "generation": 1}, "spec": {"replicas": 2}})
    assert (seen.replicas, seen.available, seen.observed_generation) == (2, 0, 0)
    assert seen.rolling_out


def test_a_deployment_without_a_number_has_one_replica():
    assert workload_of(deployment({})).replicas == 1


@pytest.mark.parametrize(("said", "both"), [("4", 4), ("many", None)])
def test_a_canary_says_how_many_replicas_both_tracks_are_to_have(said, both):
    canary = deployment({})
    canary["metadata"]["annotations"] = {"aifactory.dev/replicas": said}
    assert workload_of(canary).both == both
    assert workload_of(deployment({})).both is None


def test_a_deployment_scaled_to_zero():
    assert workload_of(deployment({"observedGeneration": 3}, replicas=0)).replicas == 0


def test_a_deployment_that_may_not_create_pods():
    message = 'pods "llama-" is forbidden: exceeded quota: gpus'
    failure = condition("ReplicaFailure", "True", "FailedCreate", message)
    assert workload_of(deployment({"conditions": [failure]})).replica_failure == message


def test_pods_are_refused_since_a_time_where_all_of_their_template_have_served_before():
    """Until then the Deployment itself says when it has taken too long."""

    def since(progress: str) -> float | None:
        failure = condition("ReplicaFailure", "True", "FailedCreate", "exceeded quota: gpus")
        return workload_of(
            deployment({"conditions": [failure, condition("Progressing", "True", progress)]})
        ).refused_since

    assert since("NewReplicaSetAvailable") == MIDNIGHT + 120
    assert since("ReplicaSetUpdated") is None


def test_a_failure_that_is_over_is_none():
    failure = condition("ReplicaFailure", "False", "FailedCreate", "was forbidden")
    assert workload_of(deployment({"conditions": [failure]})).replica_failure == ""


def test_a_deployment_that_exceeded_its_deadline():
    late = condition("Progressing", "False", "ProgressDeadlineExceeded", "timed out")
    assert workload_of(deployment({"conditions": [late]})).progress_deadline_exceeded
    on_time = condition("Progressing", "True", "NewReplicaSetAvailable")
    assert not workload_of(deployment({"conditions": [on_time]})).progress_deadline_exceeded


def test_what_keeps_pods_knows_the_template_that_it_was_given():
    kept = deployment({})
    kept["metadata"]["annotations"] = {labels.TEMPLATE: "abc"}
    assert workload_of(kept).template == "abc"
    groups = {"metadata": {"annotations": {HASH_ANNOTATION: "def"}}, "spec": {"replicas": 3}}
    seen = workload("llama", RoleName.MODEL_SERVER, {("LeaderWorkerSet", "llama-nodes"): groups}, ())
    assert seen is not None
    assert seen.template == "def"


def member(**metadata: Any) -> dict[str, Any]:
    """A pod that serves together with others."""
    made = pod(containerStatuses=[container(running={"startedAt": "2026-01-01T00:01:00Z"})])
    own = {labels.MEMBER_OF: "model-server", labels.NODES: "3", labels.REPLICA: "7", labels.TEMPLATE: "abc"}
    made["metadata"]["labels"] |= own | metadata.pop("labels", {})
    made["metadata"] |= metadata
    return made


def test_a_pod_of_a_replica_knows_its_replica_and_when_it_began():
    seen = pod_of(member())
    assert (seen.replica, seen.nodes, seen.leader, seen.template_hash) == ("7", 3, True, "abc")
    assert (seen.began_at, seen.ended_at, seen.left_at) == (MIDNIGHT + 60, None, None)


def test_a_pod_of_a_leader_worker_set_belongs_to_its_group():
    made = member(labels={"leaderworkerset.sigs.k8s.io/group-index": "2"})
    for name in (labels.REPLICA, labels.ROLE):
        del made["metadata"]["labels"][name]
    assert (pod_of(made).replica, pod_of(made).leader) == ("2", False)


@pytest.mark.parametrize("nonsense", ["", "last", "-1", "9" * 60])
def test_labels_that_are_no_numbers_make_a_pod_one_that_serves_alone(nonsense):
    seen = pod_of(member(labels={labels.NODES: nonsense, labels.REPLICA: nonsense}))
    assert (seen.grouped, seen.nodes) == (False, 1)


def test_a_pod_left_when_it_was_told_to_and_not_when_its_time_is_up():
    made = member(deletionTimestamp="2026-01-01T00:10:00Z", deletionGracePeriodSeconds=120)
    assert pod_of(made).left_at == MIDNIGHT + 480


def test_a_container_that_was_started_again_has_ended_before():
    made = member()
    ended = {"terminated": {"exitCode": 1, "finishedAt": "2026-01-01T00:00:50Z"}}
    made["status"]["containerStatuses"][0]["lastState"] = ended
    assert (pod_of(made).ended_at, pod_of(made).began_at) == (MIDNIGHT + 50, MIDNIGHT + 60)


def test_the_numbers_of_a_leader_worker_set_are_those_of_a_workload():
    groups = {
        "kind": "LeaderWorkerSet",
        "metadata": {"name": "llama-nodes", "generation": 4, "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"replicas": 3},
        "status": {"observedGeneration": 4, "replicas": 3, "readyReplicas": 2, "updatedReplicas": 1},
    }
    seen = workload("llama", RoleName.MODEL_SERVER, {("LeaderWorkerSet", "llama-nodes"): groups}, ())
    assert seen == Workload(3, generation=4, observed_generation=4, updated=1, ready=2, available=2, total=3)


def test_the_newest_of_two_workloads_counts_and_the_other_is_being_replaced():
    deployment = {
        "metadata": {"creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"replicas": 2},
        "status": {"replicas": 2, "availableReplicas": 2, "updatedReplicas": 2},
    }
    groups = {"metadata": {"creationTimestamp": "2026-01-02T00:00:00Z"}, "spec": {"replicas": 2}, "status": {}}
    children = {("Deployment", "llama"): deployment, ("LeaderWorkerSet", "llama-nodes"): groups}
    seen = workload("llama", RoleName.MODEL_SERVER, children, ())
    assert seen is not None
    assert (seen.replicas, seen.updated, seen.available, seen.total) == (2, 0, 2, 2)
    assert seen.rolling_out


def addressed(role: str, **status: Any) -> tuple[str, ...]:
    raw = pod(podIP="10.1.2.3", podIPs=[{"ip": "10.1.2.3"}, {"ip": "fd00::3"}], **status)
    raw["metadata"]["labels"][labels.ROLE] = role
    return pod_of(raw).addresses


def test_activators_are_known_by_their_addresses_as_long_as_these_are_theirs():
    assert addressed("activator", phase="Running") == ("10.1.2.3", "fd00::3")
    assert addressed("activator", phase="Failed") == ()
    assert addressed("model-server", phase="Running") == (), "nobody asks, and every change would be news"


def placed(spec: dict[str, Any] | None = None, **status: Any) -> Any:
    """A pod of two GPUs on a node."""
    limits = {"nvidia.com/gpu": "2", "memory": "16Gi"}
    held = {
        "nodeName": "gpu-1",
        "nodeSelector": {"nvidia.com/gpu.product": "NVIDIA-B200"},
        "containers": [{"name": "model-server", "resources": {"limits": limits}}, {"name": "sidecar"}],
    }
    return pod_of(pod(**status) | {"spec": held | (spec or {})})


def test_a_pod_holds_its_gpus_from_getting_a_node_until_it_ends():
    seen = placed(phase="Pending")
    assert (seen.devices, seen.product) == ((("nvidia.com/gpu", 2),), "NVIDIA-B200")
    assert placed({"nodeName": ""}).devices == ()
    assert placed(phase="Failed").devices == ()


def test_a_pod_may_hold_gpus_by_a_claim():
    assert placed({"resourceClaims": [{"name": "gpus", "resourceClaimTemplateName": "two"}]}).claims_gpus
    assert not placed({"resourceClaims": [{"name": "compute-domain"}]}).claims_gpus


@pytest.mark.parametrize(("count", "held"), [("5E", 1024), ("1e3", 0), (2, 2), ("1k", 1000)])
def test_devices_of_a_made_up_pod_are_bounded(count, held):
    containers = [{"name": "model-server", "resources": {"limits": {"nvidia.com/gpu": count}}}]
    assert placed({"containers": containers}).devices == (("nvidia.com/gpu", held),)
