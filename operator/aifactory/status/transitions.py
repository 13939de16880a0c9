"""Events: said once, when something changes."""

from collections.abc import Iterable
from dataclasses import dataclass

from aifactory.api.conditions import ConditionType
from aifactory.api.status import Condition

# Types whose change is worth an Event, and the status that is a warning.
_TOLD = {
    ConditionType.READY: "False",
    ConditionType.STALLED: "True",
    ConditionType.ACCEPTED: "False",
    ConditionType.GPU_SHORTAGE: "True",
    ConditionType.ENGINE_STALLED: "True",
    ConditionType.METRICS_AVAILABLE: "False",
    ConditionType.SLO_MET: "False",
    ConditionType.SLO_INFEASIBLE: "True",
}


@dataclass(frozen=True, slots=True)
class Event:
    """`type` is Normal or Warning."""

    type: str
    reason: str
    message: str


def transitions(before: Iterable[Condition], after: Iterable[Condition]) -> tuple[Event, ...]:
    """One Event for each condition that changed to or from its bad status; the first healthy status is not news."""
    known = {condition.type: condition for condition in before}
    events = []
    for condition in after:
        warning = _TOLD.get(ConditionType(condition.type))
        was = known.get(condition.type)
        if warning is None or (was is not None and was.status == condition.status):
            continue
        bad, was_bad = condition.status == warning, was is not None and was.status == warning
        became_ready = condition.type == ConditionType.READY and condition.status == "True"
        if bad or was_bad or became_ready:
            events.append(Event("Warning" if bad else "Normal", _reason(condition), condition.message))
    return tuple(events)


def _reason(condition: Condition) -> str:
    return condition.reason if condition.type != ConditionType.READY or condition.status != "True" else "Ready"
