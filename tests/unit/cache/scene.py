"""One cache as the operator sees it, and its life from look to look."""

from typing import Any

from aifactory.api.cachestatus import ModelCacheStatus
from aifactory.api.conditions import Reason
from aifactory.api.download import Order, Outcome
from aifactory.api.factory import NO_MIRRORS
from aifactory.api.modelcache import ModelCache
from aifactory.api.status import Condition
from aifactory.cache.children import OPTIONAL
from aifactory.cache.content import folder
from aifactory.cache.judge import CacheFacts, report
from aifactory.cache.observed import Attempt, CacheObserved, Claim, Download
from aifactory.cache.plan import CachePlan, plan
from aifactory.observed import Pod
from aifactory.signals.downloads import DownloadReading
from aifactory.status.transitions import Event, transitions

NOON = 1767268800.0  # 2026-01-01T12:00:00Z
GIB = 2**30
IMAGE = "aifactory/operator:dev"
PLANNED = Outcome(revision="abc", files=0, files_total=4, bytes=0, bytes_total=10 * GIB)
FETCHED = Outcome(revision="abc", files=4, files_total=4, bytes=10 * GIB, bytes_total=10 * GIB)


def failure(reason: Reason, message: str = "it went wrong") -> Outcome:
    return Outcome(reason=reason, message=message)


class Life:
    """A cache that is looked at again and again, each time a minute later. Writes of a look are there at the next."""

    def __init__(self, **spec: Any) -> None:
        self.spec = {"source": {"huggingFace": {"repo": "acme/tiny"}}, "storage": {"size": "20Gi"}} | spec
        self.generation = 1
        self.status = ModelCacheStatus()
        self.now = NOON
        self.events: list[Event] = []
        self.children: dict[tuple[str, str], dict[str, Any]] = {}
        self.claim: Claim | None = None
        self.downloads: dict[str, Download] = {}
        self.attempts: tuple[Attempt, ...] = ()
        self.todo = CachePlan("")
        self.mirrors = NO_MIRRORS

    @property
    def cache(self) -> ModelCache:
        metadata = {"name": "tiny", "namespace": "chat", "uid": "uid-1", "generation": self.generation}
        made = ModelCache.model_validate({"metadata": metadata, "spec": self.spec})
        return made.model_copy(update={"status": self.status})

    @property
    def job(self) -> str:
        """Name of the Job that is wanted."""
        return self.todo.job

    @property
    def address(self) -> str | None:
        """Where the Job that is there fetches from, None for the public address."""
        (job,) = (child for (kind, _), child in self.children.items() if kind == "Job")
        arguments = job["spec"]["template"]["spec"]["containers"][0]["args"]
        return Order.model_validate_json(arguments[arguments.index("--order") + 1]).endpoint

    @property
    def folder(self) -> str:
        return folder(self.cache.spec)

    def edit(self, **spec: Any) -> None:
        """A user changes the spec."""
        self.spec, self.generation = self.spec | spec, self.generation + 1

    def look(self, reading: DownloadReading | None = None, in_use: tuple[str, ...] = (), **more: Any) -> str:
        """Look, write and report; the result is status and reason of Ready."""
        self.now += 60
        self.todo = plan(self.cache, self.observed, IMAGE, in_use, self.now, served=OPTIONAL, mirrors=self.mirrors)
        for child in self.todo.delete:
            self._remove(child)
        for child in self.todo.apply:
            self._add(child)
        facts = CacheFacts(self.cache, self.observed, self.job, self.todo.content, self.now, reading, **more)
        before, self.status = self.status, report(facts)
        self.events = list(transitions(before.conditions, self.status.conditions))
        ready = self.condition("Ready")
        return f"{ready.status} {ready.reason}"

    @property
    def observed(self) -> CacheObserved:
        return CacheObserved(self.children, self.claim, tuple(self.downloads.values()), self.attempts)

    def condition(self, kind: str) -> Condition:
        return next(found for found in self.status.conditions if found.type == kind)

    def has(self, kind: str) -> bool:
        return any(found.type == kind for found in self.status.conditions)

    @property
    def message(self) -> str:
        return self.condition("Ready").message

    def bind(self) -> None:
        """The claim gets its volume."""
        assert self.claim is not None
        self.claim = Claim(self.claim.uid, self.claim.created_at, bound=True)

    def lose_claim(self) -> None:
        """Somebody deletes the claim."""
        self.claim = None
        self.children = {key: child for key, child in self.children.items() if key[0] != "PersistentVolumeClaim"}

    def lose_download(self) -> None:
        """Somebody deletes the Job that is wanted, and its pods go with it."""
        self._remove(self.children["Job", self.job])

    def pod(self, name: str = "one", **more: Any) -> None:
        """The newest pod of the Job that is wanted; `more` is about the attempt or its pod."""
        fields = {
            field: more.pop(field) for field in ("planned", "fetched", "failed", "overdue_since") if field in more
        }
        pod = Pod(name=f"{self.job}-{name}", created_at=self.now + len(self.attempts), **more)
        others = tuple(one for one in self.attempts if one.pod.name != pod.name)
        self.attempts = (*others, Attempt(pod, self.job, **fields))

    def end(self, **how: Any) -> None:
        """The Job that is wanted ends."""
        one = self.downloads[self.job]
        self.downloads[self.job] = Download(one.name, one.folder, one.created_at, **how)

    def complete(self) -> None:
        """From the beginning to a complete copy."""
        self.look()
        self.bind()
        self.pod(planned=PLANNED, fetched=FETCHED, terminating=True)
        self.end(succeeded=True)
        assert self.look() == "True Downloaded"

    def _add(self, child: dict[str, Any]) -> None:
        kind, name = child["kind"], child["metadata"]["name"]
        self.children[kind, name] = child
        if kind == "PersistentVolumeClaim" and self.claim is None:
            self.claim = Claim(f"claim-{self.now:.0f}", self.now)
        if kind == "Job":
            labels = child["metadata"]["labels"]
            self.downloads[name] = Download(name, labels["aifactory.dev/folder"], self.now)

    def _remove(self, child: dict[str, Any]) -> None:
        kind, name = child["kind"], child["metadata"]["name"]
        del self.children[kind, name]
        if kind == "Job":
            del self.downloads[name]
            self.attempts = tuple(one for one in self.attempts if one.job != name)
