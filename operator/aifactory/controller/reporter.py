"""Writing a status and its Events, as rarely as a reader can bear."""

import logging
from collections.abc import Callable, Iterable
from typing import Any

from aifactory.api.cachestatus import ModelCacheStatus
from aifactory.api.owner import ObjectMeta
from aifactory.api.status import InferenceServiceStatus
from aifactory.cluster.client import ApiError
from aifactory.cluster.writer import Writer
from aifactory.status import learned
from aifactory.status.numbers import timestamp
from aifactory.status.report import dump, same, steady
from aifactory.status.transitions import Event, transitions

logger = logging.getLogger(__name__)
Status = InferenceServiceStatus | ModelCacheStatus
# What was learned is written with everything else; alone it is not worth more writes than this.
_LEARNED_SECONDS = 300.0


class Reporter:
    """Live numbers are written every `interval` seconds at most, the rest at once. `clock` gives epoch seconds."""

    def __init__(self, writer: Writer, interval: float, clock: Callable[[], float]) -> None:
        self._writer = writer
        self._interval = interval
        self._clock = clock

    async def write(
        self,
        metadata: ObjectMeta,
        raw: dict[str, Any],
        before: Status,
        status: Status,
        written: float,
        news: Iterable[Event] = (),
    ) -> float:
        """Write a status unless the one in `raw` says the same; `before` is that one, last `written` by us then.

        What its conditions say of a cause is told once, after `news`. The result is when it was written last, in epoch
        seconds.
        """
        if status == before:
            return written
        now, old, new = self._clock(), raw.get("status") or {}, dump(status)
        if same(old, new) or not self._due(old, new, now - written):
            return written
        await self._writer.status(metadata, new)
        told: dict[str, Event] = {}
        for event in (*news, *transitions(before.conditions, status.conditions)):
            told.setdefault(event.reason, event)
        for event in told.values():
            await self.tell(metadata, event)
        return now

    def _due(self, old: dict[str, Any], new: dict[str, Any], since: float) -> bool:
        """A status differs by enough from the one that was written `since` seconds ago."""
        if steady(old) != steady(new):
            return True
        if same(learned.forgetting(old), learned.forgetting(new)):
            return since >= _LEARNED_SECONDS and learned.news(old, new)
        return since >= self._interval

    async def tell(self, metadata: ObjectMeta, event: Event) -> None:
        """Post an Event; one that is refused is not worth a failure."""
        try:
            await self._writer.event(metadata, event, timestamp(self._clock()))
        except ApiError as error:
            if not _namespace_ends(error):
                logger.warning("no Event about %s/%s: %s", metadata.namespace, metadata.name, error)


def _namespace_ends(error: ApiError) -> bool:
    """The namespace of what was to be made is being deleted, or gone."""
    return error.status == 404 or (error.status == 403 and "because it is being terminated" in error.message)
