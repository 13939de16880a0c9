"""Prometheus cannot be read, wholly or in part: what is serving goes on serving, and scaling goes on afterwards."""

from dataclasses import dataclass, replace

import pytest
from aifactory.autoscale.decision import DecisionReason
from aifactory.simulate.world import World

from tests.robustness import faults
from tests.robustness.faults import Spoil
from tests.robustness.loads import MINUTE, steady
from tests.robustness.loop import CASES, ENGINE, IDLE, PEAK, RAMP, Case, Run, run
from tests.robustness.prometheus_api import Fault

UNREACHABLE = {
    "connection refused": faults.refused,
    "timeout": faults.silent,
    "login page": faults.page,
    "503": faults.server_error,
    "500": faults.bad_gateway,
    "cut off": faults.cut_off,
    "10 MB of HTML": faults.ten_megabytes_of_nothing,
}
NOT_SCRAPED = {
    "empty vectors": faults.nothing,
    "NaN everywhere": faults.everything("NaN"),
    "Inf everywhere": faults.everything("+Inf"),
    "-1 everywhere": faults.everything("-1"),
    "running renamed": faults.renamed("running"),
}
MISSING = {
    "NaN in every latency": faults.not_a_number,
    "Inf in every latency": faults.infinite,
    "negative latencies": faults.negative,
    "ITL renamed": faults.renamed("inter_token_latency"),
    "waiting renamed": faults.renamed("waiting"),
    "KV cache renamed": faults.renamed("kv_cache_usage"),
}
BLIND = {**UNREACHABLE, **NOT_SCRAPED, **MISSING}
UNREADABLE = {DecisionReason.METRICS_ERROR, DecisionReason.NO_DATA, DecisionReason.PODS_NOT_SCRAPED}
# Of each kind those that every load meets; at idle, where a careless law removes most, all of them are tried.
THOROUGHLY = [
    "connection refused",
    "login page",
    "10 MB of HTML",
    "NaN everywhere",
    "Inf everywhere",
    "-1 everywhere",
    "Inf in every latency",
    "ITL renamed",
    "running renamed",
]
OUTAGE = 5 * MINUTE
LONGER = {"peak": steady(1.5, 32), "idle": steady(0.1, 45)}


@dataclass(frozen=True)
class Blinded:
    """A run of which Prometheus is away for a while, and when it is back (seconds)."""

    case: Case
    spoil: Spoil
    lasts: float = OUTAGE

    @property
    def ends(self) -> float:
        return self.case.begins + self.lasts

    def run(self, **scaling: object) -> Run:
        fault = Fault(self.case.begins, self.ends, self.spoil)
        return run(self.case.load, fault, replicas=self.case.replicas, **scaling)


def reason(name: str) -> str:
    """What `MetricsAvailable` says."""
    if name in UNREACHABLE:
        return "PrometheusUnreachable"
    return "PodsNotScraped" if name in NOT_SCRAPED else "MetricsMissing"


@pytest.mark.parametrize("name", BLIND)
def test_rule_01_at_idle_nothing_changes_until_signals_are_back(name: str) -> None:
    blinded = Blinded(IDLE, BLIND[name])
    found, begins, ends = blinded.run(), IDLE.begins, blinded.ends
    assert found.actions(begins, ends) == []
    assert found.reasons(begins + MINUTE, ends) <= UNREADABLE
    assert found.conditions(ends - 15)["MetricsAvailable"] == ("False", reason(name))
    assert found.conditions(ends + MINUTE)["MetricsAvailable"][0] == "True"
    assert found.replicas(ends + 15 * MINUTE) == found.scenario.scaling.min_replicas
    assert found.added() == 0


@pytest.mark.parametrize("name", THOROUGHLY)
def test_rule_01_at_the_peak_what_serves_goes_on_serving(name: str) -> None:
    blinded = Blinded(PEAK, BLIND[name])
    found, begins, ends = blinded.run(), PEAK.begins, blinded.ends
    assert found.removed(begins, ends + 3 * MINUTE) == 0
    assert found.attainment() >= PEAK.usual.attainment() - 0.01
    assert found.conditions(ends - 15)["ScalingActive"] == ("False", "Holding")
    assert found.conditions(ends + MINUTE)["ScalingActive"] == ("True", "FollowingObjectives")
    assert len(found.actions(begins)) <= len(PEAK.usual.actions(begins)) + 2
    assert found.returns() == 0


@pytest.mark.parametrize("name", THOROUGHLY)
def test_rule_01_load_that_grew_unseen_is_caught_up_with(name: str) -> None:
    blinded = Blinded(RAMP, BLIND[name])
    found, begins, ends = blinded.run(), RAMP.begins, blinded.ends
    assert found.removed(begins, ends) == 0
    assert found.attainment(ends + 3 * MINUTE) >= RAMP.usual.attainment(ends + 3 * MINUTE) - 0.02
    assert found.returns() == 0


