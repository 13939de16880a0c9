"""`Ready` says what is going on, in every situation that a service can be in."""

import dataclasses

import pytest
from aifactory.api.conditions import Reason
from aifactory.explain import explain
from aifactory.observed import Pod, Workload
from aifactory.status.facts import Held
from aifactory.status.pods import Trouble

from tests.unit.status.scene import (
    NO_GPUS,
    NOON,
    SCALING,
    Life,
    condition,
    pod,
    serving,
    stuck,
    without_node,
    workload,
)
from tests.unit.status.tools import kstatus

REFUSED = Trouble(Reason.APPLY_REJECTED, "the API server refuses a child object: no")
HELD = Held(None, Reason.MODEL_CACHE_NOT_READY, "ModelCache weights: 42% has arrived")
CRASH = stuck("CrashLoopBackOff", "back-off 40s restarting", restarts=4, last_exit="OOMKilled, exit code 137")
SECRET = stuck("CreateContainerConfigError", 'secret "hf" not found')
PULL = stuck("ImagePullBackOff", 'Back-off pulling image "x:1"')
KEY = stuck("CreateContainerConfigError", "couldn't find key token in Secret chat/hf")
QUOTA = 'pods "llama-" is forbidden: exceeded quota: gpus'
PRIORITY = 'pods "llama-" is forbidden: no PriorityClass with name nope was found'
NO_ZONE = "0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector."

