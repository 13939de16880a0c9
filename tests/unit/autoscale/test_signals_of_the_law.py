"""What each signal asks for, alone."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from aifactory.api.scaling import ScaleDown
from aifactory.autoscale.decision import DecisionReason
from aifactory.autoscale.fleet import Fleet
from aifactory.autoscale.memory import Regret
from aifactory.signals.objectives import Objective, Signal
from aifactory.signals.readings import ObjectiveReading, Reading, ServiceReadings, State

from tests.unit.autoscale.service import SLOW, TICK, Watch, ok, readings, spec, steady

ROOMY: dict[str, Any] = {"ttft": 0.05, "waiting": 0.0, "kv": 0.05}


def wanted(watch: Watch, seen: ServiceReadings, signal: Signal) -> int | None:
    """Replicas that one signal asks for after a window of the same readings."""
    found = {one.signal: one.replicas for one in watch.see(seen, 600).recommendations}
    return found[signal]


@pytest.mark.parametrize(("ttft", "replicas"), [(0.27, 4), (0.28, 5), (0.40, 6), (5.0, 15)])
def test_latency_asks_for_replicas_in_proportion_to_its_excess(ttft: float, replicas: int) -> None:
    assert wanted(Watch(steady(4)), readings(pods=4, **{**ROOMY, "ttft": ttft}), Signal.TTFT) == replicas


@pytest.mark.parametrize(("ttft", "replicas"), [(0.05, 1), (0.1, 2), (0.15, 2), (0.19, 2)])
def test_latency_expects_the_square_of_load_when_replicas_leave(ttft: float, replicas: int) -> None:
    assert wanted(Watch(steady(2)), readings(pods=2, **{**ROOMY, "ttft": ttft}), Signal.TTFT) == replicas


@pytest.mark.parametrize(("kv", "replicas"), [(0.3, 1), (0.45, 2), (0.8, 2), (0.9, 3)])
def test_the_kv_cache_has_its_limit_where_the_spec_puts_it(kv: float, replicas: int) -> None:
    assert wanted(Watch(steady(2)), readings(pods=2, **{**ROOMY, "kv": kv}), Signal.KV_CACHE_USAGE) == replicas


@pytest.mark.parametrize(("waiting", "replicas"), [(9.0, 2), (11.0, 3), (310.0, 3), (320.0, 4), (910.0, 5)])
def test_a_queue_asks_for_what_works_it_off_within_a_period(waiting: float, replicas: int) -> None:
    # two replicas complete 10 requests/s, so one works off 300 a minute; 10 may wait
    seen = readings(pods=2, **{**ROOMY, "waiting": waiting, "completed": 10.0})
    assert wanted(Watch(steady(2)), seen, Signal.WAITING_REQUESTS) == replicas


def test_a_growing_queue_asks_for_what_stops_its_growth_too() -> None:
    seen = readings(pods=2, **{**ROOMY, "waiting": 20.0, "completed": 10.0, "offered": 19.0})
    assert wanted(Watch(steady(2)), seen, Signal.WAITING_REQUESTS) == 4


@pytest.mark.parametrize(("tokens", "waiting", "replicas"), [(500.0, 0.0, 1), (500.0, 1.0, 4), (1000.0, 1.0, 2)])
def test_too_little_throughput_counts_only_while_requests_wait(tokens: float, waiting: float, replicas: int) -> None:
    seen = readings(pods=2, **{**ROOMY, "waiting": waiting, "tokens": tokens})
    objective = ObjectiveReading(Objective(Signal.THROUGHPUT, 1000.0), ok(tokens))
    assert wanted(Watch(steady(2)), replace(seen, objectives=(objective,)), Signal.THROUGHPUT) == replicas


def test_offline_work_scales_on_queue_and_kv_cache() -> None:
    seen = replace(readings(pods=2, **{**ROOMY, "waiting": 400.0}), objectives=())
    decision = Watch(steady(2)).see(seen)
    assert decision.to > 2
    assert decision.signal is Signal.WAITING_REQUESTS


def test_a_signal_that_the_engine_lacks_does_not_hold_the_others() -> None:
    seen = replace(readings(pods=3, **ROOMY), kv_cache_usage=Reading(None, State.UNSUPPORTED))
    assert Watch(steady(3)).see(seen, 600).to == 2


def test_the_slowest_of_few_requests_asks_for_one_replica_only() -> None:
    seen = readings(**{**ROOMY, "ttft": 3.0})
    few = replace(seen, objectives=(replace(seen.objectives[0], observations=5.0),))
    assert Watch(steady(1)).see(few, 60).to == 2
    assert Watch(Fleet(2, 1, loading=1)).see(few, 60).to == 2


def test_requests_that_run_alone_are_not_helped_by_replicas() -> None:
    assert Watch(steady(1)).see(readings(**{**ROOMY, "ttft": 0.45, "running": 0.3})).to == 1
    assert Watch(steady(1)).see(readings(**{**ROOMY, "ttft": 0.45, "running": 3.0})).to > 1


def test_a_base_latency_near_the_target_raises_the_thresholds() -> None:
    watch = Watch(steady(2))
    watch.see(readings(pods=2, **{**ROOMY, "ttft": 0.3, "running": 0.2}), 600)
    assert watch.see(readings(pods=2, **{**ROOMY, "ttft": 0.35}), 60).to == 2  # 0.70 with a threshold of 0.72
    assert watch.see(readings(pods=2, **{**ROOMY, "ttft": 0.38}), 60).to > 2


def test_a_base_latency_is_unlearned_at_once_when_requests_are_faster() -> None:
    watch = Watch(steady(2))
    watch.see(readings(pods=2, **{**ROOMY, "ttft": 0.45, "running": 0.2}), 600)
    watch.see(readings(pods=2, **{**ROOMY, "ttft": 0.05}))
    assert watch.see(readings(pods=2, **{**ROOMY, "ttft": 0.4}), 60).to > 2


def test_what_is_over_does_not_scale_up() -> None:
    watch = Watch(steady(2), spec(max_replicas=2))
    watch.see(readings(pods=2, **{**ROOMY, "ttft": 3.0}), 300)
    decision = watch.see(readings(pods=2, **{**ROOMY, "ttft": 0.22}))
    assert next(one.replicas for one in decision.recommendations if one.signal is Signal.TTFT) == 2


def test_one_reading_above_the_threshold_is_noise() -> None:
    watch = Watch(steady(2))
    watch.see(readings(pods=2, **{**ROOMY, "ttft": 0.22}), 300)
    assert watch.see(readings(pods=2, **{**ROOMY, "ttft": 0.31})).to == 2


AT_ONCE = SLOW.model_copy(
    update={"scale_down": ScaleDown(threshold=SLOW.scale_down.threshold, stabilization_window=timedelta(0))}
)


@pytest.mark.parametrize(
    ("offered", "running"), [(9.9, 10.0), (20.0, 0.5)], ids=["not twice as much", "of a service with nothing to do"]
)
def test_a_few_more_arrivals_are_no_burst(offered: float, running: float) -> None:
    watch = Watch(steady(2), spec(max_replicas=10, behavior=AT_ONCE))
    watch.see(readings(pods=2, **{**ROOMY, "running": running}), 300)
    watch.see(readings(pods=2, **{**ROOMY, "running": running, "offered": offered}))
    assert watch.see(readings(pods=2, **{**ROOMY, "running": running})).reason is not DecisionReason.PANIC


def test_a_burst_of_arrivals_counts_at_once_and_holds_replicas() -> None:
    watch = Watch(steady(2), spec(max_replicas=10, behavior=AT_ONCE))
    watch.see(readings(pods=2, **{**ROOMY, "ttft": 0.22}), 300)
    burst = readings(pods=2, **{**ROOMY, "ttft": 0.31, "offered": 20.0})
    assert watch.see(burst).to == 3
    quiet = readings(pods=2, **{**ROOMY, "ttft": 0.01, "completed": 20.0})
    assert watch.see(quiet, 60 - TICK).reason is DecisionReason.PANIC
    assert watch.see(quiet, 240).to == 1


def test_no_replica_leaves_during_a_rollout() -> None:
    decision = Watch(steady(3, rolling_out=True)).see(readings(pods=3, **ROOMY), 1800)
    assert (decision.to, decision.reason) == (3, DecisionReason.ROLLOUT_IN_PROGRESS)


@pytest.mark.parametrize(("regret", "left"), [(None, 2), (Regret(0.0, 1800.0, 1e9), 3)])
def test_during_a_canary_none_leaves_after_one_had_to_be_taken_back(regret: Regret | None, left: int) -> None:
    """A canary's replicas may carry less than those from which the law has learned."""
    watch = Watch(steady(3, mixed=True))
    watch.memory = replace(watch.memory, regret=regret)
    assert watch.see(readings(pods=3, **ROOMY), 1800).to == left


def test_the_estimate_counts_where_buckets_are_wide() -> None:
    seen = readings(pods=2, **{**ROOMY, "ttft": 0.49})
    near = replace(seen, objectives=(replace(seen.objectives[0], promised=0.26),))
    assert Watch(steady(2)).see(near).to == 2


def test_the_message_has_the_numbers() -> None:
    decision = Watch(steady(2)).see(readings(pods=2, **{**ROOMY, "ttft": 0.62}))
    assert decision.message == (
        "2 -> 5 replicas: timeToFirstToken 620ms against 500ms, ratio 1.24; "
        "grown by the ratio, which is above the threshold"
    )


def test_a_limit_is_named() -> None:
    decision = Watch(steady(2), spec(max_replicas=2)).see(readings(pods=2, **{**ROOMY, "ttft": 0.62}))
    assert (decision.reason, decision.limited_by) == (DecisionReason.AT_MAXIMUM, DecisionReason.AT_MAXIMUM)
    assert decision.message.endswith(
        "ratio 1.24; grown by the ratio, which is above the threshold; maxReplicas is reached"
    )
