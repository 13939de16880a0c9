"""The faults reach the operator as they would in production: as bytes, through its own client and parser."""

from tests.robustness.loads import steady
from tests.robustness.loop import run
from tests.robustness.prometheus_api import Fault

LOAD = steady(1.0, 10)


def test_a_prometheus_without_faults_reads_the_same_over_http() -> None:
    plain, over_http = run(LOAD, replicas=2), run(LOAD, Fault(0.0, LOAD.end, lambda _, vector: vector), replicas=2)
    assert len(plain.ticks) > 30
    assert [tick.decision for tick in plain.ticks] == [tick.decision for tick in over_http.ticks]
    for name in ("running", "waiting", "kv_cache_usage", "offered", "generation_tokens", "pods"):
        seen = ([getattr(tick.decided.readings, name) for tick in found.ticks] for found in (plain, over_http))
        assert next(seen) == next(seen)
