"""An offline service, whose requests wait, while things go wrong."""

from dataclasses import replace
from functools import cache

import pytest
from aifactory.autoscale.decision import DecisionReason

from tests.robustness import faults
from tests.robustness.faults import Spoil
from tests.robustness.loads import MINUTE, steady, steps
from tests.robustness.loop import Run, run
from tests.robustness.prometheus_api import Fault

# One replica completes two requests a second; between two batches there is nearly nothing to do.
LOAD = steps((12, 5.0), (23, 0.3), (12, 5.0), (13, 0.3))
BLIND = {
    "connection refused": faults.refused,
    "NaN everywhere": faults.everything("NaN"),
    "empty vectors": faults.nothing,
    "running renamed": faults.renamed("running"),
    "waiting renamed": faults.renamed("waiting"),
    "completions renamed": faults.renamed("completed"),
}


@cache
def usual() -> Run:
    return run(LOAD, offline={})


def test_batches_are_completed_in_time_with_few_replicas() -> None:
    assert usual().attainment() >= 0.99
    assert usual().most() <= 4
    assert usual().returns() == 0


@pytest.mark.parametrize("spoil", BLIND.values(), ids=BLIND)
@pytest.mark.parametrize("begins", [8.0, 16.0], ids=["in the batch", "after it"])
def test_while_it_is_blind_no_replica_leaves_and_afterwards_all_goes_on(spoil: Spoil, begins: float) -> None:
    begin, end = begins * MINUTE, (begins + 5) * MINUTE
    found = run(LOAD, Fault(begin, end, spoil), offline={})
    assert found.removed(begin + MINUTE, end) == 0
    assert found.attainment(end) >= 0.98
    assert found.replicas(35 * MINUTE) == 1


def test_a_few_long_requests_a_minute_are_a_stream_too() -> None:
    """Eighteen a minute, of which four replicas complete all; how many come in half a minute is mostly chance."""
    long = replace(steady(0.3, 180), answer=1500)
    found = run(long, offline={}, maxReplicas=10)
    assert found.attainment() >= 0.97
    assert found.returns() == 0


def test_a_replica_that_has_a_queue_stays_until_it_could_finish() -> None:
    """Two hours are enough for one replica; the others have more waiting than they finish in `drain.timeout`."""
    found = run(steps((10, 8.0), (30, 0.05)), offline={"completeWithin": "2h"}, replicas=3)
    assert DecisionReason.REQUESTS_QUEUED in found.reasons()
    assert found.record.aborted == 0
    assert found.attainment() == 1.0
    assert found.replicas(40 * MINUTE) == 1
