"""One test per fail-safe rule of the control law."""

import math
from dataclasses import replace
from datetime import timedelta

import pytest
from aifactory.api.scaling import ScalingFallback
from aifactory.autoscale.decision import Answer, Cause, DecisionReason
from aifactory.autoscale.fleet import Fleet
from aifactory.autoscale.law import decide_replicas
from aifactory.autoscale.memory import Memory
from aifactory.observed import Group, Pod, Workload
from aifactory.signals.histogram import Histogram
from aifactory.signals.objectives import Signal
from aifactory.signals.readings import ObjectiveReading, Reading, ServiceReadings, State

from tests.unit.autoscale.service import SCALING, TTFT, Service, Watch, readings, run, spec, steady

QUIET = {"ttft": 0.02, "waiting": 0.0, "running": 1.0, "kv": 0.01, "completed": 0.5}
BUSY = {"ttft": 0.9, "waiting": 30.0, "running": 100.0, "kv": 0.5}
IDLE = replace(
    readings(pods=3, waiting=0.0, running=0.0, kv=0.0, completed=0.0, tokens=0.0, prompts=0.0),
    objectives=(ObjectiveReading(TTFT, Reading(None, State.IDLE)),),
)


def with_state(state: State) -> ServiceReadings:
    """Every signal is in this state."""
    gone = Reading(None, state)
    return ServiceReadings(
        0.0, 60.0, (ObjectiveReading(TTFT, gone),), gone, gone, gone, gone, gone, gone, gone, gone, {}, "down"
    )


@pytest.mark.parametrize("state", [State.ERROR, State.STALE, State.MISSING])
def test_rule_01_without_signals_replicas_hold(state: State) -> None:
    watch = Watch(steady(4))
    watch.see(readings(pods=4, **QUIET), 240)
    decision = watch.see(with_state(state), 1800)
    assert decision.to == 4
    assert decision.reason in (DecisionReason.METRICS_ERROR, DecisionReason.NO_DATA)


def test_rule_01_without_a_snapshot_replicas_hold() -> None:
    assert Watch(steady(4)).see(None, 1800).to == 4


def test_rule_01_a_snapshot_older_than_the_window_is_no_signal() -> None:
    decision, _ = decide_replicas(SCALING, (TTFT,), steady(2), readings(pods=2, now=0.0, **BUSY), Memory(), 61.0)
    assert (decision.to, decision.reason) == (2, DecisionReason.METRICS_ERROR)


@pytest.mark.parametrize(("replicas", "bounded"), [(0, 2), (1, 2), (12, 10)])
def test_rule_01_bounds_hold_without_signals(replicas: int, bounded: int) -> None:
    decision = Watch(steady(replicas), spec(min_replicas=2, max_replicas=10)).see(None)
    assert (decision.to, decision.reason) == (bounded, DecisionReason.BOUNDS_CHANGED)


@pytest.mark.parametrize(("replicas", "expected"), [(2, 5), (7, 7)])
def test_rule_01_the_fallback_only_raises_and_only_after_its_time(replicas: int, expected: int) -> None:
    fallback = ScalingFallback(replicas=5, after=timedelta(minutes=10))
    watch = Watch(steady(replicas), spec(max_replicas=10, fallback=fallback))
    watch.see(readings(pods=replicas))
    assert watch.see(with_state(State.ERROR), 570).to == replicas
    assert watch.see(with_state(State.ERROR), 60).to == expected


def test_rule_01_the_fallback_does_not_wait_for_what_the_engine_never_reports() -> None:
    watch = Watch(steady(2), spec(max_replicas=10, fallback=ScalingFallback(replicas=5, after=timedelta(minutes=10))))
    never = Reading(None, State.UNSUPPORTED)
    watch.see(replace(readings(pods=2), kv_cache_usage=never))
    assert watch.see(replace(with_state(State.ERROR), kv_cache_usage=never), 630).to == 5


