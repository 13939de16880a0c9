"""An operator with nothing to do does nothing."""

import time
from collections.abc import Iterable

import pytest

from tests.e2e.conftest import Serve
from tests.e2e.kube import Kube, Object, path
from tests.e2e.service import CHILDREN, TTFT_ONLY, condition, scaling
from tests.e2e.waiting import History

QUIET_SECONDS = 120
SETTLED_SECONDS = 10
WATCHED = (*CHILDREN, "pods", "replicasets", "events")


@pytest.mark.slow
def test_a_converged_service_is_left_alone_for_two_minutes(kube: Kube, serve: Serve) -> None:
    service = serve(scaling=scaling(1, 2), slo=TTFT_ONLY)
    service.wait_ready()
    service.wait("every signal is read", lambda: service.is_("ScalingActive", "True"))
    began = time.time()
    changes = {plural: History(kube.watch(path(service.namespace, plural))) for plural in WATCHED}
    service.wait("nothing else changes", lambda: time.time() - _newest(changes.values(), began) > SETTLED_SECONDS)

    known = {plural: len(history.seen) for plural, history in changes.items()}
    already, before = len(service.statuses.seen), service.stored
    service.hold("Ready", lambda: service.is_("Ready", "True"), QUIET_SECONDS)

    for plural, history in changes.items():
        seen = [obj for _, _, obj in history.seen[known[plural] :] if not _of_a_busy_node(obj)]
        assert not seen, f"{plural} changed: {seen}"
        history.stop()
    for _, _, obj in service.statuses.seen[already:]:
        assert _without_numbers(obj) == _without_numbers(before)


def _newest(changes: Iterable[History], began: float) -> float:
    """When something changed last, or the watch `began` (epoch seconds)."""
    seen = (entry for history in changes for entry in history.seen)
    return max((at for at, _, obj in seen if not _of_a_busy_node(obj)), default=began)


def _of_a_busy_node(obj: Object) -> bool:
    """A probe that took long."""
    return bool(obj.get("reason") == "Unhealthy")


def _without_numbers(obj: Object) -> Object:
    """What may change only when something happens: no live numbers, no versions."""
    conditions = {item["type"]: (item["status"], item["reason"]) for item in obj["status"]["conditions"]}
    return {
        "spec": obj["spec"],
        "conditions": conditions,
        "replicas": obj["status"]["replicas"],
        "ready": condition(obj, "Ready"),
    }
