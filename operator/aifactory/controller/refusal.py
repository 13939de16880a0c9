"""Writes that are refused, as what a user has to change."""

from collections.abc import Iterable

from aifactory.api.conditions import Reason
from aifactory.cluster.client import ApiError
from aifactory.cluster.writer import NameTakenError
from aifactory.status.conditions import MESSAGE_LIMIT
from aifactory.status.pods import Trouble

from .execute import Refused

RETRY_SECONDS = 30.0
# Refusals of one service are mostly for one cause.
_TOLD = 3


def trouble(refused: Iterable[Refused], owner: str) -> Trouble | None:
    """Why children of an `owner`, such as service, cannot be written, all of them in one message; None if all were.

    Raises:
        ApiError: if the same write may succeed when it is tried again.
    """
    found = [_cause(*one, owner) for one in refused]
    if not found:
        return None
    messages = list(dict.fromkeys(one.message for one in found))
    told, more = messages[:_TOLD], len(messages) - _TOLD
    share = MESSAGE_LIMIT // len(told) - 10
    rest = (f"and {more} more",) if more > 0 else ()
    return Trouble(found[0].reason, "; ".join((*(message[:share] for message in told), *rest)))


def _cause(what: str, error: NameTakenError | ApiError, owner: str) -> Trouble:
    if isinstance(error, NameTakenError):
        remedy = error.owner or "remove that object"
        return Trouble(Reason.NAME_TAKEN, f"{error}; rename the {owner} or {remedy}")
    if not error.rejected:
        raise error
    return Trouble(Reason.APPLY_REJECTED, f"the API server refuses {what}: {error.message}")