def test_rule_01_the_fallback_stays_below_a_maximum_that_a_schedule_or_a_budget_sets() -> None:
    given = spec(max_replicas=10, fallback=ScalingFallback(replicas=5, after=timedelta(minutes=10)))
    watch = Watch(steady(2), given.model_copy(update={"max_replicas": 4}))
    watch.see(readings(pods=2))
    decision = watch.see(with_state(State.ERROR), 630)
    assert (decision.to, decision.limited_by) == (4, DecisionReason.AT_MAXIMUM)


def test_rule_02_idle_latency_lets_replicas_go_one_at_a_time() -> None:
    watch = Watch(steady(3))
    decision = watch.see(IDLE, 600)
    assert (decision.to, decision.reason) == (2, DecisionReason.IDLE)


def test_rule_02_idle_replicas_go_although_no_load_explained_why_they_were_slow() -> None:
    watch = Watch(steady(3))
    for load in (300.0, 600.0) * 40:
        watch.see(readings(pods=3, ttft=0.6 - load / 10_000, running=24.0, tokens=load / 3, prompts=load * 2 / 3))
    assert watch.see(IDLE).to <= 3
    assert watch.see(IDLE, 600).to == 2


def test_rule_03_with_an_unscraped_pod_only_up() -> None:
    watch = Watch(steady(3))
    decision = watch.see(readings(pods=2, **QUIET), 1800)
    assert (decision.to, decision.reason) == (3, DecisionReason.PODS_NOT_SCRAPED)
    assert watch.see(readings(pods=2, **BUSY), 60).to > 3


def test_rule_04_with_a_missing_signal_the_others_only_scale_up() -> None:
    watch = Watch(steady(3))
    decision = watch.see(readings(pods=3, **{**QUIET, "kv": None}), 1800)
    assert (decision.to, decision.reason) == (3, DecisionReason.NO_DATA)
    assert watch.see(readings(pods=3, **{**BUSY, "kv": None}), 60).to > 3


@pytest.mark.parametrize("counter", ["prompt_tokens", "generation_tokens"])
def test_rule_04_without_tokens_nobody_knows_what_replicas_that_leave_would_have_to_carry(counter: str) -> None:
    service = Service(learns=True, base=0.02)
    run(service, spec(max_replicas=20), (3600, 20.0))
    watch = Watch(service.fleet(service.now), spec(max_replicas=20))
    watch.memory, watch.now = service.memory, service.now
    seen = service.serve(20.0, service.now, 15.0)
    decision = watch.see(replace(seen, **{counter: Reading(None, State.ERROR)}), 1800)
    assert (decision.to, decision.reason) == (watch.fleet.replicas, DecisionReason.METRICS_ERROR)


def test_rule_05_no_scale_down_in_the_first_window() -> None:
    watch = Watch(steady(3))
    decision = watch.see(readings(pods=3, **QUIET), 300)
    assert (decision.to, decision.reason) == (3, DecisionReason.STARTUP_WINDOW)
    assert watch.see(readings(pods=3, **QUIET), 30).to == 2


def test_rule_05_a_changed_spec_begins_a_new_window() -> None:
    watch = Watch(steady(3))
    watch.see(readings(pods=3, **QUIET), 300)
    watch.scaling = spec(min_replicas=1, max_replicas=9)
    assert watch.see(readings(pods=3, **QUIET), 300).reason is DecisionReason.STARTUP_WINDOW


def test_rule_05_an_outage_begins_a_new_window() -> None:
    watch = Watch(steady(3))
    watch.see(readings(pods=3, **QUIET), 300)
    watch.see(with_state(State.ERROR), 90)
    assert watch.see(readings(pods=3, **QUIET), 300).reason is DecisionReason.STARTUP_WINDOW


def test_rule_05_pods_that_were_not_scraped_begin_a_new_window() -> None:
    watch = Watch(steady(3))
    watch.see(readings(pods=3, **QUIET), 300)
    watch.see(readings(pods=2, **QUIET), 90)
    assert watch.see(readings(pods=3, **QUIET), 300).reason is DecisionReason.STARTUP_WINDOW


