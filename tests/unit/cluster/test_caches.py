"""Jobs, claims and pods of a cache as plain values."""

import json
from typing import Any

from aifactory.api.conditions import Reason
from aifactory.cluster.caches import CacheStore, attempt_of

KEY = ("chat", "weights")
OWNER = {"kind": "ModelCache", "name": "weights", "uid": "cache-uid"}


def ended(code: int, message: str, reason: str = "Error") -> dict[str, Any]:
    return {"terminated": {"exitCode": code, "reason": reason, "message": message}}


def pod(**states: Any) -> dict[str, Any]:
    metadata = {"name": "weights-1-a", "creationTimestamp": "2026-01-01T00:00:00Z", "labels": {JOB: "weights-1"}}
    statuses = {name: [{"name": name, "state": state}] for name, state in states.items()}
    status = {"initContainerStatuses": statuses.get("plan", []), "containerStatuses": statuses.get("fetch", [])}
    return {"metadata": metadata, "status": status}


JOB = "batch.kubernetes.io/job-name"


def test_the_words_of_a_step_that_ended_well_are_its_outcome() -> None:
    found = attempt_of(pod(plan=ended(0, json.dumps({"revision": "abc", "bytesTotal": 5})), fetch={"running": {}}))
    assert found.planned is not None
    assert (found.job, found.planned.revision, found.planned.bytes_total) == ("weights-1", "abc", 5)
    assert (found.fetched, found.failed) == (None, None)


def test_the_words_of_a_step_that_failed_are_its_cause() -> None:
    found = attempt_of(pod(plan=ended(3, json.dumps({"reason": "Unauthorized", "message": "401"}))))
    assert found.failed is not None
    assert (found.failed.reason, found.failed.message) == (Reason.UNAUTHORIZED, "401")
    assert found.planned is None


def test_a_step_without_last_words_is_told_by_how_it_ended() -> None:
    found = attempt_of(pod(fetch=ended(137, "Traceback\nMemoryError", "OOMKilled")))
    assert found.failed is not None
    assert found.failed.reason is Reason.DOWNLOAD_FAILED
    assert found.failed.message == "OOMKilled, exit code 137: MemoryError"


def test_a_pod_that_is_to_end_should_be_gone_when_its_time_is_over() -> None:
    leaving = pod(fetch={"running": {}})
    leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:40Z"
    assert attempt_of(leaving).overdue_since == attempt_of(pod(fetch={"running": {}})).pod.created_at + 40


def test_what_belongs_to_a_cache_is_observed_and_what_belonged_to_an_earlier_one_is_not() -> None:
    store = CacheStore()
    store.put("ModelCache", {"metadata": {**metadata("weights", 1), "uid": "cache-uid"}})
    claim = {"metadata": {**metadata("weights-weights", 2), "ownerReferences": [OWNER]}, "status": {"phase": "Bound"}}
    store.put("PersistentVolumeClaim", claim)
    store.put("Job", job("weights-1", 3, {"type": "Complete", "status": "True"}))
    failed = {"type": "Failed", "status": "True", "message": "too often", "lastTransitionTime": "2026-01-01T00:00:09Z"}
    store.put("Job", job("weights-2", 4, failed))
    other = job("weights-0", 5, {})
    other["metadata"]["ownerReferences"] = [{**OWNER, "uid": "earlier"}]
    store.put("Job", other)
    found = store.observe(KEY)
    assert found.claim is not None
    assert found.claim.bound
    one, two = sorted(found.downloads, key=lambda download: download.name)
    assert (one.name, one.succeeded, one.folder) == ("weights-1", True, "copy-1")
    assert (two.failed_at, two.failure) == (1767225609.0, "too often")


def test_a_claim_whose_volume_is_gone_is_lost() -> None:
    store = CacheStore()
    store.put("ModelCache", {"metadata": {**metadata("weights", 1), "uid": "cache-uid"}})
    claim = {"metadata": {**metadata("weights-weights", 2), "ownerReferences": [OWNER]}, "status": {"phase": "Lost"}}
    store.put("PersistentVolumeClaim", claim)
    assert store.observe(KEY).lost


def metadata(name: str, version: int) -> dict[str, Any]:
    when = "2026-01-01T00:00:00Z"
    uid = {"uid": f"uid-{name}", "resourceVersion": str(version)}
    return {"name": name, "namespace": "chat", "creationTimestamp": when, **uid}


def job(name: str, version: int, condition: dict[str, str]) -> dict[str, Any]:
    labels = {"aifactory.dev/folder": "copy-1"}
    status = {"conditions": [condition]} if condition else {}
    return {"metadata": {**metadata(name, version), "labels": labels, "ownerReferences": [OWNER]}, "status": status}