# id: spec, Deployment, pods, status, reason, a part of the message
SITUATIONS = {
    "creating": ({}, None, (), "Unknown", "Creating", "being created"),
    "nobody looked at the Deployment yet": (
        {},
        Workload(replicas=1, generation=1),
        (),
        "Unknown",
        "ModelLoading",
        "0 of 1",
    ),
    "loading": ({}, workload(1, available=0), (pod(),), "Unknown", "ModelLoading", "0 of 1 required replicas serve"),
    "loading, half of it": (
        {"replicas": 2},
        workload(2, available=1),
        (*serving("a"), pod("b")),
        "Unknown",
        "ModelLoading",
        "1 of 2",
    ),
    "available": ({}, workload(1), serving(), "True", "Available", "all required replicas serve"),
    "rolling out": (
        {"replicas": 2},
        workload(2, total=3, updated=1),
        (*serving("a", "b"), pod("c", template_hash="two")),
        "Unknown",
        "RollingOut",
        "0 of 2 replicas run the current spec; serving: 2",
    ),
    "rolling out, a new replica serves": (
        {"replicas": 2},
        workload(2, total=3, updated=2),
        (*serving("a"), *serving("b", template_hash="two"), pod("c", template_hash="two")),
        "Unknown",
        "RollingOut",
        "1 of 2 replicas run the current spec; serving: 2",
    ),
    "scaled up, the new replica loads": (
        SCALING,
        workload(2, available=1),
        (*serving("a"), pod("b")),
        "True",
        "Available",
        "",
    ),
    "scaled up, no GPU for the new replica": (
        SCALING,
        workload(2, available=1),
        (*serving("a"), without_node("b")),
        "True",
        "Available",
        "",
    ),
    "scaled to zero": ({"replicas": 0}, workload(0), (), "True", "ScaledToZero", "no request is answered"),
    "no replica is asked for, the last one still serves": (
        {"replicas": 0},
        workload(1),
        serving(),
        "True",
        "Available",
        "",
    ),
    "somebody took all replicas away": (
        {},
        workload(0),
        (),
        "Unknown",
        "ModelLoading",
        "0 of 1 required replicas serve",
    ),
    "somebody else decides and wants fewer than minReplicas": (
        {"scaling": {"minReplicas": 2, "maxReplicas": 4, "mode": "Recommend"}},
        workload(1),
        serving(),
        "True",
        "Available",
        "",
    ),
    "somebody else decides and wants none": (
        {"scaling": {"minReplicas": 2, "maxReplicas": 4, "mode": "Recommend"}},
        workload(0),
        (),
        "True",
        "ScaledToZero",
        "no request is answered",
    ),
    "asleep, and nobody brings it back but who decides": (
        {"scaling": {"minReplicas": 0, "maxReplicas": 4, "mode": "Recommend"}},
        workload(0),
        (),
        "True",
        "ScaledToZero",
        "no request is answered",
    ),
    "one crashes, enough others serve": (
        SCALING,
        workload(2, available=1),
        (*serving("a"), CRASH),
        "True",
        "Available",
        "",
    ),
    "crashing": (
        {},
        workload(1, available=0),
        (CRASH,),
        "False",
        "ContainerCrashing",
        "pod llama-1: container failed with OOMKilled, exit code 137; read the pod's log",
    ),
    "crashing, between two crashes": (
        {},
        workload(1, available=0),
        (dataclasses.replace(CRASH, waiting_reason="", waiting_message=""),),
        "False",
        "ContainerCrashing",
        "OOMKilled",
    ),
    "restarted once": (
        {},
        workload(1, available=0),
        (pod(restarts=1, last_exit="Error, exit code 1"),),
        "False",
        "WaitingForReplicas",
        "0 of 1",
    ),
    "secret missing": (
        {},
        workload(1, available=0),
        (SECRET,),
        "False",
        "SecretNotFound",
        'secret "hf" not found; create the Secret',
    ),
    "key of a secret missing": (
        {},
        workload(1, available=0),
        (KEY,),
        "False",
        "ContainerConfigInvalid",
        "spec.runtime.env",
    ),
    "image cannot be pulled": (
        {},
        workload(1, available=0),
        (PULL,),
        "False",
        "ImagePullFailed",
        'pulling image "x:1"; check spec.runtime.image',
    ),
    "quota exceeded": (
        {},
        workload(1, available=0, total=0, updated=0, replica_failure=QUOTA),
        (),
        "False",
        "PodRejected",
        "exceeded quota: gpus; check quotas",
    ),
    "no such PriorityClass": (
        {"podTemplate": {"priorityClassName": "nope"}},
        workload(1, available=0, total=0, updated=0, replica_failure=PRIORITY),
        (),
        "False",
        "PodRejected",
        "no PriorityClass with name nope was found; check spec.podTemplate.priorityClassName",
    ),
    "no GPU free": ({}, workload(1, available=0), (without_node(),), "False", "InsufficientGPUs", NO_GPUS),
    "no node fits": (
        {},
        workload(1, available=0),
        (without_node(message=NO_ZONE),),
        "False",
        "Unschedulable",
        "node affinity",
    ),
    "loading for too long": (
        {},
        workload(1, available=0, progress_deadline_exceeded=True),
        (pod(),),
        "False",
        "StartupTimeout",
        "raise spec.runtime.startupTimeout",
    ),
    "several pods load for too long": (
        {"accelerator": {"nodes": 2}},
        workload(1, available=0, due_at=NOON),
        (pod(replica="0"),),
        "False",
        "StartupTimeout",
        "raise spec.runtime.startupTimeout",
    ),
    "several pods still have time to load": (
        {"accelerator": {"nodes": 2}},
        workload(1, available=0, due_at=NOON + 3600),
        (pod(replica="0"),),
        "Unknown",
        "ModelLoading",
        "0 of 1",
    ),
    "no GPU free for longer than loading may take": (
        {},
        workload(1, available=0, progress_deadline_exceeded=True),
        (without_node(),),
        "False",
        "InsufficientGPUs",
        "",
    ),
    "paused before it was created": ({"mode": "Paused"}, None, (), "Unknown", "Paused", "spec.mode is Paused"),
    "paused while it serves": ({"mode": "Paused"}, workload(1), serving(), "True", "Paused", "serving: 1"),
    "paused at fewer replicas than are asked for now": (
        {"mode": "Paused", "replicas": 3},
        workload(1),
        serving(),
        "True",
        "Paused",
        "nothing is changed",
    ),
    "paused at zero": ({"mode": "Paused"}, workload(0), (), "True", "Paused", "serving: 0"),
    "paused, a replica is lost": ({"mode": "Paused"}, workload(1, 0), (pod(),), "Unknown", "ModelLoading", "0 of 1"),
    "paused, crashing": ({"mode": "Paused"}, workload(1, 0), (CRASH,), "False", "ContainerCrashing", "OOMKilled"),
    "planned while it serves": ({"mode": "Plan"}, workload(1), serving(), "True", "PlanOnly", "spec.mode is Plan"),
    "planned only": ({"mode": "Plan"}, None, (), "Unknown", "PlanOnly", "spec.mode is Plan"),
}


