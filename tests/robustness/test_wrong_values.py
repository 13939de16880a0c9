"""Prometheus answers with numbers that are wrong: what they cost is bounded, and over soon after."""

from dataclasses import replace

import pytest
from aifactory.signals.queries import GAUGES, GROWTH

from tests.robustness import faults
from tests.robustness.faults import Spoil
from tests.robustness.loads import MINUTE
from tests.robustness.loop import CASES, ENGINE, IDLE, PEAK, RAMP, run
from tests.robustness.prometheus_api import Fault

SPIKES: dict[str, Spoil] = {
    "queue": faults.spike("waiting"),
    "gauges": faults.spike(*GAUGES),
    "growth": faults.spike(GROWTH),
    "completions": faults.spike("completed", "generation_tokens", "prompt_tokens"),
    "latency": faults.slow_spike,
}
TICK = 15.0
# maxReplicas of scaleUp, and maxPercent of five replicas.
ONE_STEP = 5


@pytest.mark.parametrize("case", ["peak", "idle"])
@pytest.mark.parametrize("name", SPIKES)
def test_a_spike_of_one_tick_costs_one_step_at_most_and_removes_nothing(name: str, case: str) -> None:
    one = CASES[case]
    found = run(one.load, Fault(one.begins, one.begins + TICK, SPIKES[name]), replicas=one.replicas)
    assert found.removed(one.begins, one.begins + TICK) == 0
    assert found.added(one.begins, one.begins + MINUTE) <= ONE_STEP
    assert found.replicas(one.load.end - MINUTE) <= one.usual.replicas(one.load.end - MINUTE) + 3
    assert found.attainment() >= one.usual.attainment() - 0.01
    assert found.returns() == 0


@pytest.mark.parametrize("name", SPIKES)
def test_a_spike_of_a_minute_is_over_a_quarter_of_an_hour_later(name: str) -> None:
    found = run(IDLE.load, Fault(IDLE.begins, IDLE.begins + MINUTE, SPIKES[name]), replicas=IDLE.replicas)
    assert found.removed(IDLE.begins, IDLE.begins + MINUTE) == 0
    assert found.replicas(IDLE.load.end - MINUTE) <= 4
    assert found.returns() == 0


@pytest.mark.parametrize("case", ["peak", "mid-ramp"])
def test_gauges_and_rates_that_are_off_by_two_fifths_do_not_make_it_flap(case: str) -> None:
    one = CASES[case]
    noisy = Fault(one.begins, one.load.end, faults.noise(0.4, seed=7))
    found = run(one.load, noisy, replicas=one.replicas)
    assert found.returns() <= one.usual.returns()
    assert len(found.actions()) <= len(one.usual.actions()) + 3
    assert found.attainment() >= one.usual.attainment() - 0.01


def test_a_queue_that_is_read_with_noise_of_two_fifths_does_not_make_it_flap() -> None:
    """Four requests at a time and the others wait, so that the queue is what replicas follow."""
    queueing = replace(ENGINE, limits=replace(ENGINE.limits, max_num_seqs=4))
    noisy = Fault(PEAK.begins, PEAK.load.end, faults.noise(0.4, seed=11))
    plain, found = (run(PEAK.load, *wrong, replicas=4, engine=queueing) for wrong in ((), (noisy,)))
    assert found.returns() <= plain.returns() + 1
    assert len(found.actions()) <= len(plain.actions()) + 4
    assert found.attainment() >= plain.attainment() - 0.02


@pytest.mark.parametrize("case", ["idle", "mid-ramp"])
def test_samples_that_come_twice_count_once(case: str) -> None:
    one = CASES[case]
    found = run(one.load, Fault(one.begins, one.begins + 5 * MINUTE, faults.repeated), replicas=one.replicas)
    assert [tick.decision for tick in found.ticks] == [tick.decision for tick in one.usual.ticks]


@pytest.mark.parametrize("case", ["idle", "mid-ramp"])
def test_pods_that_two_jobs_scrape_neither_run_away_nor_cost_the_objective(case: str) -> None:
    one = CASES[case]
    found = run(one.load, Fault(one.begins, one.begins + 7 * MINUTE, faults.scraped_twice), replicas=one.replicas)
    assert found.attainment() >= one.usual.attainment() - 0.02
    assert found.most() <= one.usual.most() + 3
    assert found.returns() <= 1


def test_a_queue_that_is_seen_three_times_too_long_is_given_back() -> None:
    found = run(RAMP.load, Fault(RAMP.begins, RAMP.begins + 5 * MINUTE, faults.times(3.0, "waiting", "running")))
    assert found.attainment() >= RAMP.usual.attainment() - 0.01
    assert found.returns() <= RAMP.usual.returns()


def test_a_latency_of_zero_does_not_empty_the_service() -> None:
    """A broken exporter says zero for everything, though requests run; only what all signals agree on may happen."""
    found = run(PEAK.load, Fault(PEAK.begins, PEAK.begins + 4 * MINUTE, faults.everything("0")), replicas=PEAK.replicas)
    assert found.removed(PEAK.begins, PEAK.begins + 4 * MINUTE) == 0
    assert found.attainment() >= PEAK.usual.attainment() - 0.01
