"""Writes that are refused, as what a user has to change."""

from aifactory.api.conditions import Reason
from aifactory.cluster.client import ApiError
from aifactory.cluster.writer import NameTakenError
from aifactory.status.pods import Trouble

RETRY_SECONDS = 30.0


def refused(error: NameTakenError | ApiError, owner: str) -> Trouble:
    """Why a child of an `owner`, such as service, cannot be written.

    Raises:
        ApiError: if the same write may succeed when it is tried again.
    """
    if isinstance(error, NameTakenError):
        remedy = error.owner or "remove that object"
        return Trouble(Reason.NAME_TAKEN, f"{error}; rename the {owner} or {remedy}")
    if not error.rejected:
        raise error
    return Trouble(Reason.APPLY_REJECTED, f"the API server refuses a child object: {error.message}")