@pytest.mark.parametrize("situation", SITUATIONS.values(), ids=SITUATIONS.keys())
def test_ready_says_what_is_going_on(situation):
    spec, deployment, pods, status, reason, message = situation
    life = Life(**spec)
    found = condition(life.look(deployment, *pods), "Ready")
    assert (found.status, found.reason) == (status, reason)
    assert message in found.message


@pytest.mark.parametrize("situation", SITUATIONS.values(), ids=SITUATIONS.keys())
def test_ready_does_not_change_its_mind_when_nothing_changes(situation):
    spec, deployment, pods, *_ = situation
    life = Life(**spec)
    once = life.look(deployment, *pods)
    assert life.look(deployment, *pods) == once
    assert life.events == []


def test_a_refused_write_is_said_and_what_serves_is_counted():
    life = Life(replicas=2)
    status = life.look(workload(2), *serving("a", "b"), refused=REFUSED)
    assert life.ready() == ("False", "ApplyRejected")
    assert condition(status, "Ready").message == f"{REFUSED.message}; still serving: 2 of 2"


@pytest.mark.parametrize(("mode", "reason"), [("Paused", "Paused"), ("Plan", "PlanOnly")])
def test_a_frozen_service_says_what_is_missing_and_is_not_ready_where_no_client_finds_it(mode, reason):
    life = Life(mode=mode)
    told = condition(life.look(workload(1), *serving(), missing=("PodDisruptionBudget/llama",)), "Ready")
    assert (told.status, told.reason) == ("True", reason)
    assert told.message.endswith("nothing is changed; serving: 1; missing: PodDisruptionBudget/llama")
    told = condition(life.look(workload(1), *serving(), missing=("Service/llama", "NetworkPolicy/llama")), "Ready")
    assert (told.status, told.reason) == ("False", reason)
    assert "without its Service no request is answered; missing: Service/llama, NetworkPolicy/llama" in told.message
    assert "set spec.mode to Active" in explain(life.stored, life.now)


def test_a_service_that_waits_for_its_weights_says_so_and_what_serves_meanwhile():
    serves = Life(replicas=2).look(workload(2), *serving("a", "b"), held=HELD)
    assert condition(serves, "Ready").message == f"{HELD.message}; still serving: 2 of 2"
    new = Life().look(held=HELD)
    told = {kind: condition(new, kind) for kind in ("Ready", "ModelReady", "Reconciling")}
    assert {(kind, one.status, one.reason, one.message) for kind, one in told.items()} == {
        ("Ready", "Unknown", HELD.reason, HELD.message),
        ("ModelReady", "False", HELD.reason, HELD.message),
        ("Reconciling", "True", HELD.reason, HELD.message),
    }


def test_scaling_up_never_makes_a_service_unready():
    life = Life(**SCALING)
    life.look(workload(1), *serving("a"))
    for step in (
        workload(3, available=1, total=1, updated=1, generation=2, observed_generation=1),
        workload(3, available=1, total=1, updated=1, generation=2, observed_generation=2),
        workload(3, available=1, total=3, updated=3, generation=2, observed_generation=2),
        workload(3, available=2, total=3, updated=3, generation=2, observed_generation=2),
        workload(3, generation=2, observed_generation=2),
    ):
        life.look(step, *serving("a"))
        assert life.ready() == ("True", "Available")