@pytest.mark.parametrize("seconds", [75, 600, 3600, -30, -240])
def test_rule_05_time_in_which_nobody_decided_or_that_the_clock_made_up_begins_a_new_window(seconds: float) -> None:
    """Another process led meanwhile, or the service was paused: what happened then was not watched."""
    watch = Watch(steady(3))
    watch.see(readings(pods=3, **QUIET), 270)
    watch.now += seconds
    decision = watch.see(readings(pods=3, **QUIET), 300)
    assert (decision.to, decision.reason) == (3, DecisionReason.STARTUP_WINDOW)
    assert watch.see(readings(pods=3, **QUIET), 30).to == 2


def test_rule_05_ticks_that_always_are_minutes_apart_are_no_gaps() -> None:
    watch = Watch(steady(3))
    for _ in range(6):
        watch.now += 135
        decision = watch.see(readings(pods=3, **QUIET))
    assert decision.to == 2


def test_rule_06_a_pod_has_to_wait_for_a_while_before_it_is_a_shortage() -> None:
    watch = Watch(Fleet(5, 4, unschedulable=1, unschedulable_since=0.0))
    soon, later = watch.see(readings(pods=4, **BUSY), 105), watch.see(readings(pods=4, **BUSY))
    assert (soon.gpu_shortage, later.gpu_shortage) == (False, True)
    assert soon.to > later.to == 5


def test_rule_06_a_pod_that_has_just_begun_to_wait_for_a_node_is_not_given_up() -> None:
    watch = Watch(Fleet(5, 4, unschedulable=1, unschedulable_since=1740.0))
    decision = watch.see(readings(pods=4, **QUIET), 1800)
    assert (decision.to, decision.reason) == (5, DecisionReason.SCALING_IN_PROGRESS)


def test_rule_06_pending_replicas_count_as_capacity() -> None:
    moderately_busy = readings(pods=2, ttft=0.5)
    assert Watch(steady(2)).see(moderately_busy).to > 2
    assert Watch(Fleet(4, 2, loading=2)).see(moderately_busy).to == 4


def test_rule_06_gpu_shortage_stops_asking_and_goes_on_when_it_clears() -> None:
    short = Fleet(5, 4, unschedulable=1, unschedulable_since=0.0)
    watch = Watch(short)
    watch.see(readings(pods=4, **BUSY), 120)
    decision = watch.see(readings(pods=4, **BUSY), 1800)
    assert (decision.to, decision.gpu_shortage, decision.limited_by) == (5, True, DecisionReason.GPU_SHORTAGE)
    watch.fleet = steady(5)
    assert watch.see(readings(pods=5, **BUSY), 15).to == 6  # one more, to see whether a node takes it
    assert watch.see(readings(pods=5, **BUSY), 600).to > 6


def test_rule_06_pending_pods_stay_when_metrics_are_quiet() -> None:
    watch = Watch(Fleet(6, 4, unschedulable=2, unschedulable_since=0.0))
    watch.see(readings(pods=4, **BUSY), 300)
    for seen in (readings(pods=4, **QUIET), with_state(State.MISSING), readings(pods=4, **QUIET)):
        assert watch.see(seen, 240).to == 6


def refused(replicas: int, admitted: int) -> Fleet:
    """A quota admits fewer pods than are wanted; the API server's numbers then are those of a rollout."""
    workload = Workload(replicas, total=admitted, updated=admitted, replica_failure="exceeded quota: gpus")
    pods = tuple(Pod(f"pod-{index}", 0.0, ready=True) for index in range(admitted))
    return Fleet.of(Group(workload, pods), timedelta(minutes=30), 1000.0)


def test_rule_06_no_more_are_asked_for_than_a_quota_admits() -> None:
    decision = Watch(refused(5, 3)).see(readings(pods=3, **BUSY), 600)
    assert (decision.to, decision.limited_by) == (5, DecisionReason.PODS_NOT_STARTING)


