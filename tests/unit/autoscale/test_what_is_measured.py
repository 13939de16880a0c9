"""What the law goes by is measured on this service and not assumed."""

from dataclasses import replace
from datetime import timedelta

import pytest
from aifactory.api.scaling import ScaleDown, ScalingBehavior
from aifactory.autoscale.decision import Decision
from aifactory.autoscale.fleet import Fleet
from aifactory.autoscale.knowledge import PRIOR_STARTUP_SECONDS, Knowledge
from aifactory.autoscale.memory import Memory
from aifactory.observed import Group, Pod, Workload
from aifactory.signals.objectives import Signal
from aifactory.signals.readings import PodReading, ServiceReadings

from tests.unit.autoscale.service import TICK, WINDOW, Service, Watch, readings, run, spec, steady

TIMEOUT = timedelta(minutes=30)


def started(name: str, after: float) -> Pod:
    """It waited a hundred seconds for its node, and was ready so many seconds later."""
    return Pod(name, 0.0, ready=True, scheduled_at=100.0, ready_at=100.0 + after)


def ready_again(name: str, after: float) -> Pod:
    """The last time after it was not for a while."""
    return started(name, after)


def start_up(*fleets: tuple[Pod, ...], known: Knowledge | None = None) -> float:
    """Seconds that a start is taken to need once these were seen one after the other."""
    known = known or Knowledge()
    for pods in fleets:
        fleet = Fleet.of(Group(Workload(len(pods)), pods), TIMEOUT, now=1000.0)
        known = known.taught((), readings(pods=len(pods)), fleet, {})
    return known.startup_seconds


def test_the_slowest_start_of_a_few_that_serve_counts() -> None:
    assert start_up((started("a", 60.0), started("b", 300.0), started("c", 90.0))) == 300.0


def test_of_ten_and_more_one_slow_start_is_not_waited_for() -> None:
    starts = (*(started(f"{index}", 60.0 + index) for index in range(9)), started("slow", 600.0))
    assert start_up(starts) == 68.0
    assert start_up(starts[1:]) == 600.0


def test_a_pod_that_is_ready_again_does_not_take_its_age_to_start() -> None:
    a, b = started("a", 60.0), started("b", 90.0)
    assert start_up((a, b), (a, replace(b, ready=False)), (a, ready_again("b", 700.0))) == 90.0


def test_nor_does_one_that_was_not_ready_while_the_operator_restarted() -> None:
    assert start_up((ready_again("a", 700.0),), known=Knowledge(startup_seconds=90.0)) == 90.0


def test_a_new_pod_that_takes_longer_than_any_before_counts() -> None:
    a, b = started("a", 60.0), started("b", 300.0)
    assert start_up((a,), (a, replace(b, ready=False)), (a, b), known=Knowledge(startup_seconds=60.0)) == 300.0


def test_a_start_that_an_image_or_a_crash_held_up_says_nothing_of_others() -> None:
    a, late = started("a", 60.0), started("b", 1200.0)
    pulling = replace(late, ready=False, waiting_reason="ImagePullBackOff")
    assert start_up((a, pulling), (a, late)) == 60.0
    assert start_up((a, replace(late, restarts=3))) == 60.0


def test_a_pod_that_was_ready_again_after_days_does_not_tell_how_long_a_start_takes() -> None:
    assert start_up((started("a", 60.0), ready_again("b", 200_000.0))) == 60.0


@pytest.mark.parametrize("seconds", [20.0, 300.0])
def test_load_is_foreseen_as_far_as_a_start_takes_and_half_a_window_more(seconds: float) -> None:
    watch = Watch(steady(2, starts={"pod-0": seconds}))
    decision = watch.see(readings(pods=2, prompts=5000.0), 600)
    assert decision.forecast is not None
    assert decision.forecast.horizon_seconds == seconds + WINDOW / 2


def test_until_a_start_was_seen_a_usual_one_is_assumed() -> None:
    decision = Watch(steady(2)).see(readings(pods=2, prompts=5000.0), 600)
    assert decision.forecast is not None
    assert decision.forecast.horizon_seconds == PRIOR_STARTUP_SECONDS + WINDOW / 2