@pytest.mark.parametrize(("replicas", "reason"), [(0, "ScaledToZero"), (1, "Available")])
def test_fewer_replicas_are_no_rollout_though_nobody_looked_at_the_deployment_yet(replicas, reason):
    life = Life(replicas=2)
    life.look(workload(2, template="one"), *serving("a", "b"))
    life.edit(replicas=replicas)
    lagging = workload(replicas, available=2, updated=2, total=2, generation=2, observed_generation=1, template="one")
    for _ in range(2):
        life.look(lagging, *serving("a", "b"))
        assert life.ready() == ("True", reason)


def test_another_template_is_a_rollout_before_anybody_looked_at_it():
    life = Life(replicas=2)
    life.look(workload(2, template="one"), *serving("a", "b"))
    life.edit(replicas=1)
    lagging = workload(1, available=2, updated=2, total=2, generation=2, observed_generation=1, template="two")
    for _ in range(2):
        status = life.look(lagging, *serving("a", "b"))
        assert life.ready() == ("Unknown", "RollingOut")
        assert condition(status, "Ready").message == "0 of 1 replicas run the current spec; serving: 2"


def test_a_lost_replica_is_missed_until_it_is_back():
    life = Life(replicas=2)
    life.look(workload(2), *serving("a", "b"))
    for _ in range(2):
        life.look(workload(2, available=1), *serving("a"), pod("b"))
        assert life.ready() == ("False", "WaitingForReplicas")
    life.look(workload(2), *serving("a", "b"))
    assert life.ready() == ("True", "Available")


def test_more_replicas_asked_for_are_on_their_way_not_missing():
    life = Life(replicas=0)
    life.look(workload(0))
    life.edit(replicas=3)
    for _ in range(2):
        life.look(workload(3, available=0), pod())
        assert life.ready() == ("Unknown", "ModelLoading")


def test_gpus_that_come_free_let_the_model_load():
    life = Life()
    life.look(workload(1, available=0), without_node())
    life.look(workload(1, available=0), pod())
    assert life.ready() == ("Unknown", "ModelLoading")


@pytest.mark.parametrize(
    ("waits", "patience", "says"),
    [
        ({}, 60, "the scheduler has not looked at it"),
        ({"scheduled": True}, 120, "its node cannot start its containers"),
    ],
)
def test_a_pod_that_nobody_starts_does_not_load(waits, patience, says):
    life = Life()
    waiting = pod("llama-7", unstarted_since=NOON, **waits)
    while life.now < NOON + patience:
        life.look(workload(1, available=0), waiting)
        assert life.ready() == ("Unknown", "ModelLoading")
    late = workload(1, available=0, progress_deadline_exceeded=True)
    for deployment in (workload(1, available=0), late):
        status = life.look(deployment, waiting)
        assert life.ready() == ("False", "PodNotStarting")
        assert condition(status, "Ready").message.startswith(f"pod llama-7: {says}; kubectl describe pod shows why")
        assert condition(status, "Progressing").reason == "WaitingForReplicas"
        assert condition(status, "Stalled").reason == "PodNotStarting"
    life.look(workload(1, available=0), pod("llama-7", scheduled=True))
    assert life.ready() == ("Unknown", "ModelLoading")


def test_of_a_replica_of_several_pods_the_one_that_is_not_started_is_named():
    life = Life(accelerator={"nodes": 2})
    replica = pod(replica="0", culprit="llama-0-1", scheduled=True, unstarted_since=NOON - 120)
    message = condition(life.look(workload(1, available=0), replica), "Ready").message
    assert message.startswith("pod llama-0-1: its node cannot start")


