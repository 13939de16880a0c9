"""Replicas follow the time to first token, and nobody who asks notices."""

import time
from datetime import datetime
from itertools import pairwise

import pytest

from tests.e2e.conftest import Serve
from tests.e2e.kube import Object
from tests.e2e.service import LENIENT, Service, scaling
from tests.e2e.waiting import PATIENCE


@pytest.mark.slow
def test_rising_load_adds_replicas_until_no_objective_is_missed_and_falling_load_removes_them_one_at_a_time(
    serve: Serve,
) -> None:
    service = serve(scaling=scaling(1, 3, waitingPerReplica=1000), slo=LENIENT)
    service.wait_ready()
    chat = service.load("1@1500s", "--output-tokens", "96")
    peak = service.load("9@900s")

    service.wait("replicas are added", lambda: service.replicas > 1)
    service.wait("the objective is met again and stays so", lambda: _settled(service, 15), 2 * PATIENCE)
    highest = service.replicas
    assert service.steps == list(range(1, highest + 1)), service.explain()
    first = service.status["scaling"]["history"][-1]
    assert (first["from"], first["to"], first["signal"]) == (1, 2, "timeToFirstToken")

    assert peak.stop()["failed"] == 0
    service.wait("replicas are removed", lambda: service.replicas == 1 and len(service.pods) == 1, 2 * PATIENCE)
    summary = chat.stop()
    assert summary["failed"] == 0, summary
    assert summary["aborted_streams"] == 0
    down = service.steps[highest - 1 :]
    assert all(before - after == 1 for before, after in pairwise(down)), service.explain()


def test_the_idlest_replica_leaves_first_and_a_busy_one_stays(serve: Serve) -> None:
    service = serve(scaling=scaling(2, 2), slo=LENIENT)
    service.wait_ready()
    busy = max(service.pods, key=_age_rank)  # the one that Kubernetes would remove first by itself
    streams = service.load("0.8@900s", "--output-tokens", "200", url=f"http://{busy['status']['podIP']}:8000")
    streams.wait_running()
    service.wait("metrics of every replica", lambda: service.is_("MetricsAvailable", "True"))

    service.edit({"scaling": {"minReplicas": 1}})
    service.wait("one replica is left", lambda: len(service.pods) == 1)
    assert [pod["metadata"]["name"] for pod in service.pods] == [busy["metadata"]["name"]]
    assert service.steps == [2, 1]
    assert streams.stop()["failed"] == 0


def _settled(service: Service, seconds: float) -> bool:
    """The newest scaling is told, all replicas serve and the objective is met; neither changed for so long."""
    status = service.status
    counts, verdict = status["replicas"], service.condition("SLOMet")
    scaled = status.get("scaling", {}).get("lastScaleTime")
    if not scaled or verdict.get("status") != "True" or not counts["ready"] == counts["desired"] == service.replicas:
        return False
    latest = max(datetime.fromisoformat(change).timestamp() for change in (scaled, verdict["lastTransitionTime"]))
    return time.time() - latest > seconds


def _ready_since(pod: Object) -> str:
    conditions = pod["status"].get("conditions", [])
    return next(
        (item["lastTransitionTime"] for item in conditions if (item["type"], item["status"]) == ("Ready", "True")), ""
    )


def _age_rank(pod: Object) -> tuple[str, str]:
    """The ReplicaSet controller prefers the pod that turned ready last, then the youngest."""
    return _ready_since(pod), str(pod["metadata"]["creationTimestamp"])
