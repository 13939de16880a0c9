"""Offline services on whole traces: more tokens of each GPU, and everything in time."""

from aifactory.simulate.capacity import profile
from aifactory.simulate.record import Figures
from aifactory.simulate.run import run_policy
from aifactory.simulate.scenario import Scenario
from aifactory.simulate.trace import Request

from tests.simulate.scenes import poisson, scene

# Every twenty minutes a batch comes over four minutes, which one replica would not complete in ten.
BATCHES = [request for batch in range(5) for request in poisson(30, 240, start=1200.0 * batch, seed=batch)]
STEADY = poisson(20, 3600)


def figures(scenario: Scenario, policy: str = "aifactory") -> Figures:
    return run_policy(policy, scenario, profile(scenario)).figures


def test_batches_take_far_fewer_gpu_hours_than_those_of_people_who_wait_and_are_done_in_time() -> None:
    offline = figures(scene(BATCHES, slo={"workload": "offline"}))
    interactive = figures(scene(BATCHES, slo={"workload": "interactive"}))
    assert offline.attainment >= 0.99
    assert offline.tokens_per_gpu_hour > 1.6 * interactive.tokens_per_gpu_hour


def test_who_may_wait_for_longer_takes_fewer_replicas() -> None:
    soon, late = (
        figures(scene(BATCHES, slo={"workload": "offline", "completeWithin": within})) for within in ("5m", "30m")
    )
    assert late.attainment >= 0.99
    assert late.gpu_hours - 1800 * 2 / 3600 < soon.gpu_hours - 300 * 2 / 3600


def test_what_keeps_coming_costs_hardly_more_than_full_replicas() -> None:
    scenario = scene(STEADY, slo={"workload": "offline"})
    full = len(STEADY) / profile(scenario).rate / 3600 * scenario.gpus
    found = figures(scenario)
    assert found.attainment >= 0.99
    assert found.gpu_hours < 1.35 * full + scenario.gpus * 600 / 3600


def test_a_step_of_load_is_in_time_although_replicas_start_in_a_sixth_of_the_promise() -> None:
    step = [*poisson(5, 1200), *poisson(36, 1800, start=1200.0)]
    found = figures(scene(step, startup=300.0, slo={"workload": "offline", "completeWithin": "30m"}))
    assert found.attainment >= 0.99


def test_load_that_comes_back_after_half_an_hour_is_in_time_although_replicas_start_in_half_of_the_promise() -> None:
    halves = [request for half in range(2) for request in poisson(20, 1800, start=3600.0 * half, seed=half)]
    found = figures(scene(halves, startup=300.0, slo={"workload": "offline"}))
    assert found.attainment >= 0.99


def test_batches_that_together_are_more_than_a_replica_completes_are_in_time() -> None:
    """One each five minutes takes a replica nearly half a minute longer than that."""
    rate = profile(scene(STEADY, slo={"workload": "offline"})).rate
    batches = [Request(300.0 * batch, 64, 32) for batch in range(20) for _ in range(int(325 * rate))]
    found = figures(scene(batches, slo={"workload": "offline"}))
    assert found.attainment >= 0.99


def test_the_oracle_completes_everything_in_time_for_no_more_than_the_law_takes() -> None:
    scenario = scene([one for one in BATCHES if one.at < 2400], slo={"workload": "offline"})
    oracle, law = figures(scenario, "oracle"), figures(scenario)
    assert oracle.attainment >= 0.99
    assert oracle.gpu_hours < law.gpu_hours < 2 * oracle.gpu_hours