def test_rule_06_a_quota_does_not_hold_replicas_that_nobody_needs() -> None:
    assert Watch(refused(5, 3)).see(readings(pods=3, **QUIET), 600).to == 4


def test_rule_06_a_shortage_does_not_hold_replicas_that_nobody_needs() -> None:
    watch = Watch(Fleet(5, 4, unschedulable=1, unschedulable_since=0.0))
    assert watch.see(readings(pods=4, **QUIET), 600).to == 4


def test_rule_06_no_scale_down_while_pods_are_loading() -> None:
    decision = Watch(Fleet(5, 4, loading=1)).see(readings(pods=4, **QUIET), 1800)
    assert (decision.to, decision.reason) == (5, DecisionReason.SCALING_IN_PROGRESS)


def test_rule_07_a_pod_that_does_not_start_in_time_is_not_counted_on() -> None:
    pods = (Pod("a", 0.0, ready=True), Pod("b", 0.0), Pod("c", 500.0))
    fleet = Fleet.of(Group(Workload(3), pods), timedelta(minutes=5), now=600.0)
    assert (fleet.ready, fleet.loading, fleet.overdue) == (1, 1, 1)
    waiting_for_one = Watch(Fleet(2, 1, loading=1)).see(readings(ttft=0.5))
    given_up = Watch(Fleet(2, 1, overdue=1)).see(readings(ttft=0.5))
    assert (waiting_for_one.to, waiting_for_one.overdue_pods) == (2, 0)
    assert given_up.to > 2
    assert given_up.overdue_pods == 1


def test_rule_07_the_time_to_start_counts_from_the_node() -> None:
    waited_for_a_node = Pod("a", 0.0, scheduled_at=500.0)
    fleet = Fleet.of(Group(Workload(1), (waited_for_a_node,)), timedelta(minutes=5), now=600.0)
    assert (fleet.loading, fleet.overdue) == (1, 0)


def test_rule_08_a_pod_that_may_be_stuck_keeps_the_others_until_it_is_certain() -> None:
    watch = Watch(steady(3))
    assert watch.see(readings(pods=3, **QUIET), 600).to == 2
    decision = watch.see(replace(readings(pods=3, **QUIET), silent=frozenset({"pod-0"})), 45)
    assert (decision.to, decision.reason, decision.stuck_pods) == (3, DecisionReason.ENGINE_STALLED, ())


def broken_node(minutes: float) -> Fleet:
    """Of four replicas one was lost long ago, and neither does its successor start nor, 31 minutes later, another."""
    serving = tuple(Pod(f"pod-{index}", 0.0, ready=True) for index in range(3))
    lost = tuple(Pod(f"lost-{at}", 60.0 * at) for at in (100, 131) if at < minutes)
    workload = Workload(len(serving + lost), total=len(serving + lost), updated=len(serving + lost))
    return Fleet.of(Group(workload, serving + lost), timedelta(minutes=30), 60.0 * minutes)


def test_rule_07_what_does_not_start_is_stood_in_for_but_not_again_if_that_does_not_start_either() -> None:
    busy = readings(pods=3, ttft=0.53)
    assert Watch(broken_node(131)).see(busy, 600).to > 4
    futile = Watch(broken_node(162)).see(busy, 600)
    assert (futile.to, futile.limited_by) == (5, DecisionReason.PODS_NOT_STARTING)


def never_ready(minutes: float, *created: float) -> Fleet:
    """Replicas that were created at these minutes, and of which none serves."""
    pods = tuple(Pod(f"pod-{at}", 60.0 * at) for at in created)
    workload = Workload(len(pods), total=len(pods), updated=len(pods))
    return Fleet.of(Group(workload, pods), timedelta(minutes=30), 60.0 * minutes)


def test_rule_07_one_stands_in_for_the_only_replica_where_such_have_started_before() -> None:
    watch = Watch(steady(1, starts={"pod-0": 90.0}))
    watch.see(readings(), 300)
    watch.fleet = never_ready(131, 100)
    decision = watch.see(None)
    assert (decision.to, decision.answer) == (2, Answer(2, Cause.STAND_IN))
    watch.fleet = never_ready(140, 100, 131)
    assert watch.see(None, 600).to == 2
    watch.fleet = never_ready(162, 100, 131)
    futile = watch.see(None, 600)
    assert (futile.to, futile.reason) == (2, DecisionReason.PODS_NOT_STARTING)


