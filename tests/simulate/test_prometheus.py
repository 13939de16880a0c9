"""Scraped samples read as PromQL would read them."""

import pickle
from math import inf

import pytest
from aifactory.runtimes.vllm import DIALECT
from aifactory.signals.histogram import Histogram
from aifactory.signals.objectives import Objective, Signal
from aifactory.signals.readings import State
from aifactory.simulate.prometheus import Prometheus, growth, slope

from tests.simulate.scenes import EDGES, sample

SERVICE = ("demo", "chat")


def scraped(*pods: dict[float, int], start: float = 5.0) -> Prometheus:
    """Every 15 s from `start`, a minute long: the observations of each pod grow by the given ones at each scrape."""
    found = Prometheus(EDGES)
    for step in range(5):
        for index, counts in enumerate(pods):
            grown = {edge: count * step for edge, count in counts.items()}
            found.scraped(f"pod-{index}", sample(start + 15 * step, first_tokens=grown))
    return found


def test_what_is_counted_is_that_of_the_entry_where_there_is_one() -> None:
    found = scraped({0.25: 10}, {0.5: 30})
    for step in range(5):
        found.scraped("frontend", sample(7.0 + 15 * step, first_tokens={1.0: 15 * step}), entry=True)
    histogram = found.histogram("time_to_first_token", 70.0, 60.0)
    assert histogram is not None
    assert histogram.quantile(0.01) > 0.75
    assert found.rate("generation_tokens", 70.0, 60.0) == pytest.approx(1.0)
    assert found.latest(70.0).keys() == {"pod-0", "pod-1", "frontend"}


def test_pods_that_no_query_sees_any_more_are_forgotten() -> None:
    """A day has thousands of them."""
    found, sizes = Prometheus(EDGES), []
    for pod in range(200):
        for step in range(5):
            found.scraped(f"pod-{pod:03}", sample(60.0 * pod + 15 * step))
        found.lost(f"pod-{pod:03}")
        sizes.append(len(pickle.dumps(found)))
    assert max(sizes[100:]) < 1.1 * max(sizes[:50])


def test_a_steady_counter_has_its_rate() -> None:
    found = growth([5.0, 20.0, 35.0, 50.0], now=60.0, window=60.0)
    assert found is not None
    assert found.rate(100.0, 145.0) == pytest.approx(1.0)


def test_a_counter_that_has_just_begun_is_not_extrapolated_to_below_zero() -> None:
    # 10 of 30 at the first sample: zero was 7.5 s before it, which is nearer than the start of the window.
    found = growth([15.0, 30.0], now=40.0, window=40.0)
    assert found is not None
    assert found.rate(10.0, 30.0) == pytest.approx(20 * (15 + 7.5 + 10) / 15 / 40)


def test_samples_far_from_the_ends_of_the_window_are_extrapolated_by_half_their_distance() -> None:
    # The start of the window is two distances away, its end one.
    found = growth([20.0, 30.0], now=40.0, window=40.0)
    assert found is not None
    assert found.rate(1000.0, 1010.0) == pytest.approx(10 * (10 + 5 + 10) / 10 / 40)


def test_an_engine_that_begins_anew_has_the_rate_of_all_that_it_did() -> None:
    prometheus = Prometheus(EDGES)
    for step, count in enumerate((100, 115, 130, 5, 20)):
        prometheus.scraped("pod-0", sample(5.0 + 15 * step, first_tokens={0.5: count}))
    rate = prometheus.rate("generation_tokens", 65.0, 60.0)
    found = prometheus.histogram("time_to_first_token", 65.0, 60.0)
    assert found is not None
    # From 115 on, 15 to the end of the first engine and 20 by the second, in 45 of 60 seconds.
    assert found.total == rate == pytest.approx(35 / 45)


def test_one_sample_has_no_rate_and_no_slope() -> None:
    assert growth([5.0], now=10.0, window=60.0) is None
    assert slope([(5.0, 1.0)]) is None


def test_the_slope_is_that_of_least_squares() -> None:
    assert slope([(0.0, 1.0), (10.0, 21.0), (20.0, 41.0)]) == pytest.approx(2.0)
    assert slope([(0.0, 0.0), (10.0, 30.0), (20.0, 0.0)]) == pytest.approx(0.0)


def test_histograms_of_all_pods_add_up() -> None:
    found = scraped({0.1: 15, 0.5: 30}, {0.5: 15, 10.0: 15}).histogram("time_to_first_token", 66.0, 60.0)
    assert isinstance(found, Histogram)
    counts = dict(zip((*found.edges, inf), (*found.counts, found.total), strict=True))
    assert counts[0.08] == 0
    assert counts[0.1] == pytest.approx(1.0, rel=0.1)
    assert counts[0.5] == pytest.approx(4.0, rel=0.1)
    assert counts[inf] == pytest.approx(5.0, rel=0.1)


def test_the_window_is_open_at_its_beginning() -> None:
    prometheus = scraped({0.1: 15})
    assert prometheus.histogram("time_to_first_token", 80.0, 15.0) is None
    assert prometheus.histogram("time_to_first_token", 79.9, 30.0) is not None


def test_a_pod_that_is_gone_has_no_gauges_but_still_its_rates() -> None:
    prometheus = scraped({0.1: 15}, {0.1: 15})
    prometheus.lost("pod-1")
    assert set(prometheus.latest(66.0)) == {"pod-0"}
    found = prometheus.histogram("time_to_first_token", 66.0, 60.0)
    assert found is not None
    assert found.total == pytest.approx(2.0, rel=0.1)


def test_gauges_are_found_for_five_minutes_after_the_last_scrape() -> None:
    prometheus = scraped({0.1: 15})
    assert prometheus.latest(365.0)
    assert not prometheus.latest(365.1)


def test_the_operator_reads_a_snapshot_like_one_of_its_own() -> None:
    prometheus = Prometheus(EDGES)
    for step in range(5):
        prometheus.scraped("pod-0", sample(5.0 + 15 * step, waiting=step, first_tokens={0.25: 30 * step}))
    objective = Objective(Signal.TTFT, 0.5, 95)
    snapshot = prometheus.snapshot(SERVICE, ["time_to_first_token"], 66.0, 60.0)
    readings = snapshot.service(*SERVICE, {"pod-0"}, [objective], [DIALECT])
    assert readings.objectives[0].observed.state is State.OK
    assert 0.1 < (readings.objectives[0].observed.value or 0.0) <= 0.25
    assert readings.objectives[0].attainment == 1.0
    assert readings.waiting.value == 4
    assert readings.offered.value == pytest.approx(1 / 15)


def test_without_a_sample_nothing_is_known() -> None:
    objective = Objective(Signal.TTFT, 0.5, 95)
    snapshot = Prometheus(EDGES).snapshot(SERVICE, ["time_to_first_token"], 66.0, 60.0)
    readings = snapshot.service(*SERVICE, {"pod-0"}, [objective], [DIALECT])
    assert readings.waiting.state is State.MISSING
    assert readings.objectives[0].observed.state is State.MISSING
