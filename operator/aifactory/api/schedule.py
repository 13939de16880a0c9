"""`spec.scaling.schedules`: other bounds of the number of replicas at certain times."""

from datetime import time
from enum import StrEnum
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import Field, StringConstraints

from .checks import Check, Unique
from .meta import CheckedModel

_CLOCK = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"


class Day(StrEnum):
    """Of the week."""

    MONDAY = "Mon"
    TUESDAY = "Tue"
    WEDNESDAY = "Wed"
    THURSDAY = "Thu"
    FRIDAY = "Fri"
    SATURDAY = "Sat"
    SUNDAY = "Sun"


DAYS = tuple(Day)


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


# The evaluation fails for a zone that the API server does not know. It takes Local for a zone.
_ZONE = Check(
    cel="self != 'Local' && timestamp('2026-01-01T00:00:00Z').getHours(self) >= 0",
    holds=_is_zone,
    message="must be a time zone of the IANA database, such as Europe/Berlin or UTC",
)
ClockTime = Annotated[str, StringConstraints(pattern=_CLOCK, max_length=5)]


class Schedule(CheckedModel):
    """At these times, these bounds count instead of those of the service."""

    checks = (
        Check(
            cel="has(self.minReplicas) || has(self.maxReplicas)",
            holds=lambda one: one.min_replicas is not None or one.max_replicas is not None,
            message="is required, or maxReplicas: a schedule without either changes nothing",
            field="minReplicas",
        ),
    )
    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=40)] = Field(
        description="Name that decisions mention, unique in the list."
    )
    days: Annotated[list[Day], Field(min_length=1, max_length=7), Unique()] = Field(
        default=list(DAYS), description="Days on which it begins: Mon, Tue, Wed, Thu, Fri, Sat, Sun. Default: all."
    )
    start: ClockTime = Field(description="When it begins, by the clock of the time zone, such as 08:00.")
    end: ClockTime = Field(description="When it ends, such as 20:00; on the next day where that is not after start.")
    time_zone: Annotated[
        str, StringConstraints(pattern=r"^[A-Za-z][-A-Za-z0-9_+]*(/[A-Za-z][-A-Za-z0-9_+]*)*$", max_length=64), _ZONE
    ] = Field(default="UTC", description="IANA name, such as Europe/Berlin; summer time is followed.")
    min_replicas: int | None = Field(
        default=None, ge=1, le=10_000, description="Fewest replicas meanwhile. Default: that of the service."
    )
    max_replicas: int | None = Field(
        default=None, ge=1, le=10_000, description="Most replicas meanwhile. Default: that of the service."
    )

    @property
    def begins(self) -> time:
        """By the clock of its zone."""
        return time.fromisoformat(self.start)

    @property
    def ends(self) -> time:
        """By the clock of its zone."""
        return time.fromisoformat(self.end)
