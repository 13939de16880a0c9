"""The law of offline services: requests may wait, but not longer than promised, and replicas are full."""

from dataclasses import replace
from datetime import timedelta
from math import ceil
from typing import Any

import pytest
from aifactory.api.inferenceservice import InferenceService
from aifactory.api.scaling import ScaleDown, ScalingBehavior
from aifactory.autoscale.backlog import Backlog, Promise
from aifactory.autoscale.decision import Alternative, Decision, DecisionReason, Recommendation
from aifactory.autoscale.fleet import Fleet
from aifactory.autoscale.knowledge import Knowledge
from aifactory.autoscale.law import decide_replicas
from aifactory.autoscale.lengths import Lengths
from aifactory.autoscale.memory import Memory
from aifactory.autoscale.offline import Offline, needed_now
from aifactory.signals.objectives import Signal
from aifactory.signals.readings import PodReading, Reading, ServiceReadings, State
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.autoscale.service import TICK, Service, readings, spec, steady

PROMISE = Promise(within=600.0, drain=120.0)
RATE = 5.0
MINUTE = 60.0


def promised(**spec: Any) -> Promise | None:
    """What a service promises."""
    whole = {"model": {"name": "m"}, "runtime": {"engine": "vllm"}, **spec}
    manifest = {"metadata": {"name": "a", "namespace": "b"}, "spec": whole}
    return Promise.of(InferenceService.model_validate(manifest).spec)


class Offliner:
    """A service whose replicas each complete 5 requests a second, decided on tick by tick."""

    def __init__(self, replicas: int = 1, promise: Promise = PROMISE, most: int = 20) -> None:
        self.service = Service(rate=RATE, startup=60.0, learns=True, replicas=replicas, ready_at=[0.0] * replicas)
        self.promise, self.scaling = promise, spec(max_replicas=most)
        self.replica_seconds = 0.0
        self.longest = 0.0

    def load(self, seconds: float, offered: float) -> Decision:
        """The last decision of some time at so many requests per second."""
        service, end = self.service, self.service.now + seconds
        while service.now < end:
            seen = replace(service.serve(offered, service.now, TICK), objectives=())
            fleet = service.fleet(service.now)
            self.longest = max(self.longest, service.waiting / (RATE * fleet.ready))
            decision, service.memory = decide_replicas(
                self.scaling, (), fleet, seen, service.memory, service.now, promise=self.promise
            )
            service.resize(decision.to, service.now)
            self.replica_seconds += TICK * service.replicas
            service.now += TICK
        return decision


def test_requests_wait_while_they_are_completed_in_time() -> None:
    found = Offliner()
    decisions = [found.load(TICK, 10.0) for _ in range(10)] + [found.load(TICK, 2.0) for _ in range(100)]
    assert found.longest > 2 * MINUTE
    assert {decision.to for decision in decisions} == {1}


@pytest.mark.parametrize(("offered", "replicas"), [(6.0, 1), (12.0, 1), (40.0, 5)])
def test_replicas_come_when_requests_would_be_late_and_no_more_than_carry_what_comes(
    offered: float, replicas: int
) -> None:
    found = Offliner(replicas)
    found.load(60 * MINUTE, offered)
    assert found.longest <= PROMISE.within
    assert ceil(offered / RATE) <= found.service.replicas <= ceil(offered / RATE) + 1


def test_full_replicas_do_nearly_all_that_they_can() -> None:
    """Twelve requests a second are 2.4 replicas."""
    found = Offliner(3)
    found.load(120 * MINUTE, 12.0)
    assert 12.0 * 120 * MINUTE / (RATE * found.replica_seconds) > 0.8


def test_replicas_leave_when_fewer_complete_everything_in_time() -> None:
    found = Offliner(6)
    assert found.load(60 * MINUTE, 8.0).to == 2
    assert found.longest < PROMISE.within


def test_replicas_leave_when_nobody_asks() -> None:
    found = Offliner(4)
    decision = found.load(20 * MINUTE, 0.0)
    assert decision.to == 1


def test_a_burst_waits_where_it_is_as_new_replicas_would_get_none_of_it() -> None:
    found = Offliner()
    found.load(4 * MINUTE, 7.0)
    found.load(20 * MINUTE, 0.0)
    found.load(2 * TICK, 200.0)
    decisions = [found.load(TICK, 0.0) for _ in range(40)]
    assert max(decision.to for decision in decisions) == 1
    assert found.longest > PROMISE.within
    assert decisions[0].reason is DecisionReason.BURST_QUEUED
    assert decisions[0].message.endswith("a further replica would get none of them")