def test_a_container_that_cannot_be_made_is_told_before_one_that_is_not_started():
    life = Life(replicas=2)
    life.look(workload(2, available=0), dataclasses.replace(SECRET, name="b"), pod(unstarted_since=NOON - 600))
    assert life.ready() == ("False", "SecretNotFound")


def test_a_corrected_image_loads_although_the_failed_pod_is_still_there():
    life = Life()
    life.look(workload(1, available=0), PULL)
    life.edit()
    failed, new = PULL, pod("llama-2", created_at=PULL.created_at + 60, template_hash="two")
    life.look(workload(1, available=0, total=2, updated=1), failed, new)
    assert life.ready() == ("Unknown", "RollingOut")
    assert condition(life.status, "Stalled") is None


def new(waits: float = 60, message: str = NO_GPUS) -> Pod:
    """A pod of a changed spec that has waited so many seconds for a node when a life is looked at first."""
    since = NOON + 60 - waits
    pending = without_node("c", message)
    return dataclasses.replace(pending, created_at=since, unschedulable_since=since, template_hash="two")


def rolls(*pods: Pod, **spec: object) -> tuple[Life, str]:
    """A rollout of three replicas and what `Ready` says of it."""
    life = Life(replicas=3, **spec)
    found = condition(life.look(workload(3, total=4, updated=1), *serving("a", "b", "d"), *pods), "Ready")
    return life, found.message


def test_a_rollout_to_nodes_that_are_not_there_says_so_at_once_and_what_serves():
    life, message = rolls(new(waits=1, message=NO_ZONE), accelerator={"product": "NVIDIA-B200"})
    assert life.ready() == ("False", "Unschedulable")
    assert message.startswith("0 of 3 replicas run the current spec; serving: 3; 0/3 nodes are available")
    assert message.endswith("accelerator.product asks for nodes with nvidia.com/gpu.product=NVIDIA-B200")
    assert kstatus(life.stored) == "InProgress"
    told = explain(life.stored, life.now)
    assert "1 without a node" in told
    assert f"In the way:\n  Ready is False (Unschedulable): {message}" in told


def test_a_rollout_waits_for_the_gpus_of_replicas_that_finish_their_requests():
    life, message = rolls(new(waits=60), drain={"timeout": "1m"})
    assert life.ready() == ("Unknown", "RollingOut")
    assert message.endswith(f"serving: 3; {NO_GPUS}")
    life, _ = rolls(new(waits=95), drain={"timeout": "1m"})
    assert life.ready() == ("False", "InsufficientGPUs")


def test_a_rollout_without_a_node_is_none_that_loads_for_too_long():
    life = Life(replicas=3)
    late = workload(3, total=4, updated=1, progress_deadline_exceeded=True)
    status = life.look(late, *serving("a", "b", "d"), new(message=NO_ZONE))
    assert life.ready() == ("False", "Unschedulable")
    assert condition(status, "Progressing").reason == "RollingOut"


def test_pods_of_a_spec_that_was_taken_back_say_nothing_of_the_one_in_force():
    life = Life(replicas=3)
    life.look(workload(3, total=4, updated=3), *serving("a", "b", "d"), new(message=NO_ZONE))
    assert life.ready() == ("Unknown", "RollingOut")
    assert condition(life.status, "Ready").message.startswith("3 of 3 replicas run the current spec")


def test_earlier_pods_that_were_made_again_are_not_taken_for_those_of_the_new_spec():
    life = Life(replicas=3)
    again = serving("a", "b", "d", created_at=NOON + 50)
    life.look(workload(3, total=4, updated=1), *again, new(message=NO_ZONE))
    assert life.ready() == ("False", "Unschedulable")


def test_a_failing_rollout_is_said_though_an_earlier_pod_is_replaced_meanwhile():
    life = Life(replicas=2)
    failed = dataclasses.replace(PULL, created_at=PULL.created_at + 60, template_hash="two")
    replaced = pod("b", created_at=PULL.created_at + 120)
    life.look(workload(2, total=3, updated=1, available=1), *serving("a"), replaced, failed)
    assert life.ready() == ("False", "ImagePullFailed")


