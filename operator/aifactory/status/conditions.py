"""Merging of conditions."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from aifactory.api.conditions import ConditionType, Reason
from aifactory.api.status import Condition


@dataclass(frozen=True, slots=True)
class Verdict:
    """A condition without its history. `status` None means Unknown."""

    type: ConditionType
    status: bool | None
    reason: Reason
    message: str = ""


def worst(verdicts: Iterable[Verdict]) -> tuple[Verdict, ...]:
    """One verdict of each type: the first that is False, else Unknown, else True."""
    found: dict[ConditionType, Verdict] = {}
    for verdict in verdicts:
        known = found.get(verdict.type)
        if known is None or _RANK[verdict.status] < _RANK[known.status]:
            found[verdict.type] = verdict
    return tuple(found.values())


_RANK = {False: 0, None: 1, True: 2}
MESSAGE_LIMIT = 1024  # as for Events, so that both say the same
_TEXT = {True: "True", False: "False", None: "Unknown"}


def merge(before: Iterable[Condition], verdicts: Iterable[Verdict], generation: int, now: str) -> tuple[Condition, ...]:
    """Conditions to write, one per verdict; `lastTransitionTime` moves only when the status of a type changes."""
    known: Mapping[str, Condition] = {condition.type: condition for condition in before}
    return tuple(_condition(known.get(verdict.type), verdict, generation, now) for verdict in verdicts)


def _condition(before: Condition | None, verdict: Verdict, generation: int, now: str) -> Condition:
    status = _TEXT[verdict.status]
    unchanged = before is not None and before.status == status
    return Condition(
        type=verdict.type,
        status=status,
        observed_generation=generation,
        last_transition_time=before.last_transition_time if before and unchanged else now,
        reason=verdict.reason,
        message=verdict.message[:MESSAGE_LIMIT],
    )