def test_a_stream_that_has_just_begun_gets_replicas_in_time() -> None:
    """The queue grows by four minutes in each and a start takes one, so that a minute and a half is left to decide."""
    found = Offliner()
    found.load(4 * MINUTE, 7.0)
    found.load(20 * MINUTE, 2.0)
    found.load(20 * MINUTE, 25.0)
    assert found.longest <= PROMISE.within


def test_of_load_that_may_come_back_within_the_hour_so_many_stay_that_queues_last_until_others_serve() -> None:
    """In the five minutes in which others start, a queue would grow by 14 with one replica, and by 5 with two."""
    found = Offliner(4)
    found.service.memory = LEARNED
    found.load(30 * MINUTE, 19.0)
    assert found.load(40 * MINUTE, 0.5).to == 2
    assert found.load(40 * MINUTE, 0.5).to == 1


def test_without_a_stabilization_window_nothing_is_kept_for_load_that_may_come_back() -> None:
    found = Offliner(4)
    found.service.memory = LEARNED
    found.scaling = spec(
        max_replicas=20, behavior=ScalingBehavior(scale_down=ScaleDown(stabilization_window=timedelta(0)))
    )
    found.load(30 * MINUTE, 19.0)
    assert found.load(40 * MINUTE, 0.5).to == 1


@pytest.mark.parametrize(
    ("scaling", "minutes"),
    [
        ({}, 60),
        ({"behavior": {"scaleDown": {"stabilizationWindow": "30s"}}}, 12),
        ({"behavior": {"scaleDown": {"stabilizationWindow": "10m"}}}, 60),
        ({"minReplicas": 0, "scaleToZero": {"after": "15m"}}, 15),
    ],
)
def test_for_how_long_load_is_expected_to_come_back(scaling: dict[str, Any], minutes: float) -> None:
    slo = {"workload": "offline", "completeWithin": "10m"}
    promise = promised(slo=slo, scaling={"maxReplicas": 20, **scaling}, drain={"timeout": "2m"})
    assert promise is not None
    assert promise.returns == minutes * MINUTE
    found = Offliner(4, promise)
    found.service.memory = LEARNED
    found.load(30 * MINUTE, 19.0)
    assert found.load((minutes - 1) * MINUTE, 0.5).to == 2
    assert found.load(20 * MINUTE, 0.5).to == 1


def test_where_queues_last_until_others_serve_nothing_is_kept_for_load_that_may_come_back() -> None:
    found = Offliner(4, Promise(within=7200.0, drain=120.0))
    found.service.memory = LEARNED
    found.load(30 * MINUTE, 19.0)
    assert found.load(40 * MINUTE, 0.5).to == 1


def test_a_request_takes_from_when_it_came_until_all_before_it_are_completed() -> None:
    seen = Backlog(in_flight=400.0, arrived=((0.0, 100.0), (40.0, 300.0), (80.0, 50.0)))
    # the newest has waited for nothing, the last of those from second 40 for 20 seconds, others have been completed
    assert seen.slowest(10.0, 100.0) == max(400 / 10, 350 / 10 + 20, 50 / 10 + 60)
    assert seen.slowest(1000.0, 100.0) == pytest.approx(50 / 1000 + 60)
    assert Backlog(in_flight=50.0).slowest(10.0, 100.0) == 5.0
    assert Backlog().slowest(10.0, 100.0) == 0.0


def test_requests_that_were_there_before_all_that_is_remembered_have_waited_longer_than_that() -> None:
    hung = Backlog(in_flight=3.0, arrived=((0.0, 0.0), (40.0, 0.0)))
    assert hung.slowest(10.0, 100.0) == pytest.approx(100.3)


def test_while_the_pace_is_not_known_no_replica_is_added_and_one_fewer_is_tried_only_if_nothing_waits() -> None:
    unknown = decided(readings(pods=3, waiting=9000.0, completed=0.1, running=300.0), steady(3))
    assert (unknown.to, unknown.reason) == (3, DecisionReason.PACE_UNKNOWN)
    assert unknown.message == "3 replicas: requests wait, and what a full replica completes is being measured first"
    assert decided(readings(pods=3, waiting=9000.0, completed=0.1, running=300.0), steady(3), seconds=600).to == 3
    assert decided(readings(pods=3, completed=3.0, running=300.0), steady(3), seconds=600).to == 2


