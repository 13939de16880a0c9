"""Trouble in the cluster: pods that are not scraped, crash, hang, load for too long, or find no GPU."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from aifactory.autoscale.decision import DecisionReason
from aifactory.observed import Group
from aifactory.simulate.engine.batching import Timing
from aifactory.simulate.trace import Request
from aifactory.simulate.world import World

from tests.robustness.loads import MINUTE, steady, steps
from tests.robustness.loop import CASES, IDLE, PEAK, RAMP, Watched, run

Happening = Callable[[World, float], None]
STUCK = Timing(base=1e12, per_decode=0.0, per_prefill_token=0.0, per_kv_token=0.0)


def hide(world: World, now: float) -> None:
    """Prometheus finds the oldest pod no more."""
    next(iter(world.deployment.pods.values())).scraped = False


def find(world: World, now: float) -> None:
    for pod in world.deployment.pods.values():
        pod.scraped = True


@pytest.mark.parametrize("case", CASES)
def test_rule_03_with_a_pod_that_is_not_scraped_nothing_is_removed(case: str) -> None:
    one = CASES[case]
    ends = one.begins + 6 * MINUTE
    found = run(one.load, replicas=one.replicas, events=[(one.begins, hide), (ends, find)])
    assert found.removed(one.begins + 30, ends) == 0
    assert found.conditions(ends - 15)["MetricsAvailable"] == ("False", "PodsNotScraped")
    assert found.conditions(ends + 2 * MINUTE)["MetricsAvailable"][0] == "True"
    assert found.attainment() >= one.usual.attainment() - 0.02
    assert found.returns() <= one.usual.returns()


def test_rule_03_half_of_the_pods_that_are_not_scraped_teach_nothing_about_the_others() -> None:
    """Their tokens are missing, while requests take as long as before: it looks as if a replica carried twice as much.

    Nothing falls below what is there when they have come back, either.
    """
    begins, ends = 20 * MINUTE, 30 * MINUTE

    def hide_half(world: World, now: float) -> None:
        pods = list(world.deployment.pods.values())
        for pod in pods[: len(pods) // 2]:
            pod.scraped = False

    load = steady(6.3, 45)
    found = run(load, replicas=9, events=[(begins, hide_half), (ends, find)], startup=5 * MINUTE, behavior={})
    assert found.removed(begins) <= 1
    assert found.attainment(begins) >= 0.999


def test_rule_02_no_requests_are_no_idleness_while_a_pod_is_not_scraped() -> None:
    """What the hidden pod does is not known, though all others have nothing to do."""
    ends = 15 * MINUTE
    found = run([Request(30 * MINUTE, 128, 64)], replicas=4, events=[(2 * MINUTE, hide), (ends, find)])
    assert found.removed(end=ends) == 0
    assert DecisionReason.IDLE not in found.reasons(3 * MINUTE, ends)
    assert found.replicas(29 * MINUTE) <= 2


def test_rule_03_without_one_pods_samples_it_still_scales_up() -> None:
    found = run(RAMP.load, replicas=RAMP.replicas, events=[(RAMP.begins, hide)])
    assert found.added(RAMP.begins) >= 2
    assert found.attainment() >= 0.95
    assert found.removed(RAMP.begins + 30) == 0


def crash(world: World, now: float) -> None:
    """The container of the oldest pod that serves ends."""
    world.crash(world.deployment.serving[0].name, now)


@pytest.mark.parametrize("case", ["peak", "idle"])
def test_a_pod_that_crashes_and_comes_back_with_its_counters_at_zero(case: str) -> None:
    one = CASES[case]
    found = run(one.load, replicas=one.replicas, events=[(one.begins, crash)])
    assert found.removed(one.begins, one.begins + 75) == 0
    assert found.added() <= one.usual.added() + 1
    assert found.attainment() >= one.usual.attainment() - 0.03
    assert found.returns() <= 1


def test_a_pod_that_crashes_again_and_again_neither_churns_nor_empties_the_service() -> None:
    crashes = [(at * 2 * MINUTE, crash) for at in range(2, 9)]
    found = run(PEAK.load, replicas=PEAK.replicas, events=crashes)
    assert found.removed(4 * MINUTE, 17 * MINUTE) == 0
    assert len(found.actions()) <= len(PEAK.usual.actions()) + 4


def test_a_pod_that_loads_again_after_days_is_loading_and_not_overdue() -> None:
    """The startup timeout counts from the start of its container, not from the creation of the pod."""
    crashes = [(20 * MINUTE, crash)]
    found = run(steady(0.25, 30), replicas=2, minReplicas=2, startup=240.0, startup_timeout="10m", events=crashes)
    assert {tick.ready for tick in found.within(20.5 * MINUTE, 23 * MINUTE)} == {1}
    assert all(tick.decision.overdue_pods == 0 for tick in found.ticks)


def test_rule_07_pods_that_load_for_too_long_are_reported_kept_and_not_counted_on() -> None:
    """Nothing that is ordered ever gets ready."""
    found = run(steps((3, 0.5), (17, 1.25)), replicas=1, startup=3600.0, startup_timeout="5m", maxReplicas=6)
    first = next(time for time, before, after in found.actions() if after > before)
    assert max(tick.decision.overdue_pods for tick in found.within(first + 6 * MINUTE)) >= 1
    assert all(tick.decision.overdue_pods == 0 for tick in found.within(end=first + 4 * MINUTE))
    assert found.removed() == 0
    assert len(found.actions()) <= 5


def stick(world: World, now: float) -> None:
    """Pods that load never get done, as on a node whose disk is broken."""
    for pod in world.deployment.pods.values():
        if not pod.ready:
            pod.began_at = now


def test_rule_07_replicas_that_do_not_start_in_time_are_replaced_by_others() -> None:
    sticking = [(float(at), stick) for at in range(180, 420, 5)]
    found = run(steps((3, 0.5), (21, 2.0)), replicas=1, startup_timeout="5m", events=sticking)
    assert found.removed(end=15 * MINUTE) == 0
    assert found.attainment(19 * MINUTE) >= 0.95


def room(pods: int) -> Happening:
    """Nodes have GPUs for so many pods from now on."""

    def happen(world: World, now: float) -> None:
        world.deployment.room = pods
        world.place(now)

    return happen


SHORT = steps((4, 0.5), (20, 3.0))


def test_a_pod_that_waited_long_for_a_node_is_loading_and_not_overdue() -> None:
    """The startup timeout counts from when a node takes it."""
    free = (16 * MINUTE, room(10))
    found = run(SHORT, replicas=1, startup=240.0, startup_timeout="5m", events=[(0.0, room(1)), free])
    assert all(tick.decision.overdue_pods == 0 for tick in found.ticks)


def test_rule_06_when_gpus_run_out_it_asks_for_one_more_at_most_says_so_and_waits() -> None:
    found = run(SHORT, replicas=1, events=[(0.0, room(1))], maxReplicas=40)
    seen = 8 * MINUTE
    assert found.actions(seen) == []
    assert found.removed() == 0
    assert all(tick.decision.gpu_shortage for tick in found.within(seen))
    assert DecisionReason.GPU_SHORTAGE in found.reasons(seen)
    assert found.conditions(seen)["GPUShortage"] == ("True", "InsufficientGPUs")


def test_rule_06_gpus_that_become_free_are_used_and_the_shortage_is_over() -> None:
    found = run(SHORT, replicas=1, events=[(0.0, room(1)), (12 * MINUTE, room(40))], maxReplicas=40)
    assert found.removed(end=16 * MINUTE) == 0
    assert found.attainment(18 * MINUTE) >= 0.95
    assert "GPUShortage" not in found.conditions(20 * MINUTE)


def test_rule_06_pods_without_a_node_stay_when_the_metrics_go() -> None:
    def silence(world: World, now: float) -> None:
        world.prometheus.paused = True

    found = run(SHORT, replicas=1, events=[(0.0, room(2)), (9 * MINUTE, silence)], maxReplicas=10)
    assert found.actions(9 * MINUTE) == []


def test_rule_06_a_shortage_does_not_keep_replicas_that_nobody_needs_any_more() -> None:
    found = run(steps((4, 0.5), (6, 3.0), (82, 0.15)), replicas=1, events=[(0.0, room(2))], maxReplicas=10)
    assert found.replicas(91 * MINUTE) <= 2
    assert "GPUShortage" not in found.conditions(91 * MINUTE)
    assert found.returns() == 0


def test_rule_12_a_minimum_that_no_node_has_room_for_is_a_condition_and_stays_asked_for() -> None:
    found = run(steady(0.25, 12), replicas=3, minReplicas=3, events=[(0.0, room(2)), (1.0, lose_a_node)])
    assert {tick.decision.to for tick in found.ticks} == {3}
    assert found.conditions(8 * MINUTE)["GPUShortage"] == ("True", "InsufficientGPUs")


def lose_a_node(world: World, now: float) -> None:
    """A node goes away with its pod, which waits for another one."""
    world.resize(2, now)
    world.resize(3, now)


def hang(world: World, now: float, engines: int = 100) -> None:
    """Engines stop computing; their pods stay ready."""
    for pod in world.deployment.serving[:engines]:
        pod.replica.run(now)
        pod.replica.timing = STUCK


def hanging(begin: float, end: float) -> list[tuple[float, Happening]]:
    """Every engine that serves in this time (seconds)."""
    return [(float(at), hang) for at in range(int(begin), int(end), 5)]


def restart(world: World, now: float) -> None:
    """The liveness probe has enough of it."""
    for pod in list(world.deployment.serving):
        world.crash(pod.name, now)


@pytest.mark.parametrize(("rate", "replicas"), [(1.0, 2), (0.5, 1)])
def test_rule_08_engines_that_hang_get_one_more_replica_at_most_and_keep_those_they_have(
    rate: float, replicas: int
) -> None:
    """That no token comes out is seen once the window of rates has passed; until then it looks like any queue."""
    begins = 6 * MINUTE
    found = run(steady(rate, 16), replicas=replicas, events=hanging(begins, 16 * MINUTE))
    seen = begins + 1.5 * MINUTE
    assert found.most(begins, seen) <= 6
    assert found.added(seen) <= 1
    assert found.removed(begins) == 0
    assert found.conditions(begins + 4 * MINUTE)["EngineStalled"] == ("True", "NoTokens")


def hang_one(world: World, now: float) -> None:
    hang(world, now, 1)


def test_one_engine_of_many_that_hangs_does_not_double_the_replicas() -> None:
    found = run(steady(2.5, 14), replicas=5, events=[(8 * MINUTE, hang_one)])
    assert found.added(8 * MINUTE) <= 2
    assert found.conditions(12 * MINUTE)["EngineStalled"] == ("True", "PodsStuck")
    assert "chat-00001" in found.world.deployment.pods
    assert {pod for tick in found.within(11 * MINUTE) for pod in tick.decision.stuck_pods} == {"chat-00001"}


def test_an_engine_that_hangs_does_not_keep_the_replicas_of_a_peak_and_is_the_first_to_leave() -> None:
    found = run(steps((12, 2.5), (30, 0.5)), replicas=5, events=[(8 * MINUTE, hang_one)])
    assert found.removed(8 * MINUTE, 12 * MINUTE) == 0
    assert found.replicas(40 * MINUTE) <= 2
    assert "chat-00001" not in found.world.deployment.pods
    assert "EngineStalled" not in found.conditions(40 * MINUTE)
    assert found.returns() == 0


def test_an_engine_that_hangs_at_night_costs_no_replica_after_replica() -> None:
    """Between two requests no token comes out of the others either."""
    found = run(steady(0.02, 60), replicas=2, minReplicas=2, events=[(8 * MINUTE, hang_one)])
    assert found.added() <= 1


def test_an_engine_that_hangs_and_is_restarted_is_counted_on_again() -> None:
    events = [(8 * MINUTE, hang_one), (13 * MINUTE, crash)]
    found = run(steady(2.5, 24), replicas=5, events=events)
    assert "EngineStalled" not in found.conditions(18 * MINUTE)
    assert found.attainment(18 * MINUTE) >= 0.95


def test_rule_08_engines_that_were_restarted_are_stalled_no_more() -> None:
    events = [*hanging(6 * MINUTE, 9 * MINUTE), (9 * MINUTE, restart)]
    found = run(steady(1.0, 20), replicas=2, events=events)
    assert "EngineStalled" not in found.conditions(14 * MINUTE)
    assert found.attainment(15 * MINUTE) >= 0.95
    assert found.returns() <= 1


def test_no_replica_leaves_while_a_rollout_is_on_its_way() -> None:
    begins, ends = IDLE.begins, IDLE.begins + 10 * MINUTE

    def rolling(group: Group, now: float) -> Group:
        if group.workload is None or not begins <= now < ends:
            return group
        return replace(group, workload=replace(group.workload, updated=group.workload.replicas - 1))

    def prepare(operator: Watched) -> None:
        operator.group = rolling

    found = run(IDLE.load, replicas=4, operator=prepare)
    assert found.removed(begins, ends) == 0
    assert DecisionReason.ROLLOUT_IN_PROGRESS in found.reasons(begins, ends)
    assert found.replicas(ends + 10 * MINUTE) <= 2


def to(replicas: int) -> Happening:
    """Somebody else changes the replicas of the Deployment."""
    return lambda world, now: world.resize(replicas, now)


@pytest.mark.parametrize(("case", "replicas"), [("idle", 8), ("peak", 8), ("mid-ramp", 9)])
def test_rule_11_more_replicas_of_somebody_else_are_adopted_for_a_whole_window(case: str, replicas: int) -> None:
    one = CASES[case]
    found = run(one.load, replicas=one.replicas, events=[(one.begins + 1, to(replicas))])
    assert found.removed(one.begins, one.begins + 5 * MINUTE) == 0
    assert DecisionReason.ADOPTED_REPLICAS in found.reasons(one.begins, one.begins + MINUTE)
    assert found.returns() == 0


def test_rule_11_fewer_replicas_of_somebody_else_are_put_right_by_the_load_alone() -> None:
    found = run(PEAK.load, replicas=PEAK.replicas, events=[(PEAK.begins + 1, to(1))])
    assert found.removed(PEAK.begins, PEAK.begins + 6 * MINUTE) == 0
    assert found.attainment(PEAK.begins + 6 * MINUTE) >= 0.97
    assert len(found.actions(PEAK.begins, PEAK.begins + 6 * MINUTE)) <= 8


@pytest.mark.parametrize(("outside", "bounded"), [(14, 8), (0, 2)])
def test_bounds_are_put_right_at_once_whoever_left_them(outside: int, bounded: int) -> None:
    found = run(steady(1.0, 8), replicas=3, events=[(300.5, to(outside))], minReplicas=2, maxReplicas=8)
    assert found.replicas(330.0) == bounded
    assert DecisionReason.BOUNDS_CHANGED in found.reasons(300, 330)


def test_a_scrape_interval_of_a_minute_works_with_a_window_of_four() -> None:
    found = run(steps((8, 0.5), (14, 2.6), (82, 0.25)), replicas=1, scrape=60.0, window=240)
    assert found.attainment(15 * MINUTE) >= 0.95
    assert found.replicas(103 * MINUTE) <= 3
    assert found.returns() == 0


def test_a_scrape_interval_as_long_as_the_window_holds_and_says_so() -> None:
    found = run(IDLE.load, replicas=4, scrape=60.0)
    assert found.removed() == 0
    assert found.conditions(10 * MINUTE)["MetricsAvailable"][0] == "False"
