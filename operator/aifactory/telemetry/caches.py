"""Gauges of caches."""

from collections.abc import Iterator, Mapping
from typing import Any

from .statuses import CONDITION_GAUGES, Gauges, Object, Sample, conditions

# Name after `aifactory_cache_`: help, further labels.
CACHE_GAUGES: Gauges = {**CONDITION_GAUGES, "bytes": ("Bytes of the last complete copy.", ())}


def parts(cache: Object) -> tuple[Iterator[Sample], ...]:
    """What the status of a cache says."""
    status = cache.get("status") or {}
    return conditions(status), _content(status.get("content") or {})


def _content(seen: Mapping[str, Any]) -> Iterator[Sample]:
    if "bytes" in seen:
        yield "bytes", (), float(seen["bytes"])