def decided(
    seen: ServiceReadings, fleet: Fleet, memory: Memory | None = None, seconds: float = TICK, **more: Any
) -> Decision:
    """After a time of the same readings."""
    memory = memory or Memory()
    for tick in range(int(seconds / TICK)):
        now = tick * TICK
        decision, memory = decide_replicas(
            spec(max_replicas=20), (), fleet, replace(seen, time=now, objectives=()), memory, now,
            promise=more.get("promise", PROMISE),
        )  # fmt: skip
    return decision


@pytest.mark.parametrize("signal", ["running", "waiting", "completed"])
@pytest.mark.parametrize("state", [State.MISSING, State.STALE, State.ERROR])
def test_what_cannot_be_read_removes_no_replica(signal: str, state: State) -> None:
    quiet = readings(pods=3, running=1.0, completed=0.1)
    gone: Any = {signal: Reading(None, state)}
    decision = decided(replace(quiet, **gone), steady(3), seconds=30 * MINUTE)
    assert decision.to == 3
    assert decision.reason in (DecisionReason.NO_DATA, DecisionReason.METRICS_ERROR)


def test_completions_that_nobody_has_counted_yet_are_no_fault_of_a_service_that_nobody_has_asked() -> None:
    quiet = readings(pods=3, running=0.0, completed=0.0)
    fresh = replace(quiet, completed=Reading(None, State.MISSING))
    decision = decided(fresh, steady(3), seconds=30 * MINUTE)
    assert (decision.to, decision.reason) == (2, DecisionReason.SCALE_DOWN)


def test_no_replica_leaves_before_it_is_known_whether_requests_keep_coming() -> None:
    """As after a restart of the operator: three bins of a promise of two hours are a quarter of an hour."""
    busy = readings(pods=3, running=60.0, waiting=6.0, completed=15.0)
    memory = Memory(backlog=Backlog(completed=RATE * 1e4, replica_seconds=1e4))
    slow = Promise(within=7200.0, drain=120.0)
    early = decided(busy, steady(3), memory, 12 * MINUTE, promise=slow)
    assert (early.to, early.reason) == (3, DecisionReason.ARRIVALS_UNKNOWN)
    later = decided(busy, steady(3), memory, 40 * MINUTE, promise=slow)
    assert (later.to, later.reason) == (3, DecisionReason.CONSOLIDATION_REFUSED)


def test_short_gaps_of_the_readings_do_not_hide_what_keeps_coming() -> None:
    found = Offliner(promise=Promise(within=7200.0, drain=120.0))
    for _ in range(16):
        found.load(13 * MINUTE, 12.0)
        found.service.now += 90.0
    assert found.service.replicas == 3
    assert found.longest <= 7200.0


def test_a_short_promise_has_a_stream_too() -> None:
    """A minute has room for no more than four readings."""
    found = Offliner(promise=Promise(within=60.0, drain=120.0))
    found.load(30 * MINUTE, 12.0)
    found.longest = 0.0
    found.load(30 * MINUTE, 12.0)
    assert found.longest <= 60.0
    assert found.service.replicas <= 4


def test_no_replica_leaves_that_could_not_finish_what_waits_in_it() -> None:
    """Each has 4 minutes of work, of which fewer would be done in time; after two minutes a leaving one is cut."""
    deep = readings(pods=3, running=60.0, waiting=3540.0, completed=15.0, offered=0.0)
    patient = Promise(within=24 * 3600.0, drain=120.0)
    quiet = tuple((-part * patient.part, 0.0) for part in (4, 3, 2, 1))
    memory = Memory(backlog=Backlog(0.0, 3600.0, quiet, completed=RATE * 1e4, replica_seconds=1e4))
    held = decided(deep, steady(3), memory, 10 * MINUTE, promise=patient)
    assert (held.to, held.reason) == (3, DecisionReason.REQUESTS_QUEUED)
    assert decided(deep, steady(3), memory, 10 * MINUTE, promise=replace(patient, drain=300.0)).to < 3


LATE = Backlog(
    time=0.0,
    in_flight=20_000.0,
    arrived=tuple((-45.0 * (14 - part), 900.0) for part in range(14)),
    completed=RATE * 1e4,
    replica_seconds=1e4,
)


