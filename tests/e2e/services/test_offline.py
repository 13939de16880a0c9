"""An offline service lets requests wait, and says when they will be late."""

import pytest

from tests.e2e.conftest import Serve
from tests.e2e.service import Service, runtime, scaling

OFFLINE = {"workload": "offline", "completeWithin": "1m"}


@pytest.mark.slow
def test_a_backlog_adds_a_replica_and_says_that_it_will_be_late_and_nothing_is_lost(serve: Serve) -> None:
    slow = runtime(MODELSERVER_MAX_NUM_SEQS=4)  # four requests a second
    soon = {"stabilizationWindow": "5s", "period": "5s", "maxReplicas": 1}
    service = serve(slo=OFFLINE, scaling=scaling(1, 2, scaleDown=soon), runtime=slow)
    service.wait_ready()
    load = service.load("16@40s", "--max-in-flight", "5000", "--timeout", "300")

    service.wait("a replica is added", lambda: service.replicas == 2)
    history = service.wait("the decision is told", lambda: service.status.get("scaling", {}).get("history"))
    added = history[-1]
    assert (added["from"], added["to"], added["signal"]) == (1, 2, "backlog"), service.explain()
    service.wait("requests will be late", lambda: service.is_("SLOMet", "False", "BacklogLate"))

    summary = load.summary(400)
    assert summary["failed"] == 0, summary
    service.wait("nobody asks", lambda: service.is_("SLOMet", "Unknown", "Idle"))
    service.wait("one replica is left", lambda: service.replicas == 1)
    service.wait("requests that were late are counted", lambda: 0 < _in_time(service) < 100)


def _in_time(service: Service) -> float:
    """Percent of the requests of five minutes; the objective is what was promised."""
    (seen,) = service.status["slo"]
    assert (seen["objective"], seen["target"]) == ("endToEndLatency", "p99 <= 1m")
    return float(seen.get("attainment5m", "0%").rstrip("%"))
