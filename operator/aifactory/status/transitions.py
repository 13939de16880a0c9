"""Events: said once, when something changes."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from aifactory.api.conditions import ConditionType
from aifactory.api.status import Condition

# Types whose change is worth an Event, and the status that is a warning.
_TOLD: dict[str, str] = {
    ConditionType.READY: "False",
    ConditionType.STALLED: "True",
    ConditionType.ACCEPTED: "False",
    ConditionType.ROUTING_READY: "False",
    ConditionType.GPU_SHORTAGE: "True",
    ConditionType.ENGINE_STALLED: "True",
    ConditionType.METRICS_AVAILABLE: "False",
    ConditionType.SLO_MET: "False",
    ConditionType.SLO_INFEASIBLE: "True",
    ConditionType.STORAGE_TOO_SMALL: "True",
}


@dataclass(frozen=True, slots=True)
class Event:
    """`type` is Normal or Warning."""

    type: str
    reason: str
    message: str


def transitions(before: Iterable[Condition], after: Iterable[Condition]) -> tuple[Event, ...]:
    """An Event for each condition that changed to or from its bad status; the first healthy status is not news.

    Conditions that changed for the same reason are one Event.
    """
    known = {condition.type: condition for condition in before}
    now = {condition.type: condition for condition in after}
    events: dict[str, Event] = {}
    for event in (*_changes(known, now), *_ends(known, now)):
        events.setdefault(event.reason, event)
    return tuple(events.values())


def _changes(known: Mapping[str, Condition], now: Mapping[str, Condition]) -> Iterator[Event]:
    for condition in now.values():
        warning = _TOLD.get(condition.type)
        was = known.get(condition.type)
        if warning is None or (was is not None and was.status == condition.status):
            continue
        bad, was_bad = condition.status == warning, was is not None and was.status == warning
        became_ready = condition.type == ConditionType.READY and condition.status == "True"
        if bad or was_bad or became_ready:
            yield Event("Warning" if bad else "Normal", _reason(condition), condition.message)


def _ends(known: Mapping[str, Condition], now: Mapping[str, Condition]) -> Iterator[Event]:
    """Conditions that are only there while they are bad."""
    for kind, condition in known.items():
        if kind not in now and _TOLD.get(kind) == condition.status == "True":
            yield Event("Normal", f"{kind}Resolved", f"no longer: {condition.message}")


def _reason(condition: Condition) -> str:
    return condition.reason if condition.type != ConditionType.READY or condition.status != "True" else "Ready"