def test_more_are_asked_for_only_while_all_that_are_there_have_requests_waiting() -> None:
    late = scene(LATE, 3, 60.0)
    assert late.replicas > 3
    pods = {**late.readings.pods, "pod-0": PodReading(running=1.0)}
    assert replace(late, readings=replace(late.readings, pods=pods)).replicas == 3


def test_a_pod_that_never_starts_is_not_counted_on() -> None:
    late = scene(LATE, 3, 60.0)
    assert replace(late, fleet=Fleet(4, 3, overdue=1)).replicas == late.replicas + 1
    assert replace(late, fleet=Fleet(4, 3, loading=1)).replicas < late.replicas + 1


# Replicas take five minutes to start.
LEARNED = Memory(backlog=Backlog(completed=RATE * 1e4, replica_seconds=1e4), knowledge=Knowledge(startup_seconds=300.0))


def unequal(stream: float, *waiting: float, startup: float = 60.0) -> Offline:
    """Replicas with so many requests waiting, while `stream` requests a second keep coming."""
    ready, total = len(waiting), sum(waiting)
    arrived = tuple((-45.0 * (14 - part), 45.0 * stream) for part in range(14))
    one = scene(replace(LATE, in_flight=total, arrived=arrived), ready, startup)
    pods = {f"pod-{index}": PodReading(0.0, count) for index, count in enumerate(waiting)}
    return replace(one, readings=replace(one.readings, pods=pods))


def test_a_queue_that_would_be_too_long_by_the_time_a_replica_starts_asks_for_it_now() -> None:
    """It takes 5:40 of the 6 minutes that are planned for, and grows by 36 seconds in each."""
    assert unequal(24.0, 1700.0, 200.0, 200.0, startup=0.0).replicas == 3
    assert unequal(24.0, 1700.0, 200.0, 200.0, startup=180.0).replicas > 3


def test_the_longest_queue_counts_as_nobody_takes_over_from_it() -> None:
    assert unequal(17.0, 1000.0, 1000.0, 1000.0).replicas == 3
    assert unequal(17.0, 2400.0, 300.0, 300.0).replicas > 3


def test_a_queue_that_is_too_long_gets_less_than_its_replica_completes() -> None:
    """Three replicas are enough for what comes, and five let it shrink."""
    assert unequal(14.0, 1700.0, 10.0, 10.0).replicas == 3
    assert unequal(14.0, 2500.0, 10.0, 10.0).replicas == 5


def test_replicas_without_a_queue_leave_a_burst_to_those_that_have_it() -> None:
    assert unequal(0.0, 3000.0, 0.0, 0.0).replicas == 1


def test_none_leaves_while_one_has_a_queue_that_is_too_long_and_would_get_more_of_what_comes() -> None:
    assert unequal(2.0, 3100.0, 0.0, 0.0).replicas == 3
    assert unequal(2.0, 2900.0, 0.0, 0.0).replicas == 1


def test_a_replica_that_leaves_while_requests_will_be_late_is_explained_by_whose_they_are() -> None:
    late = unequal(0.0, 4000.0, 0.0, 0.0)
    answers = (Recommendation(Signal.BACKLOG, State.OK, 800.0, 600.0, 1.0, 2),)
    down = Decision(3, 2, DecisionReason.SCALE_DOWN, "", recommendations=answers)
    assert late.explained(down, 1, 500.0).message == (
        "3 -> 2 replicas: backlog 13m20s against 10m, ratio 1.00 with room for unequal queues; "
        "requests that wait will be late, but a further replica would get none of them"
    )


def test_fewer_replicas_that_are_wanted_are_rejected_for_one_reason() -> None:
    waits = Alternative(1, DecisionReason.STABILIZATION_WINDOW)
    held = Decision(2, 2, DecisionReason.STABILIZATION_WINDOW, "", rejected=(waits,))
    assert unequal(0.0, 4000.0, 0.0).explained(held, 1, 500.0).rejected == (waits,)
    (refused,) = unequal(0.0, 4000.0, 0.0).explained(replace(held, rejected=()), 1, 500.0).rejected
    assert (refused.replicas, refused.reason) == (1, DecisionReason.CONSOLIDATION_REFUSED)


def test_a_queue_of_replicas_whose_pace_is_not_known_removes_none() -> None:
    unknown = unequal(5.0, 100.0, 0.0, 0.0)
    assert replace(unknown, backlog=replace(LATE, completed=0.0)).replicas == 3


