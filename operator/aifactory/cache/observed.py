"""What the cluster holds for one cache, as plain values. Times are epoch seconds."""

from dataclasses import dataclass, field
from typing import Any

from aifactory.api.download import Outcome
from aifactory.observed import ChildId, Pod


@dataclass(frozen=True, slots=True)
class Claim:
    """The PersistentVolumeClaim; `lost` when the volume that it was bound to is gone."""

    uid: str
    created_at: float
    bound: bool = False
    lost: bool = False


@dataclass(frozen=True, slots=True)
class Download:
    """A Job: the folder that it fills, and how it ended, if it has."""

    name: str
    folder: str
    created_at: float
    succeeded: bool = False
    failed_at: float | None = None
    failure: str = ""
    failures: int = 0


@dataclass(frozen=True, slots=True)
class Attempt:
    """A pod of a Job. `planned` is what its first step found; `failed` why one of its steps failed.

    It should have been gone since `overdue_since`, after the time that it had to end.
    """

    pod: Pod
    job: str
    planned: Outcome | None = None
    fetched: Outcome | None = None
    failed: Outcome | None = None
    overdue_since: float | None = None

    @property
    def ended(self) -> bool:
        """It writes no more."""
        return self.fetched is not None or self.failed is not None


@dataclass(frozen=True, slots=True)
class CacheObserved:
    """Children as last seen, keyed by kind and name, and what they mean."""

    children: dict[ChildId, dict[str, Any]] = field(default_factory=dict)
    claim: Claim | None = None
    downloads: tuple[Download, ...] = ()
    attempts: tuple[Attempt, ...] = ()

    @property
    def lost(self) -> bool:
        """The volume is gone, and another one comes only with another claim."""
        return self.claim is not None and self.claim.lost

    def current(self, download: Download) -> bool:
        """A Job fills the claim that is there, and not an earlier one of its name, or one without a volume."""
        return self.claim is not None and not self.claim.lost and download.created_at >= self.claim.created_at

    def download(self, name: str) -> Download | None:
        """The Job of this name."""
        return next((one for one in self.downloads if one.name == name), None)

    def others(self, job: str) -> bool:
        """There are pods of other Jobs than this that may still write."""
        return any(attempt.job != job and not attempt.ended for attempt in self.attempts)

    def of(self, job: str) -> tuple[Attempt, ...]:
        """The pods of a Job, the newest first."""
        mine = (attempt for attempt in self.attempts if attempt.job == job)
        return tuple(sorted(mine, key=lambda attempt: -attempt.pod.created_at))
