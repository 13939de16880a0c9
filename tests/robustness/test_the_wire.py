"""The faults reach the operator as they would in production: as bytes, through its own client and parser."""

from tests.robustness.loop import MINUTE, run, steady
from tests.robustness.prometheus_api import Fault

LOAD = steady(2.0, 10)


def test_a_prometheus_without_faults_reads_the_same_over_http() -> None:
    plain, over_http = run(LOAD, replicas=2), run(LOAD, Fault(0.0, 600.0, lambda _, vector: vector), replicas=2)
    assert [tick.decision for tick in plain.ticks] == [tick.decision for tick in over_http.ticks]
    assert [tick.decided.readings.running for tick in plain.ticks] == [
        tick.decided.readings.running for tick in over_http.ticks
    ]
    assert len(plain.ticks) == 10 * MINUTE / 15 - 0