def test_bursts_that_have_stopped_no_longer_keep_coming() -> None:
    bursts = tuple((45.0 * part, 900.0 * (part % 3 == 0)) for part in range(14))
    assert replace(LATE, arrived=bursts).stream() > 0
    stopped = tuple((start, count if part < 9 else 0.0) for part, (start, count) in enumerate(bursts))
    assert replace(LATE, arrived=stopped).stream() == 0


def test_bursts_that_come_before_the_last_one_is_worked_off_are_what_they_are_together() -> None:
    """One each five minutes takes a replica twenty seconds longer than that."""
    found = Offliner()
    for _ in range(20):
        found.load(TICK, 320.0 * RATE / TICK)
        found.load(5 * MINUTE - TICK, 0.0)
    assert found.longest <= PROMISE.within


def test_replicas_that_turn_out_to_be_faster_are_believed_though_nothing_waits() -> None:
    backlog = Backlog(completed=RATE * 100, replica_seconds=100.0)
    for tick in range(80):
        backlog = backlog.seen(readings(now=TICK * tick, completed=9.0), steady(1), PROMISE)
    assert backlog.pace == pytest.approx(9.0, rel=0.1)


def test_the_pace_is_that_of_requests_as_long_as_they_are_lately() -> None:
    """A full replica makes 1,000 tokens a second, of which a request had 200 and now has 500."""
    learned = Memory(backlog=Backlog(completed=RATE * 1e4, tokens=1e7, replica_seconds=1e4))
    assert learned.backlog.pace == RATE
    longer = replace(learned, knowledge=Knowledge(lengths=Lengths(tokens=2500.0, completed=5.0)))
    _, memory = decide_replicas(spec(max_replicas=4), (), steady(1), readings(), longer, 0.0, promise=PROMISE)
    assert memory.backlog.pace == 2.0


def test_arrivals_are_remembered_for_as_long_as_requests_may_take() -> None:
    backlog = Backlog()
    for tick in range(400):
        backlog = backlog.seen(readings(now=TICK * tick), steady(1), PROMISE)
    assert 10 <= len(backlog.arrived) <= 17


def test_the_pace_of_other_replicas_is_forgotten() -> None:
    memory = Memory(backlog=Backlog(completed=RATE * 1e4, replica_seconds=1e4))
    old, new = (replace(steady(1), capability=of) for of in ("one", "two"))
    scaling = spec(max_replicas=2)
    memory, _ = memory.opened((scaling, ()), old, scaling, 0.0)
    assert memory.backlog.pace is not None
    assert memory.opened((scaling, ()), new, scaling, TICK)[0].backlog.pace is None


def test_an_engine_that_does_not_count_requests_scales_on_its_queue() -> None:
    seen = replace(readings(pods=2, waiting=400.0), completed=Reading(None, State.UNSUPPORTED))
    decision = decided(seen, steady(2))
    assert decision.to > 2
    assert decision.signal is Signal.WAITING_REQUESTS


def test_a_full_kv_cache_is_what_an_offline_service_is_to_have() -> None:
    assert decided(readings(pods=2, kv=1.0, running=200.0), steady(2), seconds=10 * MINUTE).to <= 2


def test_the_decision_says_how_long_requests_would_take_what_a_replica_does_and_what_one_fewer_would_mean() -> None:
    found = Offliner()
    found.load(2 * MINUTE, 12.0)
    while (decision := found.load(TICK, 12.0)).to == 1:
        pass
    assert decision.signal is Signal.BACKLOG
    assert decision.message.startswith(f"1 -> {decision.to} replicas: backlog ")
    assert " against 10m, ratio " in decision.message
    assert decision.capacity is not None
    assert decision.capacity.per_replica == pytest.approx(RATE * 1100, rel=0.05)
    fewer = decision.rejected[-1]
    assert (fewer.replicas, fewer.signal) == (decision.to - 1, Signal.BACKLOG)
    assert fewer.ratio is not None
    assert fewer.ratio > 1


def test_the_pace_survives_a_restart() -> None:
    found = Offliner()
    found.load(10 * MINUTE, 12.0)
    learned = found.service.memory.learned()
    again = Memory().restored(learned, 0.0).backlog
    assert again.pace == pytest.approx(found.service.memory.backlog.pace)
    assert again.carries == pytest.approx(found.service.memory.backlog.carries)


