"""Who knows the future: timetables by hand, and what they cost."""

from dataclasses import replace
from math import inf

import pytest
from aifactory.simulate.capacity import demand, needed, replicas_for
from aifactory.simulate.oracle import at_least, covering, timetables
from aifactory.simulate.policies.fixed import Fixed
from aifactory.simulate.record import figures
from aifactory.simulate.registry import POLICIES
from aifactory.simulate.run import run_policy
from aifactory.simulate.trace import Request
from aifactory.simulate.world import World

from tests.simulate.scenes import capacity, poisson, scene


def test_replicas_are_asked_for_a_start_before_they_are_needed() -> None:
    assert covering([1, 1, 3, 1], 60.0, 30.0) == [(0.0, 1), (90.0, 3), (180.0, 1), (240.0, 0)]


def test_a_replica_stays_over_a_gap_as_long_as_a_start() -> None:
    assert covering([2, 1, 2, 1], 60.0, 60.0) == [(0.0, 2), (180.0, 1), (240.0, 0)]


def test_what_cannot_be_asked_for_in_time_is_there_from_the_start() -> None:
    assert covering([1, 2], 60.0, 100.0)[0] == (0.0, 2)


def test_demand_counts_requests_by_their_work() -> None:
    light, heavy = Request(0.0, 100, 10), Request(70.0, 1000, 100)
    bins = demand(scene([light, heavy]), 60.0)
    assert bins[1] > 9 * bins[0]
    assert sum(bins) * 60 == 2.0


def test_the_profile_of_the_demo_engine_is_where_its_objectives_begin_to_break() -> None:
    found = capacity()
    assert 3.5 < found.rate < 5.5
    assert found.enough == 0.99


def test_needs_keep_within_the_bounds_of_the_service() -> None:
    scenario = scene(poisson(40, 120), minReplicas=2, maxReplicas=3)
    assert set(needed(scenario, capacity(), 60.0)) == {3}
    quiet = scene(poisson(1, 120), minReplicas=2, maxReplicas=3)
    assert set(needed(quiet, capacity(), 60.0)) == {2}


BURSTS = [*poisson(3, 240), *poisson(14, 120, start=240), *poisson(3, 240, start=360)]
TABLE = [(0.0, 2), (200.0, 5), (365.0, 2), (500.0, 1)]


@pytest.mark.parametrize("replicas", range(1, 6))
def test_a_trial_has_the_verdict_of_a_whole_run(replicas: int) -> None:
    scenario, enough = scene(BURSTS), capacity().enough
    trial = World(scenario, Fixed([(0.0, replicas)]), enough=enough).run(replicas)
    whole = World(scenario, Fixed([(0.0, replicas)])).run(replicas)
    assert (trial.attainable >= enough) == (figures(whole).attainment >= enough)
    if trial.attainable >= enough:
        assert (trial.answers, trial.gpu_seconds) == (whole.answers, whole.gpu_seconds)


def test_a_trial_ends_as_soon_as_too_many_requests_are_late() -> None:
    trial = World(scene(BURSTS), Fixed([(0.0, 1)]), enough=0.99).run(1)
    assert trial.missed == int(0.01 * len(BURSTS)) + 1
    assert len(trial.answers) < len(BURSTS) / 2


def test_a_replica_that_would_serve_on_for_as_long_as_the_gap_stays_as_well() -> None:
    assert len(covering([2, 1, 1, 2, 1], 60.0, 60.0)) == 5
    assert covering([2, 1, 1, 2, 1], 60.0, 60.0, 60.0) == [(0.0, 2), (240.0, 1), (300.0, 0)]


@pytest.mark.parametrize(
    ("room", "fewest", "engine"), [(inf, 1, "vllm"), (3, 1, "vllm"), (inf, 3, "vllm"), (inf, 1, "nim"), (3, 1, "nim")]
)
def test_a_timetable_costs_what_it_says_and_little_more(room: float, fewest: int, engine: str) -> None:
    """A pod of NIM serves on for two minutes after it was told to leave."""
    scenario = replace(scene(BURSTS, minReplicas=fewest, runtime=engine), room=room)
    least, cost = at_least(scenario, TABLE), World(scenario, Fixed(TABLE)).run(2).gpu_seconds
    assert 0.8 * cost < least <= cost


@pytest.mark.parametrize("engine", ["vllm", "nim"])
def test_the_oracle_costs_no_more_than_any_count_of_load_that_keeps_the_promise(engine: str) -> None:
    scenario = scene(BURSTS, startup=30.0, runtime=engine)
    least = run_policy("oracle", scenario, capacity()).record.gpu_seconds
    kept = 0
    for seconds in (60.0, 15.0, 5.0):
        for step in range(-4, 6):
            table = covering(replicas_for(demand(scenario, seconds), scenario, capacity(), 1.07**step), seconds, 48.0)
            record = World(scenario, Fixed(table), enough=capacity().enough).run(table[0][1])
            if record.attainable >= capacity().enough:
                kept += 1
                assert least <= record.gpu_seconds
    assert kept > 3


def test_the_oracle_keeps_the_promise_for_less_than_the_peak_costs() -> None:
    scenario = scene(BURSTS, startup=30.0)
    oracle, peak = (run_policy(name, scenario, capacity()).figures for name in ("oracle", "static-peak"))
    assert oracle.attainment >= capacity().enough
    assert oracle.gpu_hours < 0.8 * peak.gpu_hours


def test_a_load_beyond_all_bounds_gets_all_replicas() -> None:
    scenario = scene(poisson(30, 120), maxReplicas=2)
    assert max(replicas for _, replicas in timetables(scenario, [capacity()])[0]) == 2
    assert set(POLICIES) >= {"oracle"}
