"""observe -> plan -> apply -> report, for one ModelCache at a time."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from pydantic import ValidationError

from aifactory.api.cachestatus import ModelCacheStatus
from aifactory.api.modelcache import ModelCache
from aifactory.api.owner import ObjectMeta
from aifactory.api.schema import MODEL_CACHE
from aifactory.cache.children import OPTIONAL
from aifactory.cache.judge import CacheFacts, report
from aifactory.cache.observed import CacheObserved
from aifactory.cache.plan import RETRY_SECONDS, CachePlan, plan
from aifactory.cache.service import folders
from aifactory.cluster.caches import CacheStore
from aifactory.cluster.client import Client
from aifactory.cluster.discovery import served_of
from aifactory.cluster.kinds import Key
from aifactory.cluster.store import Store
from aifactory.cluster.writer import Writer
from aifactory.lint import explain
from aifactory.settings import Settings
from aifactory.status.pods import Trouble
from aifactory.status.report import rejected
from aifactory.telemetry.metrics import Metrics

from .execute import Attempts
from .factory import FactoryReader
from .refusal import RETRY_SECONDS as REFUSED_RETRY_SECONDS
from .refusal import trouble
from .reporter import Reporter

if TYPE_CHECKING:
    from aifactory.signals.downloads import DownloadReading


class CacheReconciler:
    """Brings caches to what their specs ask for. `wake` makes a service due; `clock` gives epoch seconds."""

    def __init__(
        self,
        store: CacheStore,
        services: Store,
        writer: Writer,
        wake: Callable[[Key], None],
        settings: Settings,
        metrics: Metrics,
        clock: Callable[[], float],
        factory: FactoryReader,
    ) -> None:
        self._store = store
        self._services = services
        self._writer = writer
        self._wake = wake
        self._settings = settings
        self._metrics = metrics
        self._clock = clock
        self._reporter = Reporter(writer, settings.status_interval, clock)
        self._written: dict[Key, float] = {}
        self._served: frozenset[str] = frozenset()
        self._factory = factory
        self.readings: Mapping[Key, DownloadReading] = {}

    async def discover(self, client: Client) -> bool:
        """Learn which optional kinds the cluster serves, and whether they are others than before.

        Raises:
            ApiError: if the cluster cannot be asked; nothing changes then.
        """
        before, self._served = self._served, await served_of(client, OPTIONAL)
        return self._served != before

    def downloading(self) -> list[Key]:
        """Caches whose progress is of interest."""
        found = self._store.objects().items()
        return [key for key, obj in found if (obj.get("status") or {}).get("progress") is not None]

    async def reconcile(self, key: Key) -> float | None:
        """One round for one cache; the result is the time until the next, in seconds."""
        return await self._metrics.reconciled(self._reconcile(key))

    async def _reconcile(self, key: Key) -> tuple[str, float | None]:
        raw = self._store.owner(key)
        if raw is None or raw["metadata"].get("deletionTimestamp"):
            self._written.pop(key, None)
            self._wake_readers(key)
            return "gone", None
        before = ModelCacheStatus.of(raw)
        metadata = ObjectMeta.model_validate(raw["metadata"])
        try:
            cache = ModelCache.model_validate({**raw, "status": {}}).model_copy(update={"status": before})
        except ValidationError as error:
            problem = "; ".join(map(str, explain(error, MODEL_CACHE)))
            await self._report(key, metadata, before, rejected(before, metadata.generation, problem, self._clock()))
            return "rejected", self._settings.resync
        observed = self._store.observe(key)
        in_use = self._in_use(key)
        todo = plan(
            cache,
            observed,
            self._settings.download_image,
            in_use,
            self._clock(),
            served=self._served,
            monitor_labels=self._settings.monitor_labels,
            mirrors=self._factory.spec.mirrors,
        )
        refusal = await self._apply(observed, todo)
        seen = observed if todo.empty else self._store.observe(key)
        facts = CacheFacts(cache, seen, todo.job, todo.content, self._clock(), self.readings.get(key), refusal)
        await self._report(key, metadata, before, report(facts))
        if refusal is not None:
            return "refused", REFUSED_RETRY_SECONDS
        return "unchanged" if todo.empty else "changed", self._again(seen, todo)

    def _again(self, observed: CacheObserved, todo: CachePlan) -> float:
        """Seconds until the next look: when a failed download is to be begun anew, at the latest."""
        download = observed.download(todo.job)
        if download is None or download.failed_at is None:
            return self._settings.resync
        return max(1.0, min(self._settings.resync, download.failed_at + RETRY_SECONDS - self._clock()))

    async def _apply(self, observed: CacheObserved, todo: CachePlan) -> Trouble | None:
        """Write what is to be written; the result is what kept it from happening."""
        attempts = Attempts(self._writer)
        await attempts.delete(todo.delete)
        await attempts.apply(todo.apply, observed.children)
        return trouble(attempts.refused, "cache")

    async def _report(self, key: Key, metadata: ObjectMeta, before: ModelCacheStatus, status: ModelCacheStatus) -> None:
        raw = self._store.owner(key) or {}
        self._written[key] = await self._reporter.write(metadata, raw, before, status, self._written.get(key, 0.0))
        if status.conditions != before.conditions or status.content != before.content:
            self._wake_readers(key)

    def _in_use(self, key: Key) -> set[str]:
        """Folders of the volume that services read."""
        return {
            folder for service in self._readers(key) for folder in folders(self._services.children(service), key[1])
        }

    def _readers(self, key: Key) -> list[Key]:
        """Services that name the cache, or did when their pods were made."""
        namespace, name = key
        found = self._services.objects().items()
        return [
            service
            for service, obj in found
            if service[0] == namespace and (_named(obj) == name or folders(self._services.children(service), name))
        ]

    def _wake_readers(self, key: Key) -> None:
        for service in self._readers(key):
            self._wake(service)


def _named(service: Mapping[str, object]) -> object:
    """The cache that a service names, as stored; specs that cannot be read name none."""
    found: object = service
    for field in ("spec", "model", "source", "modelCache", "name"):
        found = found.get(field) if isinstance(found, Mapping) else None
    return found
