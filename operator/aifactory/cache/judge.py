"""The status of a cache."""

from collections.abc import Iterator
from dataclasses import dataclass

from aifactory.api.cachestatus import ContentStatus, ModelCacheStatus, ProgressStatus
from aifactory.api.conditions import ConditionType, Reason
from aifactory.api.download import Outcome
from aifactory.api.modelcache import AccessMode, ModelCache
from aifactory.signals.downloads import DownloadReading
from aifactory.status.conditions import Verdict, merge
from aifactory.status.numbers import timestamp
from aifactory.status.pods import Trouble, detail, stuck, unstarted

from . import labels
from .content import complete
from .observed import Attempt, CacheObserved, Download
from .plan import RETRY_SECONDS
from .progress import progress, sentence, size

T = ConditionType
# A kubelet that is there ends a pod within seconds of the time that it had.
_OVERDUE_SECONDS = 120.0
_FULL = (Reason.STORAGE_TOO_SMALL, Reason.NO_SPACE_LEFT)
_ADVICE = {
    Reason.STORAGE_TOO_SMALL: "",
    Reason.NO_SPACE_LEFT: "",
    Reason.UNAUTHORIZED: "check the Secret named in spec.source, and that its account may read this",
    Reason.SOURCE_NOT_FOUND: "check spec.source and spec.endpoint or the AIFactory's mirror",
    Reason.SOURCE_UNREACHABLE: "check spec.endpoint or the AIFactory's mirror, spec.download.egress, NetworkPolicies",
    Reason.SOURCE_NOT_UNDERSTOOD: "check that spec.endpoint or the AIFactory's mirror is one of this kind of source",
    Reason.SOURCE_CHANGED: "the source was changed while it was read",
    Reason.CHECKSUM_MISMATCH: "the source, or what is between, alters the files",
    Reason.UNSAFE_FILE_NAME: "such a source is not fetched",
    Reason.VOLUME_NOT_WRITABLE: "check the storage class and spec.download.runAsUser",
    Reason.SECRET_NOT_FOUND: "create the Secret in the cache's namespace; the download starts by itself then",
    Reason.IMAGE_PULL_FAILED: "check spec.download.image and spec.download.imagePullSecrets",
    Reason.POD_NOT_STARTING: "kubectl describe pod shows why; usual causes are a volume that its node cannot mount and "
    "a ConfigMap of spec.download.egress.caBundle that is not there",
    Reason.DOWNLOAD_FAILED: "read the log of the pod",
}


@dataclass(frozen=True, slots=True)
class CacheFacts:
    """One cache at `now` (epoch seconds).

    `job` is the name of the Job for what the spec asks for, `content` the last complete copy, `reading` what Prometheus
    knows of the download, `refused` what kept the last writes from happening.
    """

    cache: ModelCache
    observed: CacheObserved
    job: str
    content: ContentStatus | None
    now: float
    reading: DownloadReading | None = None
    refused: Trouble | None = None


def report(facts: CacheFacts) -> ModelCacheStatus:
    """The status to write."""
    cache, download = facts.cache, facts.observed.download(facts.job)
    generation, before = cache.metadata.generation, cache.status
    ready = _ready(facts)
    found = progress_of(facts)
    planned = _planned(facts)
    total = facts.content.bytes if _done(facts) and facts.content else planned.bytes_total if planned else None
    return ModelCacheStatus(
        observed_generation=generation,
        conditions=list(merge(before.conditions, [ready, *_others(facts, ready)], generation, timestamp(facts.now))),
        source=str(cache.spec.source)[:500],
        claim=labels.claim(cache),
        size=before.size if total is None else size(total),
        content=facts.content,
        progress=found,
        failures=None if _done(facts) or download is None else download.failures or None,
    )


def progress_of(facts: CacheFacts) -> ProgressStatus | None:
    """How far the download is, None while nothing is being fetched."""
    planned = _planned(facts)
    return None if planned is None or _done(facts) else progress(planned, facts.reading)


def _done(facts: CacheFacts) -> bool:
    return complete(facts.cache, facts.content)


def _planned(facts: CacheFacts) -> Outcome | None:
    return next((one.planned for one in facts.observed.of(facts.job) if one.planned), None)


def _others(facts: CacheFacts, ready: Verdict) -> Iterator[Verdict]:
    yield Verdict(T.ACCEPTED, True, Reason.VALID, "the spec can be acted on")
    yield Verdict(T.DOWNLOADED, _done(facts), ready.reason, ready.message)
    if ready.status is False and not _waits(facts):
        yield Verdict(T.STALLED, True, ready.reason, ready.message)
    elif ready.status is not True:
        yield Verdict(T.RECONCILING, True, ready.reason, ready.message)
    if ready.reason in _FULL:
        yield Verdict(T.STORAGE_TOO_SMALL, True, ready.reason, ready.message)


def _ready(facts: CacheFacts) -> Verdict:
    """True: what the spec asks for is in the volume. Unknown: on the way. False: somebody should look."""
    return Verdict(T.READY, *_judge(facts))