def test_rule_07_nothing_stands_in_for_what_has_never_started_yet() -> None:
    """A wrong argument or image is as wrong in another replica."""
    decision = Watch(never_ready(131, 100)).see(None, 600)
    assert (decision.to, decision.reason, decision.overdue_pods) == (1, DecisionReason.NO_REPLICA_READY, 1)


@pytest.mark.parametrize(("minutes", "loading", "overdue"), [(20, 1, 0), (40, 0, 1)])
def test_rule_07_a_container_that_ends_again_and_again_does_not_begin_a_new_start_each_time(
    minutes: float, loading: int, overdue: int
) -> None:
    """The time to start counts from when it last served, or from its node."""
    now = 60.0 * minutes
    crashing = Pod("pod-1", 0.0, scheduled_at=0.0, restarts=4, began_at=now - 20, unready_since=5.0)
    fleet = Fleet.of(Group(Workload(1, total=1, updated=1), (crashing,)), timedelta(minutes=30), now)
    assert (fleet.loading, fleet.overdue) == (loading, overdue)


@pytest.mark.parametrize(("seconds", "loading", "overdue"), [(10.0, 1, 0), (90.0, 0, 1)])
def test_rule_07_a_pod_that_is_not_ready_for_a_moment_needs_no_other_in_its_place(
    seconds: float, loading: int, overdue: int
) -> None:
    """One on a node that was lost does."""
    old = Pod("pod-1", 0.0, scheduled_at=0.0, began_at=10.0, unready_since=10_000.0 - seconds)
    fleet = Fleet.of(Group(Workload(1, total=1, updated=1), (old,)), timedelta(minutes=30), 10_000.0)
    assert (fleet.loading, fleet.overdue) == (loading, overdue)


def test_rule_08_a_stalled_engine_gets_one_more_replica_and_a_flag() -> None:
    stalled = readings(pods=2, ttft=None, waiting=80.0, running=50.0, completed=0.0, tokens=0.0)
    watch = Watch(steady(2))
    first = watch.see(stalled)
    assert (first.to, first.engine_stalled) == (3, False)
    watch.fleet = steady(3)
    later = watch.see(stalled, 600)
    assert (later.to, later.engine_stalled, later.reason) == (3, True, DecisionReason.ENGINE_STALLED)
    assert not watch.see(readings(pods=3)).engine_stalled


def test_rule_08_an_engine_that_counts_tokens_when_requests_end_is_not_stalled_by_long_answers() -> None:
    long_answers = readings(pods=2, ttft=None, waiting=80.0, running=50.0, completed=0.0, tokens=0.0)
    watch = Watch(steady(2))
    assert not watch.see(replace(long_answers, live_tokens=False), 600).engine_stalled


def test_rule_08_a_stalled_engine_keeps_its_replicas() -> None:
    decision = Watch(steady(3)).see(readings(pods=3, **{**QUIET, "waiting": 1.0, "tokens": 0.0}), 1800)
    assert (decision.to, decision.reason) == (3, DecisionReason.ENGINE_STALLED)


def test_rule_08_engines_that_hang_before_a_request_waits_keep_their_replicas() -> None:
    """Their gauges stand still, too. One moment without a request, seen after that, is no idleness for long."""
    watch = Watch(steady(3))
    decision = watch.see(readings(pods=3, **{**QUIET, "completed": 0.0, "tokens": 0.0}), 1800)
    assert (decision.to, decision.reason) == (3, DecisionReason.ENGINE_STALLED)
    assert watch.see(IDLE).to == 3
    assert watch.see(IDLE, 330).to == 2


