"""`spec.rollout`: how a changed spec replaces running replicas, and `status.rollout`: how far a canary has come."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from itertools import pairwise
from math import ceil, floor
from typing import Annotated

from pydantic import Field, JsonValue

from .checks import Check, Unique
from .meta import (
    CheckedModel,
    Duration,
    FreeText,
    IntOrPercent,
    Model,
    Percent,
    Text,
    Time,
    between,
    parse_percent,
    within,
)

Share = Annotated[Percent, between("1%", "99%")]
# As a schema has them: pydantic writes the default of a list without the serializer of its items.
_STEPS: list[JsonValue] = ["10%", "50%"]
RISING = Check(
    cel="self.map(share, double(share.replace('%', ''))).isSorted()",
    holds=lambda steps: all(one <= other for one, other in pairwise(steps)),
    message="a step must not be below the one before it",
)


class CanarySpec(Model):
    """A changed pod template first runs on a few replicas, behind the same Service as the rest."""

    steps: Annotated[list[Share], Field(min_length=1, max_length=8), RISING] = Field(
        default=[parse_percent(step) for step in _STEPS],
        json_schema_extra={"default": _STEPS},
        description="Shares of the replicas that run the new spec, one after the other, 1% to 99%; rounded up, and at "
        "least one replica. After the last one all do.",
    )
    step_duration: Annotated[Duration, within("15s", "24h")] = Field(
        default=timedelta(minutes=10),
        description="How long each step is measured, from when its replicas serve, 15s to 24h.",
    )
    tolerance: Annotated[Percent, between("0%", "50%")] = Field(
        default=Decimal("0.01"),
        description="Points of attainment by which an objective may be worse on the canary than on the other replicas.",
    )
    min_requests: int = Field(
        default=100,
        ge=1,
        le=1_000_000,
        description="Requests that the canary must have answered in a step before it is judged; until then it waits.",
    )


@dataclass(frozen=True, slots=True)
class Pace:
    """Pods beyond those wanted, and missing from them, that a change may cause; not both 0."""

    surge: int
    unavailable: int


class RolloutSpec(CheckedModel):
    """How a changed spec replaces running replicas."""

    checks = (
        Check(
            cel="(self.maxSurge != 0 && self.maxSurge != '0%') || "
            "(self.maxUnavailable != 0 && self.maxUnavailable != '0%')",
            holds=lambda rollout: not {rollout.max_surge, rollout.max_unavailable} <= {0, "0%"},
            message="maxSurge and maxUnavailable must not both be 0: no replica could be replaced",
            field="maxUnavailable",
        ),
    )
    max_surge: IntOrPercent = Field(default=1, description="Extra replicas during a rollout; needs free GPUs.")
    max_unavailable: IntOrPercent = Field(default=0, description="Replicas that may be missing during a rollout.")
    canary: CanarySpec | None = Field(
        default=None, description="Try a changed spec on a few replicas first, and take it back if objectives suffer."
    )

    def pace(self, replicas: int) -> Pace:
        """Percentages as a Deployment takes them: surge rounded up, unavailable down, never both 0.

        https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#rolling-update-deployment
        """
        surge, unavailable = ceil(_of(self.max_surge, replicas)), floor(_of(self.max_unavailable, replicas))
        return Pace(surge, unavailable if surge or unavailable else 1)


def _of(value: int | str, replicas: int) -> Fraction:
    return Fraction(value) if isinstance(value, int) else Fraction(int(value[:-1]) * replicas, 100)


class Track(StrEnum):
    """Which pod template a replica of a service with a canary has; the label `track` of its series."""

    STABLE = "stable"
    CANARY = "canary"


class RolloutPhase(StrEnum):
    """Where a canary is."""

    PROGRESSING = "Progressing"  # some replicas run the new spec and are measured
    PROMOTING = "Promoting"  # it held; the other replicas are replaced
    PROMOTED = "Promoted"  # all replicas run it
    ROLLED_BACK = "RolledBack"  # it did not hold; it is not tried again until the spec changes
    WITHDRAWN = "Withdrawn"  # the spec asks again for what the other replicas run


class TrackStatus(Model):
    """A number of the stable replicas and the same of the canary."""

    stable: int = Field(description="Of the replicas that run the spec from before.")
    canary: int = Field(description="Of the replicas that run the new spec.")


class TrackAttainment(Model):
    """How well one objective holds on either side."""

    objective: Text = Field(description="timeToFirstToken, interTokenLatency or endToEndLatency.")
    stable: Text = Field(description="Share within the target on the stable replicas in this step.")
    canary: Text = Field(description="Share within the target on the canary in this step.")


class RolloutStatus(Model):
    """The canary of a changed spec."""

    phase: RolloutPhase = Field(description="Progressing, Promoting, Promoted, RolledBack or Withdrawn.")
    template: Text = Field(description="Fingerprint of the pod template that is, or was, tried.")
    step: int | None = Field(default=None, description="Step in progress, from 1.")
    of: int | None = Field(default=None, description="Number of steps.")
    share: Text | None = Field(default=None, description="Share of the replicas that this step asks for.")
    since: Time | None = Field(default=None, description="Since when this step is measured; absent before.")
    finished: Time | None = Field(default=None, description="When it was promoted or rolled back.")
    replicas: TrackStatus | None = Field(default=None, description="Replicas wanted of either side.")
    requests: TrackStatus | None = Field(default=None, description="Requests answered in this step.")
    attainment: Annotated[list[TrackAttainment], Field(max_length=8), Unique("objective")] = Field(
        default=[], description="Objectives that the canary is judged by."
    )
    message: FreeText = Field(default="", description="Sentence for people: what it waits for, or why it ended.")