@pytest.mark.parametrize("case", ["peak", "idle"])
def test_rule_01_an_outage_of_twenty_minutes_holds_all_of_it(case: str) -> None:
    blinded = Blinded(replace(CASES[case], load=LONGER[case]), faults.refused, 20 * MINUTE)
    found, ends = blinded.run(), blinded.ends
    before = found.replicas(blinded.case.begins)
    assert {tick.decision.to for tick in found.within(blinded.case.begins, ends)} == {before}
    assert found.reasons(blinded.case.begins, ends) == {DecisionReason.METRICS_ERROR}
    assert found.conditions(ends - 15)["MetricsAvailable"] == ("False", "PrometheusUnreachable")
    assert found.conditions(ends + MINUTE)["ScalingActive"][0] == "True"
    assert found.attainment() >= 0.98


@pytest.mark.parametrize("case", ["peak", "idle"])
def test_rule_01_the_fallback_raises_after_its_time_and_is_given_back_in_peace(case: str) -> None:
    blinded = Blinded(replace(CASES[case], load=LONGER[case]), faults.refused, 12 * MINUTE)
    found = blinded.run(fallback={"replicas": 7, "after": "10m"})
    begins, ends = blinded.case.begins, blinded.ends
    assert found.actions(begins, begins + 9.5 * MINUTE) == []
    assert found.replicas(begins + 11 * MINUTE) == 7
    assert DecisionReason.FALLBACK in found.reasons(begins, ends)
    assert found.removed(begins, ends) == 0
    assert found.removed(ends) >= 1
    assert found.returns() <= 1


def test_rule_01_a_fallback_below_what_serves_changes_nothing() -> None:
    blinded = Blinded(IDLE, faults.refused, 12 * MINUTE)
    found = blinded.run(fallback={"replicas": 2, "after": "10m"})
    assert found.actions(blinded.case.begins, blinded.ends) == []


@pytest.mark.parametrize("case", ["peak", "idle"])
def test_samples_that_grow_old_are_no_signal(case: str) -> None:
    """Prometheus answers, but has scraped nothing for eight minutes."""
    one = CASES[case]
    ends = one.begins + 8 * MINUTE
    events = [(one.begins, stop_scraping), (ends, scrape_again)]
    found = run(one.load, replicas=one.replicas, events=events)
    window = one.begins + 1.5 * MINUTE
    assert found.actions(window, ends) == []
    assert found.reasons(window, ends) <= UNREADABLE
    assert found.conditions(ends - 15)["MetricsAvailable"][0] == "False"
    assert found.conditions(ends + 2 * MINUTE)["MetricsAvailable"][0] == "True"
    assert found.attainment() >= one.usual.attainment() - 0.01
    assert found.returns() == 0


def stop_scraping(world: World, now: float) -> None:
    world.prometheus.paused = True


def scrape_again(world: World, now: float) -> None:
    world.prometheus.paused = False


def test_ten_megabytes_of_other_services_do_not_disturb_this_one() -> None:
    fault = Fault(PEAK.begins, PEAK.begins + 15, faults.a_crowd)
    found = run(PEAK.load, fault, replicas=PEAK.replicas)
    assert [tick.decision for tick in found.ticks] == [tick.decision for tick in PEAK.usual.ticks]


def test_an_outage_that_comes_and_goes_neither_removes_nor_churns() -> None:
    """Every other minute Prometheus cannot be reached."""
    flaps = [Fault(at * MINUTE, (at + 1) * MINUTE, faults.refused) for at in range(3, 20, 2)]
    found = run(PEAK.load, *flaps, replicas=PEAK.replicas)
    assert found.removed() == 0
    assert found.attainment() >= PEAK.usual.attainment() - 0.01
    assert len(found.actions()) <= len(PEAK.usual.actions()) + 2


@pytest.mark.parametrize("case", CASES)
def test_queries_that_fail_now_and_then_neither_remove_nor_churn(case: str) -> None:
    one = CASES[case]
    ends = one.begins + 8 * MINUTE
    found = run(one.load, Fault(one.begins, ends, faults.now_and_then(seed=5)), replicas=one.replicas)
    assert found.removed(one.begins, ends) == 0
    assert found.attainment() >= one.usual.attainment() - 0.01
    assert found.added() <= one.usual.added() + 2
    assert found.returns() <= one.usual.returns()


def test_a_missing_queue_adds_no_replica_to_a_service_with_hardly_anything_to_do() -> None:
    """One request alone takes half of the time that the target allows between tokens."""
    slow = replace(ENGINE, timing=replace(ENGINE.timing, base=0.02))
    found = run(
        IDLE.load,
        Fault(IDLE.begins, IDLE.begins + 10 * MINUTE, BLIND["waiting renamed"]),
        replicas=IDLE.replicas,
        engine=slow,
    )
    assert found.added() == 0


@pytest.mark.parametrize("field", ["completed", "generation_tokens"])
def test_without_a_rate_it_still_scales_up_in_time(field: str) -> None:
    """The engine renames a counter: latencies and queue are still known."""
    found = run(RAMP.load, Fault(RAMP.begins, 11 * MINUTE, faults.renamed(field)), replicas=RAMP.replicas)
    assert found.attainment() >= RAMP.usual.attainment() - 0.02
    assert found.returns() <= RAMP.usual.returns()