ALWAYS = {"name": "always", "start": "00:00", "end": "00:00"}


def test_a_schedule_that_asks_for_more_does_not_make_a_service_unready():
    life = Life(scaling={"minReplicas": 1, "maxReplicas": 8, "schedules": [{**ALWAYS, "minReplicas": 4}]})
    life.look(workload(4, 1), *serving(), pod("b"))
    assert life.ready() == ("True", "Available")


@pytest.mark.parametrize("less", [{"schedules": [{**ALWAYS, "minReplicas": 1}]}, {"budget": {"gpus": 1}}])
def test_a_service_that_may_have_less_is_ready_with_less(less):
    life = Life(scaling={"minReplicas": 4, "maxReplicas": 8, **less})
    life.look(workload(1), *serving())
    assert life.ready() == ("True", "Available")


def test_labels_of_nodes_that_no_node_has_are_named_with_their_field():
    nowhere = without_node(message=NO_ZONE)
    life = Life(accelerator={"product": "NVIDIA-B200"}, podTemplate={"nodeSelector": {"zone": "a"}})
    message = condition(life.look(workload(1, available=0), nowhere), "Ready").message
    assert message.endswith(
        "; accelerator.product asks for nodes with nvidia.com/gpu.product=NVIDIA-B200; "
        "podTemplate.nodeSelector for nodes with zone=a"
    )
    short = Life(accelerator={"product": "NVIDIA-B200"}).look(workload(1, available=0), without_node())
    assert "accelerator.product" not in condition(short, "Ready").message


LACKS = "0/3 nodes are available: 3 Insufficient {}."
NO_CLAIM = '0/3 nodes are available: persistentvolumeclaim "nope" not found. not found'
FIELDS = {
    "GPUs": (
        {"accelerator": {"resourceName": "example.com/gpu"}},
        LACKS.format("example.com/gpu"),
        "accelerator.resourceName asks for example.com/gpu",
    ),
    "several GPUs": (
        {"accelerator": {"count": 4}},
        LACKS.format("nvidia.com/gpu"),
        "accelerator.count asks for 4 of one node",
    ),
    "a device class": (
        {"accelerator": {"resourceClaimTemplate": "gpus"}},
        "0/3 nodes are available: 3 cannot allocate all claims.",
        "accelerator.resourceClaimTemplate asks for what is in gpus",
    ),
    "memory": (
        {"podTemplate": {"resources": {"memory": "10Ti"}}},
        LACKS.format("memory"),
        "podTemplate.resources.memory asks for 10Ti",
    ),
    "disk": (
        {"podTemplate": {"resources": {"ephemeralStorage": "10Ti"}}},
        LACKS.format("ephemeral-storage"),
        "podTemplate.resources.ephemeralStorage asks for 10Ti",
    ),
    "weights": (
        {"model": {"name": "m", "source": {"persistentVolumeClaim": {"name": "nope"}}}},
        NO_CLAIM,
        "model.source.persistentVolumeClaim names nope",
    ),
    "a volume": (
        {
            "podTemplate": {
                "volumes": [{"name": "d", "mountPath": "/d", "persistentVolumeClaim": {"claimName": "nope"}}]
            }
        },
        NO_CLAIM,
        "podTemplate.volumes names nope",
    ),
}


@pytest.mark.parametrize(("spec", "said", "field"), FIELDS.values(), ids=FIELDS.keys())
def test_what_no_node_has_is_told_once_and_with_the_field_that_asks_for_it(spec, said, field):
    life = Life(**spec)
    message = condition(life.look(workload(1, available=0), without_node(message=said)), "Ready").message
    told = said.removesuffix(".").removesuffix(". not found")
    assert message == f"0 of 1 required replicas serve; {told}; {field}"