def test_what_waits_in_a_pod_that_hangs_asks_for_no_replica() -> None:
    """Nor does its KV cache count, once it is certain that it hangs."""
    hanging = {
        "pod-0": PodReading(16.0, 500.0, 1.0),
        "pod-1": PodReading(4.0, 0.0, 0.1),
        "pod-2": PodReading(4.0, 0.0, 0.1),
    }
    seen = readings(pods=3, ttft=0.2, waiting=500.0, running=24.0, kv=0.4)
    decision = Watch(steady(3)).see(replace(seen, pods=hanging, silent=frozenset({"pod-0"})), 120)
    told = {one.signal: one.value for one in decision.recommendations}
    assert decision.stuck_pods == ("pod-0",)
    assert (told[Signal.WAITING_REQUESTS], told[Signal.KV_CACHE_USAGE]) == (0.0, pytest.approx(0.1))


def test_pods_that_all_hang_are_no_pods_that_hang_while_others_serve() -> None:
    seen = readings(pods=2)
    assert Memory().watching(replace(seen, silent=frozenset({"pod-0"}))).stuck
    assert not Memory().watching(replace(seen, silent=frozenset({"pod-0", "pod-1"}))).stuck


def test_what_one_request_alone_misses_asks_for_nothing_however_busy_it_is() -> None:
    watch = Watch(steady(2))
    watch.see(readings(pods=2, ttft=0.8, running=0.2, completed=0.2), 300)
    decision = watch.see(readings(pods=2, ttft=0.9, running=20.0, kv=0.1), 60)
    told = {one.signal: one.replicas for one in decision.recommendations}
    assert decision.infeasible == (Signal.TTFT,)
    assert told[Signal.TTFT] is None
    assert decision.to == 2


def test_one_cold_request_after_a_gap_does_not_put_the_target_out_of_reach() -> None:
    few = {"running": 0.2, "completed": 0.2, "tokens": 20.0, "prompts": 200.0}
    watch = Watch(steady(1))
    watch.see(readings(ttft=0.1, **few), 600)
    watch.see(readings(ttft=0.12, completed=2.0, running=2.0, tokens=200.0, prompts=2000.0), 600)
    watch.see(readings(ttft=0.1, **few), 120)
    watch.fleet = Fleet(1, 0, 1)
    watch.see(None, 900)
    watch.fleet = steady(1)
    assert watch.see(readings(ttft=3.0, **few)).infeasible == ()
    assert watch.memory.base[Signal.TTFT] == pytest.approx(0.1)


def test_a_target_that_one_request_alone_keeps_is_in_reach_again() -> None:
    few = {"running": 0.2, "completed": 0.2, "tokens": 20.0, "prompts": 200.0}
    watch = Watch(steady(1))
    assert watch.see(readings(ttft=3.0, **few), 600).infeasible == (Signal.TTFT,)
    assert watch.see(readings(ttft=0.1, **few), 60).infeasible == ()


def slow(load: float) -> ServiceReadings:
    """Three replicas with so much load each, which take 625 ms without any: more than the objective."""
    return readings(pods=3, ttft=1 / (1.6 - load / 5000), running=24.0, tokens=3 * load / 3, prompts=3 * load * 2 / 3)


def test_a_target_that_would_be_missed_without_load_is_named_and_asks_for_no_replica() -> None:
    watch = Watch(steady(3))
    for load in (600.0, 900.0, 1200.0) * 30:
        watch.see(slow(load))
    decision = watch.see(slow(1000.0))
    assert decision.infeasible == (Signal.TTFT,)
    assert decision.to <= 3


def after_a_slow_hour(load: float, hours: int, base: float, noise: float = 0.0) -> tuple[Service, list[Decision]]:
    """Requests are few and take 800 ms, more than the objective; then they are many, and take `base` seconds or more.

    A replica completes five requests per second.
    """
    service = Service(base=0.8, learns=True, noise=noise, startup=120.0)
    run(service, spec(max_replicas=60), (3600, 0.05))
    service.base = base
    return service, run(service, spec(max_replicas=60), (3600.0 * hours, load))


def test_a_slow_first_hour_does_not_keep_a_service_from_its_replicas() -> None:
    service, decisions = after_a_slow_hour(4.0, 3, base=0.1)
    assert decisions[-1].infeasible == ()
    assert service.replicas >= 2
    service.breached = 0.0
    run(service, spec(max_replicas=60), (3600, 4.0))
    assert service.breached < 360.0