def _judge(facts: CacheFacts) -> tuple[bool | None, Reason, str]:
    if facts.refused is not None:
        return False, facts.refused.reason, facts.refused.message
    if facts.observed.lost:
        name = labels.claim(facts.cache)
        return False, Reason.VOLUME_LOST, f"the volume of the claim {name} is gone; delete the claim to fetch anew"
    if _done(facts):
        return True, Reason.DOWNLOADED, _contents(facts.content)
    if (overdue := _overdue(facts)) is not None:
        return False, Reason.PODS_STUCK, overdue
    download = facts.observed.download(facts.job)
    if download is None:
        earlier = facts.observed.others(facts.job)
        told = "the pod of an earlier download is ending" if earlier else "the download is being created"
        return None, Reason.CREATING, told
    attempt = next(iter(facts.observed.of(facts.job)), None)
    if download.failed_at is not None:
        return _failed(download, _cause(facts), facts.now)
    if attempt is None:
        return None, Reason.CREATING, "the pod of the download is being created"
    return _of_attempt(facts, attempt)


def _overdue(facts: CacheFacts) -> str | None:
    """A pod that is to end and does not, so that no other one may write; None without one."""
    for attempt in facts.observed.attempts:
        since = attempt.overdue_since
        if since is not None and not attempt.ended and facts.now - since > _OVERDUE_SECONDS:
            name = attempt.pod.name
            return f"pod {name} does not end, as if its node were gone; if it is: kubectl delete pod {name} --force"
    return None


def _of_attempt(facts: CacheFacts, attempt: Attempt) -> tuple[bool | None, Reason, str]:
    pod = attempt.pod
    if attempt.failed is not None or pod.terminating:
        reason, message = _told(_cause(facts))
        return None, reason, f"an attempt failed: {message}; the Job begins another one"
    if pod.unschedulable:
        return False, _waiting_reason(facts), _waiting_message(facts, pod.unschedulable_message)
    if (cause := stuck(pod)) is not None:
        return False, cause, f"pod {pod.name}: {detail(pod)}; {_ADVICE.get(cause, _log())}"
    found = progress_of(facts)
    if attempt.planned is not None and found is not None:
        return None, Reason.DOWNLOADING, sentence(found)
    if facts.observed.claim is not None and not facts.observed.claim.bound:
        return None, Reason.WAITING_FOR_VOLUME, _waiting_message(facts, "")
    if (late := unstarted(pod, facts.now)) is not None:
        return False, Reason.POD_NOT_STARTING, f"{late}; {_ADVICE[Reason.POD_NOT_STARTING]}"
    return None, Reason.CHECKING_SOURCE, f"{facts.cache.spec.source} is being listed"


def _failed(download: Download, cause: Outcome | None, now: float) -> tuple[bool, Reason, str]:
    reason, message = _told(cause) if cause else (Reason.DOWNLOAD_FAILED, f"{download.failure}; {_log()}")
    left = max(0.0, (download.failed_at or now) + RETRY_SECONDS - now)
    return False, reason, f"{message}; begun anew when the spec changes, or in {max(1, round(left / 60))} min"


def _cause(facts: CacheFacts) -> Outcome | None:
    """What the newest pod that failed said last."""
    return next((one.failed for one in facts.observed.of(facts.job) if one.failed), None)


def _told(cause: Outcome | None) -> tuple[Reason, str]:
    if cause is None:
        return Reason.DOWNLOAD_FAILED, f"the pod was ended; {_log()}"
    reason = cause.reason or Reason.DOWNLOAD_FAILED
    return reason, "; ".join(filter(None, (cause.message, _ADVICE.get(reason, _log()))))


def _log() -> str:
    return _ADVICE[Reason.DOWNLOAD_FAILED]


def _waits(facts: CacheFacts) -> bool:
    """What is in the way may go away without anybody's doing."""
    attempt = next(iter(facts.observed.of(facts.job)), None)
    return facts.refused is None and attempt is not None and attempt.pod.unschedulable


def _waiting_reason(facts: CacheFacts) -> Reason:
    bound = facts.observed.claim is not None and facts.observed.claim.bound
    return Reason.UNSCHEDULABLE if bound else Reason.WAITING_FOR_VOLUME


def _waiting_message(facts: CacheFacts, scheduler: str) -> str:
    if _waiting_reason(facts) is Reason.UNSCHEDULABLE:
        return f"no node can take the pod: {scheduler}"
    mode = facts.cache.spec.storage.access_mode
    hint = "; not every storage class offers ReadWriteMany" if mode is AccessMode.READ_WRITE_MANY else ""
    told = f": {scheduler}" if scheduler else ""
    return f"the claim {labels.claim(facts.cache)} has no volume yet{told}{hint}"


def _contents(content: ContentStatus | None) -> str:
    if content is None or content.bytes is None:
        return "all files are in the volume"
    revision = f", revision {content.revision}" if content.revision else ""
    return f"{size(content.bytes)} in {content.files} files{revision}"
