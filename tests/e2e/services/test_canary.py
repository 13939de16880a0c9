"""A changed spec is tried on a few replicas under load: taken for all when it is as good, taken back when it is not."""

import pytest

from tests.e2e.conftest import Serve
from tests.e2e.install import GPU
from tests.e2e.kube import Kube, Object, path
from tests.e2e.service import TTFT_ONLY, Service, runtime
from tests.e2e.waiting import PATIENCE

ROLLOUT: Object = {"maxSurge": 1, "canary": {"steps": ["30%", "60%"], "stepDuration": "15s", "minRequests": 8}}
NEW = "--max-model-len=8192"


def test_a_canary_that_is_as_good_is_taken_for_all_replicas_without_a_lost_request(serve: Serve) -> None:
    service = serve(replicas=3, slo=TTFT_ONLY, rollout=ROLLOUT)
    service.wait_ready()
    load = service.load("6@1200s", "--output-tokens", "16")
    load.wait_running()

    service.edit({"runtime": runtime(args=(NEW,))})
    service.wait("the canary holds", lambda: _rollout(service).get("phase") == "Promoting", 2 * PATIENCE)
    assert _tried(service) == [(1, 2, 1), (2, 1, 2)], service.explain()
    service.wait_ready()
    assert _rollout(service)["phase"] == "Promoted"
    service.wait("the canary has gone", lambda: len(service.pods) == 3 and not _canary(service))
    assert all(NEW in pod["spec"]["containers"][0]["args"] for pod in service.pods)
    summary = load.stop()
    assert summary["failed"] == 0, summary
    assert summary["completed"] > 0


@pytest.mark.slow
def test_the_only_replica_is_replaced_without_a_lost_request_where_there_are_gpus_for_two(
    kube: Kube, namespace: str, serve: Serve
) -> None:
    hard = {"spec": {"hard": {f"requests.{GPU}": "2"}}}
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "gpus"}} | hard
    kube.apply(path(namespace, "resourcequotas", "gpus"), quota)
    one_step = {"canary": ROLLOUT["canary"] | {"steps": ["50%"]}}
    service = serve(replicas=1, slo=TTFT_ONLY, rollout=ROLLOUT | one_step)
    service.wait_ready()
    load = service.load("4@1200s", "--output-tokens", "16")
    load.wait_running()

    service.edit({"runtime": runtime(args=(NEW,))})
    service.wait("it is replaced", lambda: _rollout(service).get("phase") == "Promoted", 3 * PATIENCE)
    service.wait("the canary has gone", lambda: len(service.pods) == 1 and not _canary(service))
    service.wait_ready()
    assert all(NEW in pod["spec"]["containers"][0]["args"] for pod in service.pods)
    summary = load.stop()
    assert summary["failed"] == 0, summary
    assert summary["completed"] > 0


def test_a_slow_canary_is_taken_back_and_the_others_do_not_suffer(serve: Serve) -> None:
    service = serve(replicas=3, slo=TTFT_ONLY, rollout=ROLLOUT)
    service.wait_ready()
    load = service.load("3@1200s", "--output-tokens", "2")
    load.wait_running()

    service.edit({"runtime": runtime(MODELSERVER_BASE_SECONDS=3)})
    service.wait("it is taken back", lambda: service.is_("Ready", "False", "CanaryRolledBack"), 2 * PATIENCE)
    assert _tried(service) == [(1, 2, 1)], service.explain()
    service.wait("the others serve alone", lambda: service.replicas == len(service.pods) == 3 and not _canary(service))
    assert service.steps == [3, 2, 3], service.explain()
    rollout = _rollout(service)
    (attained,) = rollout["attainment"]
    assert attained["objective"] == "timeToFirstToken"
    assert float(attained["stable"][:-1]) > 95 > float(attained["canary"][:-1]) + 30
    assert "change the spec to try again" in rollout["message"]
    assert load.stop()["failed"] == 0

    service.edit({"runtime": runtime()})
    # The variable goes with its name: a merge patch replaces the list.
    service.wait_ready()


def _rollout(service: Service) -> Object:
    found: Object = service.status.get("rollout") or {}
    return found


def _tried(service: Service) -> list[tuple[int, int, int]]:
    """Steps that were measured, each with the replicas of either side at their end: step, stable, canary."""
    seen: dict[int, tuple[int, int, int]] = {}
    for rollout in service.statuses.path(lambda obj: _measured(obj)):
        if rollout is not None:
            seen[rollout[0]] = rollout
    return list(seen.values())


def _measured(obj: Object) -> tuple[int, int, int] | None:
    rollout = (obj.get("status") or {}).get("rollout") or {}
    if rollout.get("phase") != "Progressing" or "since" not in rollout:
        return None
    return rollout["step"], rollout["replicas"]["stable"], rollout["replicas"]["canary"]


def _canary(service: Service) -> Object | None:
    return service.kube.find(path(service.namespace, "deployments", f"{service.name}-canary"))