@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_what_no_replica_keeps_asks_for_replicas_that_are_half_busy_and_for_no_more(noise: float) -> None:
    """However long that goes on, and though a request that was alone missed it already."""
    service, _ = after_a_slow_hour(20.0, 4, base=0.45, noise=noise)
    later = run(service, spec(max_replicas=60), (3600 * 24, 20.0))
    assert 6 <= min(one.to for one in later) <= max(one.to for one in later) <= 16


def test_it_still_counts_that_replicas_make_it_much_slower() -> None:
    """At twice of what it takes without load at the latest they are needed."""
    watch = Watch(steady(3))
    for load in (600.0, 900.0, 1200.0, 4500.0) * 30:
        watch.see(slow(load))
    assert watch.see(slow(4500.0), 60).to > 3


def test_nothing_is_learned_from_a_window_in_which_load_rose_steeply() -> None:
    """Its latencies are those of more load than its mean."""
    watch = Watch(steady(1))
    watch.see(readings(tokens=100.0, prompts=100.0), 300)
    before = watch.memory.knowledge.curves
    watch.see(readings(tokens=300.0, prompts=300.0))
    assert watch.memory.knowledge.curves == before
    watch.see(readings(tokens=320.0, prompts=320.0))
    assert watch.memory.knowledge.curves != before


@pytest.mark.parametrize(("start", "asked", "window"), [(400.0, 150, 500.0), (40.0, 150, 150.0), (400.0, 0, 0.0)])
def test_signals_have_to_agree_for_longer_than_a_start_takes(start: float, asked: int, window: float) -> None:
    behavior = ScalingBehavior(scale_down=ScaleDown(stabilization_window=timedelta(seconds=asked)))
    assert Knowledge(startup_seconds=start).window(behavior) == window


def test_a_latency_far_from_its_target_tells_nothing_of_what_a_replica_carries() -> None:
    """One that answered a request now and then in a hundredth of its target is not full with a few at once."""
    watch = Watch(steady(1))
    watch.see(readings(ttft=0.005, running=0.1, completed=0.1, tokens=2.0, prompts=10.0), 90)
    begun = readings(ttft=0.005, running=4.0, waiting=1.0, completed=1.0, offered=5.0, tokens=10.0, prompts=20.0)
    assert watch.see(begun, 15).to == 1


def test_nothing_is_learned_from_requests_that_came_when_fewer_replicas_served() -> None:
    """They stayed in the queues of those, while the load is shared by all."""
    late = readings(pods=4, ttft=400.0, tokens=200.0, prompts=200.0)
    grown, same = Watch(steady(1)), Watch(steady(4))
    grown.see(readings(tokens=500.0, prompts=500.0), 600)
    same.see(readings(pods=4, tokens=500.0, prompts=500.0), 600)
    grown.fleet = steady(4)
    for watch, learns in ((grown, False), (same, True)):
        before = watch.memory.knowledge.curves
        watch.see(late, 3 * WINDOW)
        assert (watch.memory.knowledge.curves != before) == learns
    before = grown.memory.knowledge.curves
    grown.see(readings(pods=4, tokens=200.0, prompts=200.0), 2 * WINDOW - TICK)
    assert grown.memory.knowledge.curves == before
    grown.see(readings(pods=4, tokens=200.0, prompts=200.0), 2 * TICK)
    assert grown.memory.knowledge.curves != before


def test_what_cannot_be_kept_is_said_until_it_clearly_can() -> None:
    """An objective of 500 ms, of which requests come to take 530 without load, then 450, then 300."""
    watch = Watch(steady(3))

    def infeasible(alone: float) -> bool:
        for load in (600.0, 900.0, 1200.0) * 60:
            speed = 1 / alone - load / 5000
            decision = watch.see(readings(pods=3, ttft=1 / speed, running=24.0, tokens=load, prompts=load * 2))
        return decision.infeasible == (Signal.TTFT,)

    assert [infeasible(alone) for alone in (0.45, 0.53, 0.45)] == [False, True, True]
    watch.memory = Memory().restored(watch.memory.learned(), watch.now)
    assert [infeasible(alone) for alone in (0.45, 0.3)] == [True, False]