def test_what_a_full_replica_carries_is_not_judged_by_those_that_are_not() -> None:
    found = Offliner()
    full = found.load(10 * MINUTE, 12.0)
    quiet = found.load(30 * MINUTE, 0.1)
    assert full.capacity is not None
    assert quiet.capacity is not None
    assert quiet.capacity.per_replica == pytest.approx(full.capacity.per_replica, rel=0.01)
    strange = replace(readings(now=found.service.now, completed=0.01), generation_tokens=Reading(900.0, State.OK))
    promise, memory = found.promise, found.service.memory
    odd, _ = decide_replicas(found.scaling, (), steady(1), strange, memory, found.service.now, promise=promise)
    assert odd.capacity is None or odd.capacity.per_replica == pytest.approx(full.capacity.per_replica, rel=0.01)


@pytest.mark.parametrize(
    ("slo", "within"),
    [
        ({"workload": "offline"}, 600.0),
        ({"workload": "offline", "completeWithin": "2h"}, 7200.0),
        ({"workload": "offline", "objectives": {"timeToFirstToken": {"target": "2s"}}}, None),
        ({"workload": "offline", "objectives": {"throughput": {"tokensPerSecond": 100}}}, None),
        ({"workload": "interactive"}, None),
    ],
)
def test_a_service_with_objectives_follows_them(slo: dict[str, Any], within: float | None) -> None:
    promise = promised(slo=slo)
    assert (promise and promise.within) == within


dues = st.lists(st.tuples(st.one_of(st.just(0.0), st.floats(0.01, 1e5)), st.floats(-600, 3600)), min_size=1, max_size=8)
paces = st.floats(0.01, 100)


@given(dues, paces)
def test_the_fewest_replicas_complete_what_is_due_and_any_less_does_not(
    due: list[tuple[float, float]], pace: float
) -> None:
    needed = needed_now(due, pace, PROMISE.least)
    done = [(requests, pace * max(left, PROMISE.least)) for requests, left in due]
    assert all(needed * each >= requests * (1 - 1e-9) for requests, each in done)
    assert not needed or any(0.999 * needed * each < requests for requests, each in done)


@st.composite
def scenes(draw: st.DrawFn) -> Offline:
    """A fleet of which every replica has its share of what is in flight, all of which came at known times."""
    ready, in_flight = draw(st.integers(1, 20)), draw(st.floats(1, 1e5))
    counts = draw(st.lists(st.floats(0, 1e4), min_size=6, max_size=16))
    starts = [-37.5 * (len(counts) - index) for index in range(len(counts))]
    pace = draw(paces)
    backlog = Backlog(
        time=0.0, in_flight=in_flight, arrived=tuple(zip(starts, counts, strict=True)),
        completed=pace * 1e4, replica_seconds=1e4, ready=ready,
    )  # fmt: skip
    return scene(backlog, ready, draw(st.floats(0, 300)))


def scene(backlog: Backlog, ready: int, startup: float) -> Offline:
    seen = replace(readings(pods=ready, waiting=backlog.in_flight), running=Reading(0.0, State.OK))
    pods = {name: PodReading(0.0, backlog.in_flight / ready) for name in seen.pods}
    return Offline(PROMISE, backlog, replace(seen, pods=pods), steady(ready), startup)


@given(scenes(), st.floats(1, 10))
def test_more_requests_never_take_fewer_replicas(one: Offline, times: float) -> None:
    more = replace(one.backlog, in_flight=times * one.backlog.in_flight)
    assert scene(more, one.fleet.ready, one.startup).replicas >= one.replicas


@given(scenes(), st.floats(1, 10))
def test_faster_replicas_are_never_more(one: Offline, times: float) -> None:
    faster = replace(one.backlog, completed=times * one.backlog.completed)
    assert scene(faster, one.fleet.ready, one.startup).replicas <= one.replicas


@given(scenes())
def test_no_more_are_added_than_drain_what_there_is_and_carry_what_comes(one: Offline) -> None:
    pace, promise = one.backlog.pace or 1.0, one.promise
    stream = one.backlog.stream()
    drained = (one.backlog.in_flight + stream * one.startup) / (pace * promise.least)
    assert one.replicas <= max(one.fleet.ready, ceil(one.fleet.ready + drained), ceil(stream / pace / 0.5))
