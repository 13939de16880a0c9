"""`spec.scaling`: bounds of the number of replicas and the constants of the control law."""

from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from .budget import Budget
from .checks import Check, Unique
from .meta import CheckedModel, Duration, Model, Percent, between, within
from .schedule import Schedule


class ScalingMode(StrEnum):
    """Whether decisions change the workload."""

    APPLY = "Apply"
    RECOMMEND = "Recommend"


class ScaleUp(Model):
    """How fast replicas are added."""

    threshold: Annotated[Percent, between("1%", "100%")] = Field(
        default=Decimal("0.90"),
        description="Latency of the promised share of requests / target above which replicas are added, until what a "
        "replica carries is learned; other signals reach their limit there.",
    )
    max_percent: int = Field(
        default=100,
        ge=1,
        le=1000,
        description="Most replicas added within period, % of current; where maxReplicas is more, that many.",
    )
    max_replicas: int = Field(
        default=4,
        ge=1,
        le=1000,
        description="Most replicas added within period; where maxPercent of current is more, that many.",
    )
    period: Annotated[Duration, within("1s", "1h")] = Field(
        default=timedelta(seconds=60), description="Time for which maxPercent and maxReplicas of scaleUp hold."
    )
    panic_factor: int = Field(
        default=2,
        ge=2,
        le=10,
        description="Offered load this many times above what is completed starts panic: no scale-down.",
    )
    panic_hold: Annotated[Duration, within("0s", "1h")] = Field(
        default=timedelta(seconds=60), description="How long panic lasts after its last trigger."
    )


class ScaleDown(Model):
    """How slowly replicas are removed."""

    threshold: Annotated[Percent, between("1%", "100%")] = Field(
        default=Decimal("0.60"),
        description="Latency of the promised share of requests / target below which fewer replicas are considered, "
        "until what a replica carries is learned; other signals reach this / scaleUp.threshold of their limit there.",
    )
    stabilization_window: Annotated[Duration, within("0s", "1h")] = Field(
        default=timedelta(seconds=150),
        description="The highest recommendation of this window counts; at least 1.25 start-ups, unless it is 0s. One "
        "replica, or less than a quarter, waits for up to four windows while still fewer are wanted.",
    )
    max_percent: int = Field(
        default=50,
        ge=1,
        le=100,
        description="Most replicas removed within period, % of current; where maxReplicas is more, that many.",
    )
    max_replicas: int = Field(
        default=1,
        ge=1,
        le=1000,
        description="Most replicas removed within period; where maxPercent of current is more, that many.",
    )
    period: Annotated[Duration, within("1s", "1h")] = Field(
        default=timedelta(seconds=60), description="Time for which maxPercent and maxReplicas of scaleDown hold."
    )


class ScalingBehavior(CheckedModel):
    """Constants of the control law; the defaults suit models that load in minutes."""

    checks = (
        Check(
            cel="double(self.scaleDown.threshold.replace('%', '')) < double(self.scaleUp.threshold.replace('%', ''))",
            holds=lambda behavior: behavior.scale_down.threshold < behavior.scale_up.threshold,
            message="scaleDown.threshold must be below scaleUp.threshold",
            field="scaleDown.threshold",
        ),
    )
    averaging_window: Annotated[Duration, within("1s", "10m")] = Field(
        default=timedelta(seconds=45), description="Signals are averaged over this time."
    )
    waiting_per_replica: int = Field(
        default=5, ge=1, le=10_000, description="Waiting requests per replica that count as the limit."
    )
    running_per_replica: int | None = Field(
        default=None,
        ge=1,
        le=65_536,
        description="Running requests per replica that count as the limit. Default: none where latencies are measured; "
        "llamacpp: 4 of 5 of its sequences.",
    )
    kv_cache_usage: Annotated[Percent, between("1%", "100%")] = Field(
        default=Decimal("0.85"), description="KV-cache usage that counts as the limit."
    )
    gpu_shortage_after: Annotated[Duration, within("1s", "1h")] = Field(
        default=timedelta(minutes=2),
        description="A pod unschedulable this long means GPU shortage: no more are asked for.",
    )
    stall_after: Annotated[Duration, within("1s", "1h")] = Field(
        default=timedelta(seconds=60),
        description="Requests wait but no token for this long means the engine is stalled.",
    )
    scale_up: ScaleUp = Field(default=ScaleUp(), description="Adding replicas.")
    scale_down: ScaleDown = Field(default=ScaleDown(), description="Removing replicas.")