def test_rule_08_a_request_that_has_just_begun_is_no_engine_that_hangs() -> None:
    """Its first token is yet to come, and nothing was made before."""
    watch = Watch(steady(3))
    watch.see(IDLE, 300)
    watch.see(replace(IDLE, running=Reading(1.0, State.OK)))
    assert watch.see(IDLE).to == 2


def test_rule_11_replicas_changed_by_someone_else_are_adopted() -> None:
    watch = Watch(steady(3))
    watch.see(readings(pods=3, **QUIET), 600)
    watch.fleet = steady(6)
    decision = watch.see(readings(pods=6, ttft=0.22))
    assert (decision.to, decision.reason) == (6, DecisionReason.ADOPTED_REPLICAS)


def test_rule_11_adopted_replicas_are_not_taken_back_before_a_whole_window() -> None:
    watch = Watch(steady(3))
    watch.see(readings(pods=3, **QUIET), 600)
    watch.fleet = steady(6)
    assert watch.see(readings(pods=6, **QUIET), 285).to == 6
    assert watch.see(readings(pods=6, **QUIET), 60).to == 5


def test_rule_11_what_someone_else_changed_is_told_as_a_change() -> None:
    watch = Watch(steady(3))
    watch.see(readings(pods=3, **QUIET), 600)
    watch.fleet = steady(6)
    decision = watch.see(readings(pods=6, ttft=0.22))
    assert (decision.from_, decision.to) == (3, 6)
    assert decision.message.startswith("3 -> 6 replicas: someone else changed the replicas")


def test_rule_11_replicas_that_new_bounds_have_changed_are_nobody_elses() -> None:
    watch = Watch(steady(1), spec(min_replicas=1, max_replicas=9))
    watch.see(readings(pods=1, **QUIET), 600)
    watch.fleet, watch.scaling = steady(2), spec(min_replicas=2, max_replicas=9)
    decision = watch.see(readings(pods=2, ttft=0.22))
    assert (decision.from_, decision.to, decision.reason) == (1, 2, DecisionReason.BOUNDS_CHANGED)
    assert watch.see(readings(pods=2, ttft=0.22)).reason is not DecisionReason.BOUNDS_CHANGED


def test_rule_11_a_sleeping_service_that_is_woken_by_hand_is_somebody_elses() -> None:
    watch = Watch(steady(0), spec(min_replicas=0, max_replicas=9))
    watch.see(readings(pods=0, **QUIET), 60)
    watch.fleet = steady(1)
    assert watch.see(readings(pods=1, ttft=0.22)).reason is DecisionReason.ADOPTED_REPLICAS


def test_rule_11_its_own_change_is_nobody_elses() -> None:
    watch = Watch(steady(2))
    watch.fleet = steady(watch.see(readings(pods=2, **BUSY)).to)
    assert watch.see(readings(pods=4, ttft=0.22)).reason is not DecisionReason.ADOPTED_REPLICAS


def test_rule_13_attainment_is_counted_at_the_next_lower_edge() -> None:
    histogram = Histogram.of({0.25: 60.0, 0.5: 90.0, 1.0: 99.0, math.inf: 100.0})
    assert histogram
    assert histogram.share_within(0.5) == 0.9
    assert histogram.share_within(0.7) == 0.9
    assert histogram.share_within(0.2) is None


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, -1.0])
def test_rule_14_a_value_that_is_no_number_means_hold(bad: float) -> None:
    broken = readings(pods=4, ttft=bad, waiting=bad, running=bad, kv=bad, completed=bad, offered=bad, tokens=bad)
    decision = Watch(steady(4)).see(broken, 1800)
    assert decision.to == 4
    assert decision.reason is DecisionReason.NO_DATA


def test_a_latency_that_one_request_alone_misses_is_reported_and_does_not_scale() -> None:
    alone_and_slow = readings(ttft=0.8, running=0.2, waiting=0.0, completed=0.2)
    watch = Watch(steady(1))
    decision = watch.see(alone_and_slow, 300)
    assert (decision.to, decision.infeasible) == (1, (Signal.TTFT,))
