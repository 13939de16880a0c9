"""What the law has learned, kept in the status so that a restart of the operator does not forget it."""

from collections.abc import Iterator, Mapping
from itertools import islice
from math import isfinite
from typing import Any

from aifactory.api.scalingstatus import LEARNED, ScalingStatus

from .outlook import parsed

_MOST = 1e15
# A number that has moved by less than this share is not worth a write of its own.
_NEWS = 0.1


def written(values: Mapping[str, float]) -> dict[str, str]:
    """Names to four significant digits; bounded."""
    sensible = ((name, f"{value:.4g}") for name, value in sorted(values.items()) if _sensible(value))
    return dict(islice(sensible, LEARNED))


def recalled(status: ScalingStatus | None) -> Mapping[str, float]:
    """What was written, without entries that are no sensible numbers."""
    found = {name: parsed(text) for name, text in (status.learned if status else {}).items()}
    return {name: value for name, value in found.items() if value is not None and _sensible(value)}


def forgetting(status: Mapping[str, Any]) -> dict[str, Any]:
    """A status as stored, without what was learned."""
    kept = {**status, "scaling": _without(status)}
    return {**kept, "roles": [{**role, "scaling": _without(role)} for role in status.get("roles", [])]}


def news(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """What was learned differs by so much between two statuses as stored that a restart should not lose it."""
    one, other = dict(_entries(before)), dict(_entries(after))
    return one.keys() != other.keys() or any(_moved(parsed(one[name]), parsed(other[name])) for name in one)


def _moved(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is not other
    return abs(other - one) > _NEWS * abs(one)


def _entries(status: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str], str]]:
    for part in (status, *status.get("roles", [])):
        learned = (part.get("scaling") or {}).get("learned") or {}
        yield from (((part.get("name", ""), name), text) for name, text in learned.items())


def _without(part: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in (part.get("scaling") or {}).items() if name != "learned"}


def _sensible(value: float) -> bool:
    return isfinite(value) and abs(value) < _MOST