class ScalingFallback(Model):
    """What to do when signals stay away."""

    replicas: int = Field(ge=1, le=10_000, description="Raise to this number, never lower.")
    after: Annotated[Duration, within("1s", "24h")] = Field(
        default=timedelta(minutes=10), description="After this time without signals."
    )


class ScaleToZero(Model):
    """Nobody asks: the last replica goes. Somebody asks again: an activator holds the requests until one serves."""

    after: Annotated[Duration, within("1s", "24h")] = Field(
        default=timedelta(minutes=10), description="Without a request for this long, the last replica goes, 1s to 24h."
    )
    max_held_requests: int = Field(
        default=100, ge=1, le=10_000, description="Most requests that wait for a replica; further ones get status 503."
    )
    max_hold_time: Annotated[Duration, within("1s", "1h")] = Field(
        default=timedelta(minutes=10), description="A request that has waited for this long gets status 503, 1s to 1h."
    )


class ScalingSpec(CheckedModel):
    """Replicas follow the objectives between two bounds."""

    checks = (
        Check(
            cel="self.minReplicas <= self.maxReplicas",
            holds=lambda scaling: scaling.min_replicas <= scaling.max_replicas,
            message="minReplicas must not be above maxReplicas",
            field="minReplicas",
        ),
        Check(
            cel="!has(self.fallback) || self.fallback.replicas <= self.maxReplicas",
            holds=lambda scaling: scaling.fallback is None or scaling.fallback.replicas <= scaling.max_replicas,
            message="fallback.replicas must not be above maxReplicas",
            field="fallback.replicas",
        ),
        Check(
            cel="!has(self.scaleToZero) || self.minReplicas == 0",
            holds=lambda scaling: scaling.scale_to_zero is None or scaling.min_replicas == 0,
            message="says how the last replica goes, which minReplicas keeps: set minReplicas 0, or remove it",
            field="scaleToZero",
        ),
        Check(
            cel="!has(self.schedules) || self.schedules.all(s, (has(s.minReplicas) ? s.minReplicas : self.minReplicas)"
            " <= (has(s.maxReplicas) ? s.maxReplicas : self.maxReplicas))",
            holds=lambda scaling: all(map(scaling.leaves_room, scaling.schedules or ())),
            message="minReplicas must not be above maxReplicas, of a schedule or, where it has none, of the service",
            field="schedules",
        ),
    )
    min_replicas: int = Field(
        default=1,
        ge=0,
        le=10_000,
        description="Fewest replicas. 0: none while nobody asks; requests wait until one serves.",
    )
    max_replicas: int = Field(ge=1, le=10_000, description="Most replicas.")
    mode: ScalingMode = Field(
        default=ScalingMode.APPLY,
        description="Apply decisions, or only report them and leave replicas as they are, within bounds or not; "
        "what is added to its Deployment during a canary, up to maxReplicas, or taken away, both tracks share.",
    )
    behavior: ScalingBehavior = Field(
        default=ScalingBehavior(),
        description="When and how fast replicas are added and removed: thresholds, windows and pace. The defaults suit "
        "models that load in minutes.",
    )
    fallback: ScalingFallback | None = Field(
        default=None,
        description="Number that replicas are raised to when signals that scaling needs cannot be read for long, as "
        "while Prometheus is down. Without it replicas stay as they were.",
    )
    scale_to_zero: ScaleToZero | None = Field(
        default=None,
        description="With minReplicas 0: when, and who may wait. status.slo counts what engines measure: neither the "
        "time that a request is held nor one that gets status 503.",
    )
    schedules: Annotated[list[Schedule], Field(max_length=16), Unique("name")] | None = Field(
        default=None,
        description="Other bounds at certain times. Of several at a time the highest minReplicas and the lowest "
        "maxReplicas count, and where these contradict each other the latter.",
    )
    budget: Budget | None = Field(
        default=None,
        description="The most that replicas may take. It counts before minReplicas: where it is too small for so many "
        "there are fewer. One replica is allowed even beyond it.",
    )

    @property
    def to_zero(self) -> ScaleToZero | None:
        """How the last replica goes, None where one stays."""
        return None if self.min_replicas else self.scale_to_zero or ScaleToZero()

    def bounded(self, replicas: int) -> int:
        """The nearest number within the two bounds."""
        return min(max(replicas, self.min_replicas), self.max_replicas)

    def leaves_room(self, schedule: Schedule) -> bool:
        """The bounds that count while a schedule holds do not contradict each other."""
        low = self.min_replicas if schedule.min_replicas is None else schedule.min_replicas
        return low <= (self.max_replicas if schedule.max_replicas is None else schedule.max_replicas)
