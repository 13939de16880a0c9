"""What a canary means for the objects of a service: which are written, which are kept, which go."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from aifactory.api.engine import Engine
from aifactory.api.rollout import RolloutPhase
from aifactory.api.status import InferenceServiceStatus, ReplicasStatus
from aifactory.canary import Rollout, Split, Staged
from aifactory.decide import Plan
from aifactory.observed import Group, Pod
from aifactory.render.pod import pod_template
from aifactory.render.template import fingerprint, given
from aifactory.runtimes import RUNTIMES, roles
from aifactory.staging import spoken, whole

from tests.unit.canary.scene import SERVERS, World

P = RolloutPhase


def written(todo: Plan) -> set[str]:
    return {f"{child['kind']}/{child['metadata']['name']}" for child in todo.apply}


LLAMA = ("Deployment", "llama")
CANARY = {"Deployment/llama-canary", "NetworkPolicy/llama-canary", "PodMonitor/llama-canary"}


def test_a_first_creation_has_no_canary() -> None:
    world = World()
    assert world.rollout is None
    assert not any(name.endswith("-canary") for _, name in world.observed.children)
    assert world.do() == Plan()


def test_a_changed_template_is_given_to_the_canary_alone() -> None:
    world = World(args=["--seed=1"])
    world.edit(args=["--seed=2"])
    assert written(world.do()) == CANARY
    assert (world.argument("llama"), world.argument("llama-canary")) == ("--seed=1", "--seed=2")
    assert world.observed.children["Deployment", "llama-canary"]["spec"]["replicas"] == 1


def test_what_leads_to_the_stable_replicas_stays_while_a_canary_has_another_port() -> None:
    world = World()
    world.edit(port=9000)
    assert written(world.do()) == CANARY
    ports = {
        name: world.observed.children["NetworkPolicy", name]["spec"]["ingress"][0]["ports"][0]["port"]
        for name in ("llama", "llama-canary")
    }
    assert ports == {"llama": 8000, "llama-canary": 9000}


def test_tracks_are_told_apart_by_what_the_deployments_select_and_met_by_the_service() -> None:
    world = World()
    world.edit(args=["--seed=2"])
    world.do()
    children = world.observed.children
    selectors = [children["Deployment", name]["spec"]["selector"]["matchLabels"] for name in ("llama", "llama-canary")]
    pods = [
        children["Deployment", name]["spec"]["template"]["metadata"]["labels"] for name in ("llama", "llama-canary")
    ]
    for number, selector in enumerate(selectors):
        assert [selector.items() <= labels.items() for labels in pods] == [number == 0, number == 1]
    assert all(children["Service", "llama"]["spec"]["selector"].items() <= labels.items() for labels in pods)
    assert [labels["aifactory.dev/track"] for labels in pods] == ["stable", "canary"]


def test_one_stable_replica_goes_when_the_canary_serves_and_not_before() -> None:
    world = World()
    world.edit(args=["--seed=2"])
    world.do()
    world.serve(canary=False)
    assert world.do() == Plan()
    world.serve()
    assert world.do().replicas == {LLAMA: 3}
    world.serve()
    assert world.do() == Plan()


def test_more_replicas_are_shared_by_both() -> None:
    world = World()
    world.edit(args=["--seed=2"])
    for _ in range(3):
        world.do()
        world.serve()
    world.edit(args=["--seed=2"], replicas=8)
    assert world.do().replicas == {LLAMA: 6, ("Deployment", "llama-canary"): 2}


def test_a_change_that_is_none_of_the_pods_needs_no_canary() -> None:
    world = World()
    world.edit(replicas=5)
    assert world.do() == Plan(replicas={LLAMA: 5})


def test_a_canary_that_crashes_goes_at_once_and_nothing_of_it_is_left() -> None:
    world = World()
    world.edit(args=["--seed=2"])
    world.do()
    world.serve(canary=False)
    (pod,) = world.observed.canary.pods
    world.observed = replace(
        world.observed, canary=replace(world.observed.canary, pods=(replace(pod, restarts=2, last_exit="exit code 1"),))
    )
    todo = world.do()
    assert world.rollout is not None
    assert world.rollout.phase is P.ROLLED_BACK
    assert "pod llama-canary-0: container failed with exit code 1" in world.rollout.message
    assert {f"{child['kind']}/{child['metadata']['name']}" for child in todo.delete} == CANARY
    world.serve()
    assert world.do() == Plan(), "it is not tried again"
    assert world.argument("llama") != "--seed=2"


def test_a_canary_that_crashes_between_times_of_serving_is_found_out() -> None:
    world = World()
    world.edit(args=["--seed=2"])
    world.do()
    world.serve()
    (pod,) = world.observed.canary.pods
    crashed = replace(world.observed.canary, pods=(replace(pod, restarts=2, last_exit="exit code 1"),))
    world.observed = replace(world.observed, canary=crashed)
    staged = world.stage()
    assert staged.rollout is not None
    assert staged.rollout.phase is P.ROLLED_BACK


def test_pods_of_an_earlier_attempt_say_nothing_about_this_one() -> None:
    world = World()
    world.edit(args=["--seed=2"])
    world.do()
    world.serve(canary=False)
    (pod,) = world.observed.canary.pods
    failing = (replace(pod, restarts=5, waiting_reason="CrashLoopBackOff"),)
    world.edit(args=["--seed=3"])
    world.do()
    workload = replace(world.observed.canary.workload, generation=2, progress_deadline_exceeded=True)  # type: ignore[type-var]
    world.observed = replace(world.observed, canary=Group(workload, failing))
    staged = world.stage()
    assert staged.rollout is not None
    assert staged.rollout.phase is P.PROGRESSING
    assert world.argument("llama-canary") == "--seed=3"


def test_a_canary_that_its_node_cannot_start_is_taken_back() -> None:
    world = World()
    world.edit(args=["--seed=2"])
    world.do()
    world.serve(canary=False)
    group = world.observed.canary

    def waits(seconds: float, exceeded: bool = False) -> Rollout | None:
        """Nothing is taken back that may only need longer, as for a large volume, before a start has to be done."""
        pod = replace(group.pods[0], scheduled=True, unstarted_since=1000.0 - seconds)
        workload = group.workload and replace(group.workload, progress_deadline_exceeded=exceeded)
        world.observed = replace(world.observed, canary=replace(group, pods=(pod,), workload=workload))
        return world.stage().rollout

    assert (early := waits(600.0)) is not None
    assert early.phase is P.PROGRESSING
    assert (late := waits(601.0, exceeded=True)) is not None
    assert late.phase is P.ROLLED_BACK
    assert "kubectl describe pod" in late.message


NO_GPUS = "0/3 nodes are available: 3 Insufficient nvidia.com/gpu"
QUOTA = "exceeded quota: gpus"


def homeless(world: World, seconds: float) -> Rollout | None:
    """Where a canary goes whose pod has found no node for so long."""
    world.edit(args=["--seed=2"], accelerator={"count": 4})
    world.do()
    world.serve(canary=False)
    group = world.observed.canary
    waiting = replace(group.pods[0], unschedulable_since=world.now - seconds, unschedulable_message=NO_GPUS)
    world.observed = replace(world.observed, canary=replace(group, pods=(waiting,)))
    return world.stage().rollout


def test_a_canary_without_a_node_names_its_pod_and_the_gpus_that_it_asks_for() -> None:
    waits = homeless(World(), 2400.0)
    assert waits is not None
    asks = f"pod llama-canary-0: {NO_GPUS}; accelerator.count asks for 4 of one node"
    assert (waits.phase, waits.message) == (P.PROGRESSING, f"waits for a node: {asks}")


def test_a_canary_that_finds_no_node_in_the_time_of_a_start_is_taken_back() -> None:
    back = homeless(World(), 2401.0)
    assert back is not None
    assert back.phase is P.ROLLED_BACK
    assert back.message.startswith(f"pod llama-canary-0 found no node in 40m: {NO_GPUS}; accelerator.count asks for 4")


def test_a_canary_beyond_a_quota_waits_as_long_as_its_start_may_take() -> None:
    world = World()
    world.edit(args=["--seed=2"])
    world.do()
    world.serve(canary=False)
    full = replace(world.observed.canary.workload, replica_failure=QUOTA)  # type: ignore[type-var]
    world.observed = replace(world.observed, canary=Group(full))
    assert (waits := world.stage().rollout) is not None
    assert (waits.phase, waits.message) == (P.PROGRESSING, f"waits for a node: {QUOTA}")
    world.observed = replace(world.observed, canary=Group(replace(full, progress_deadline_exceeded=True)))
    assert (back := world.stage().rollout) is not None
    assert back.phase is P.ROLLED_BACK
    assert back.message.startswith(QUOTA)


def at_a_later_step(change: Callable[[Group], Group]) -> Rollout:
    """Where a canary goes of which two of four replicas are wanted and one serves, after a change of its group."""
    world = World()
    world.steps = ("25%", "50%")
    world.edit(args=["--seed=2"])
    world.do()
    world.serve()
    world.rollout = Rollout(P.PROGRESSING, world.rollout.template, step=1)  # type: ignore[union-attr]
    world.do()
    world.observed = replace(world.observed, canary=change(world.observed.canary))
    after = world.stage().rollout
    assert after is not None
    return after


def refused_for(seconds: float) -> Callable[[Group], Group]:
    """A quota admits no second pod."""
    failure = {"replica_failure": QUOTA, "refused_since": World.now - seconds}
    return lambda group: replace(group, workload=replace(group.workload, replicas=2, **failure))  # type: ignore[type-var]


def unstarted_for(seconds: float) -> Callable[[Group], Group]:
    """The node of the second pod cannot start it."""

    def second(group: Group) -> Group:
        pod = replace(group.pods[0], name="llama-canary-1", ready=False, scheduled=True)
        return replace(group, pods=(*group.pods, replace(pod, unstarted_since=World.now - seconds)))

    return second


@pytest.mark.parametrize(
    ("trouble", "waits", "says"),
    [
        (refused_for, f"waits for a node: {QUOTA}", f"{QUOTA}; check quotas"),
        (unstarted_for, "its replicas are starting", "pod llama-canary-1: its node cannot start its containers"),
    ],
    ids=["quota", "node"],
)
def test_a_later_step_waits_for_its_replicas_no_longer_than_the_first_one(
    trouble: Callable[[float], Callable[[Group], Group]], waits: str, says: str
) -> None:
    early, late = at_a_later_step(trouble(2400.0)), at_a_later_step(trouble(2401.0))
    assert (early.phase, early.step, early.message) == (P.PROGRESSING, 1, waits)
    assert (late.phase, late.message[: len(says)]) == (P.ROLLED_BACK, says)


def test_a_promotion_gives_the_template_to_all_and_then_the_canary_goes() -> None:
    world = World()
    world.edit(args=["--seed=2"])
    for _ in range(3):
        world.do()
        world.serve()
    world.rollout = replace(world.rollout, phase=P.PROMOTING)  # type: ignore[type-var]
    assert written(world.do()) == {"Deployment/llama"}
    assert world.argument("llama") == "--seed=2"
    for _ in range(4):
        world.serve()
        world.do()
    assert world.rollout is not None
    assert world.rollout.phase is P.PROMOTED
    assert world.do() == Plan()
    assert ("Deployment", "llama-canary") not in world.observed.children


def test_a_spec_that_changes_while_a_promoted_replica_finds_no_node_replaces_it_after_the_time_of_a_start() -> None:
    world = World()
    world.edit(args=["--seed=2"], replicas=1)
    for _ in range(3):
        world.do()
        world.serve()
    world.rollout = replace(world.rollout, phase=P.PROMOTING)  # type: ignore[type-var]
    for _ in range(2):
        world.do()
        world.serve()
    world.edit(args=["--seed=3"], replicas=1)

    def waits(seconds: float) -> tuple[str, str]:
        group = world.observed.group(SERVERS)
        pod = Pod("llama-0", 0.0, unschedulable_since=world.now - seconds, unschedulable_message=NO_GPUS)
        world.observed = replace(world.observed, groups={SERVERS: replace(group, pods=(pod,))})
        world.do()
        return world.argument("llama"), world.argument("llama-canary")

    assert waits(2400.0) == ("--seed=2", "--seed=2")
    assert waits(2401.0) == ("--seed=3", "--seed=2")


def test_a_spec_without_a_canary_is_rolled_out_at_once() -> None:
    world = World(canary=False)
    world.edit(args=["--seed=2"])
    assert written(world.do()) == {"Deployment/llama"}
    assert world.rollout is None


def test_a_lost_deployment_is_made_anew_and_the_canary_serves_until_then() -> None:
    world = World()
    world.edit(args=["--seed=2"])
    for _ in range(3):
        world.do()
        world.serve()
    del world.observed.children["Deployment", "llama"]
    world.serve()
    todo = world.do()
    assert written(todo) == {"Deployment/llama"}
    assert todo.delete == ()
    assert world.argument("llama") == "--seed=2"


@pytest.mark.parametrize("before", [None, Rollout(P.PROMOTED, "0123")], ids=["first", "later"])
@pytest.mark.parametrize("nodes", [1, 2])
def test_replicas_of_several_pods_have_no_canary_and_none_on_the_way_from_or_to_them(
    nodes: int, before: Rollout | None
) -> None:
    world = World(canary=nodes == 1)
    world.rollout = before
    world.edit(args=["--seed=2"], accelerator={"nodes": nodes, "count": 8})
    del world.observed.children["Deployment", "llama"]
    assert world.stage() == Staged(Split(4, 0))


def test_the_idlest_pods_of_a_canary_leave_first() -> None:
    world = World()
    world.edit(args=["--seed=2"], replicas=12)
    for _ in range(8):
        world.do()
        world.serve()
    assert [
        group.workload and group.workload.replicas for group in (world.observed.group(SERVERS), world.observed.canary)
    ] == [9, 3]
    busy = {"llama-canary-0": 5.0, "llama-canary-1": 0.0, "llama-canary-2": 3.0}
    todo = world.plan(Staged(Split(9, 2), world.rollout, exists=True), **busy)
    assert list(todo.deletion_costs) == ["llama-canary-1"]


def test_a_fingerprint_is_the_same_on_both_tracks_and_another_for_another_template() -> None:
    world = World()
    world.edit(args=["--seed=2"])
    world.do()
    (role,) = roles(world.service)
    live = world.observed.children["Deployment", "llama-canary"]
    assert given(live) == fingerprint(pod_template(role)) != given(world.observed.children["Deployment", "llama"])


def test_scaling_sees_both_tracks_as_the_replicas_that_were_wanted() -> None:
    world = World()
    world.edit(args=["--seed=2"])
    world.do()
    world.serve()
    before = InferenceServiceStatus(replicas=ReplicasStatus(desired=4))
    group = whole(SERVERS, world.observed, before)
    assert group.workload is not None
    assert (group.workload.replicas, len(group.pods), group.workload.available) == (4, 5, 5)


def test_replicas_that_were_added_to_both_tracks_count_for_an_operator_that_begins_before_a_status_tells_of_them() -> (
    None
):
    world, before = World(), InferenceServiceStatus(replicas=ReplicasStatus(desired=4))
    world.edit(args=["--seed=2"])
    world.do()
    world.serve()
    world.edit(args=["--seed=2"], replicas=8)
    assert world.do().both == {"llama-canary": 8}
    world.serve()
    workload = whole(SERVERS, world.observed, before).workload
    assert workload is not None
    assert workload.replicas == 8
    world.edit(args=["--seed=3"], replicas=8)
    world.do()
    assert world.do().both == {}, "another template does not forget it"


def test_stable_replicas_of_another_engine_are_understood() -> None:
    world = World()
    (role,) = roles(world.service)
    assert spoken(role, world.observed) == role.dialects
    world.edit(engine="sglang")
    world.do()
    world.serve()
    (role,) = roles(world.service)
    assert set(spoken(role, world.observed)) == {*role.dialects, *RUNTIMES[Engine.VLLM].dialects}
