"""What is known of caches, as the plain values of `aifactory.cache.observed`."""

from collections.abc import Iterator, Mapping
from typing import Any

from aifactory.api.conditions import Reason
from aifactory.api.download import Outcome
from aifactory.cache import labels
from aifactory.cache.job import FETCH, PLAN
from aifactory.cache.observed import Attempt, CacheObserved, Claim, Download
from aifactory.status.numbers import epoch

from .kinds import CACHES, Key
from .objects import Objects
from .read import pod_of

_JOB = "batch.kubernetes.io/job-name"
_LONGEST_LOG = 500


class CacheStore(Objects[Attempt]):
    """ModelCaches with their children and pods."""

    def __init__(self) -> None:
        super().__init__(CACHES, attempt_of)

    def observe(self, key: Key) -> CacheObserved:
        """What the cluster holds for one cache; objects of an earlier cache of the same name are left out."""
        children = self.children(key)
        claims = (_claim_of(child) for (kind, _), child in children.items() if kind == "PersistentVolumeClaim")
        jobs = (_download_of(child) for (kind, _), child in children.items() if kind == "Job")
        return CacheObserved(children, next(claims, None), tuple(jobs), self.pods(key))


def attempt_of(obj: Mapping[str, Any]) -> Attempt:
    """A pod of a download and what its steps have said when they ended."""
    status = obj.get("status") or {}
    containers = [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]
    ended = {one["name"]: (one.get("state") or {}).get("terminated") for one in containers}
    return Attempt(
        pod=pod_of(obj),
        job=(obj["metadata"].get("labels") or {}).get(_JOB, ""),
        planned=_done(ended.get(PLAN)),
        fetched=_done(ended.get(FETCH)),
        failed=next(_failures(ended.get(name) for name in (FETCH, PLAN)), None),
        overdue_since=epoch(obj["metadata"].get("deletionTimestamp")),
    )


def _done(terminated: Mapping[str, Any] | None) -> Outcome | None:
    """What a step has achieved, None if it has not ended well."""
    if terminated is None or terminated.get("exitCode") != 0:
        return None
    return Outcome.read(terminated.get("message", "")) or Outcome()


def _failures(ended: Iterator[Mapping[str, Any] | None]) -> Iterator[Outcome]:
    for terminated in ended:
        if terminated is not None and terminated.get("exitCode") != 0:
            text = (terminated.get("message") or "").strip()
            reason = f"{terminated.get('reason', 'Error')}, exit code {terminated.get('exitCode')}"
            last = text.splitlines()[-1][-_LONGEST_LOG:] if text else ""
            unsaid = Outcome(reason=Reason.DOWNLOAD_FAILED, message=": ".join(filter(None, (reason, last))))
            yield Outcome.read(text) or unsaid


def _claim_of(claim: Mapping[str, Any]) -> Claim:
    metadata = claim["metadata"]
    phase = (claim.get("status") or {}).get("phase")
    created = epoch(metadata.get("creationTimestamp")) or 0.0
    return Claim(metadata["uid"], created, bound=phase == "Bound", lost=phase == "Lost")


def _download_of(job: Mapping[str, Any]) -> Download:
    metadata, status = job["metadata"], job.get("status") or {}
    conditions = {one["type"]: one for one in status.get("conditions") or [] if one["status"] == "True"}
    failed = conditions.get("Failed", {})
    return Download(
        name=metadata["name"],
        folder=(metadata.get("labels") or {}).get(labels.FOLDER, ""),
        created_at=epoch(metadata.get("creationTimestamp")) or 0.0,
        succeeded="Complete" in conditions,
        failed_at=epoch(failed.get("lastTransitionTime")),
        failure=failed.get("message") or failed.get("reason", ""),
        failures=status.get("failed", 0),
    )
