"""`status.scaling`: how the number of replicas comes about. Decimals are strings, times are RFC 3339 in UTC."""

from typing import Annotated

from pydantic import Field

from .meta import FreeText, Model, Text

LEARNED = 100
# The values of DecisionReason; a new version may have more, so that the schema does not refuse others.
_REASONS = (
    "One of ScaleUp, ScaleDown, Idle, WithinTarget, AtMaximum, AtMinimum, ScheduledMinimum, ScheduledMaximum, "
    "Budget, BoundsChanged, AdoptedReplicas, Fallback, ObjectivesMissed, NoData, MetricsError, PodsNotScraped, "
    "NoReplicaReady, ScalingInProgress, RolloutInProgress, StartupWindow, StabilizationWindow, "
    "ScaleDownPeriod, ScaleUpPeriod, ConsolidationRefused, RequestsQueued, ArrivalsUnknown, PaceUnknown, BurstQueued, "
    "Panic, GPUShortage, PodsNotStarting, EngineStalled, ScaledToZero, LastReplica, Activated, ActivatorNotReady."
)


class DecisionStatus(Model):
    """One scaling decision."""

    time: Text = Field(description="When it was taken.")
    from_: int = Field(alias="from", description="Replicas before.")
    to: int = Field(description="Replicas after.")
    reason: Text = Field(description=f"Cause. {_REASONS}")
    signal: Text | None = Field(
        default=None, description="Limiting signal: the one that asked for so many, or keeps so many."
    )
    cause: Text | None = Field(
        default=None,
        description="Rule by which that many are asked for, as in recommendations; TakenBack: fewer had to be taken "
        "back under such a load. Absent where no signal has answered for it.",
    )
    limited_by: Text | None = Field(
        default=None, description="What kept it from more, or from fewer: one of the reasons."
    )
    message: FreeText = Field(default="", description="Sentence with the numbers.")


class RecommendationStatus(Model):
    """What one signal alone would choose."""

    signal: Text = Field(description="Name of the signal.")
    state: Text = Field(description="OK, IDLE, STALE, MISSING, ERROR or UNSUPPORTED.")
    value: Text | None = Field(
        default=None,
        description="Observed value. A latency is that of the share of requests that replicas are sized for: "
        "slo.attainment, or the objective's percentile where that is higher.",
    )
    target: Text | None = Field(default=None, description="Its limit.")
    ratio: Text | None = Field(
        default=None, description="Value / limit, averaged; what is far beyond the limit counts as twice the limit."
    )
    adds_above: Text | None = Field(
        default=None, description="Ratio above which replicas are added. Absent where they go by load."
    )
    removes_below: Text | None = Field(
        default=None, description="Ratio below which fewer replicas are considered. Absent where they go by load."
    )
    replicas: int | None = Field(default=None, description="Replicas that it asks for.")
    cause: Text | None = Field(
        default=None,
        description="Rule by which it asks for them. By what was learned of one replica: ExpectedLoad, PresentLoad, "
        "Unproven (the load fits by estimate, and fewer replicas have not proven to carry it), StandIn (for replicas "
        "that are stuck or do not start). By the signal itself: TargetMissed and AboveThreshold (grown by the ratio), "
        "WithinThresholds, Consolidation (the fewest that keep the ratio low), Queue (they work off what waits), "
        "OneAtATime and SpentElsewhere (more would not help), LeftOver (more would get nothing of what waits), "
        "NoRequests, Backlog (they complete in time what is due).",
    )


class CapacityStatus(Model):
    """What one replica carries, as it was learned from this service. Tokens are those of prompts and of answers."""

    tokens_per_second_per_replica: Text = Field(
        description="Tokens per second of one replica at which `signal` comes to its limit, as far as it is trusted: "
        "fewer replicas are asked for by this."
    )
    estimated_tokens_per_second_per_replica: Text | None = Field(
        default=None,
        description="The same by estimate, which may be higher: more replicas are asked for by this. Absent where load "
        "does not bring the signal to its limit.",
    )
    tokens_per_second: Text = Field(description="Tokens per second of all replicas now.")
    confidence: Text = Field(description="How sure that is; below 50% what was assumed counts for more.")
    signal: Text = Field(description="Signal that comes to its limit first.")


class ForecastStatus(Model):
    """The load that is expected, in tokens per second of all replicas."""

    model: Text = Field(description="Name of the model that forecast best so far.")
    horizon: Text = Field(description="How far ahead, such as 2m.")
    expected: Text = Field(description="Most tokens per second that it expects.")
    upper: Text = Field(
        description="Tokens per second that room is kept for: the same with the usual error; the more of the "
        "error budget is spent, the further back the highest load counts, and with a margin."
    )
    error: Text = Field(
        description="What its forecasts of about the last hour were short of, as a share of the loads that came: root "
        "mean square over root mean square, 10% before it was judged."
    )
    replicas: int = Field(
        description="Replicas that latencies together ask for because of the load. Fewer than `upper` would take where "
        "a latency is still far from its target, or more is not proven."
    )


class AlternativeStatus(Model):
    """A number of replicas that was not chosen."""

    replicas: int = Field(description="That number.")
    reason: Text = Field(description="Why not, one of the reasons of decisions.")
    signal: Text | None = Field(default=None, description="Signal that speaks against it.")
    predicted: Text | None = Field(default=None, description="What its value / limit would become, 100 at most.")
    cause: Text | None = Field(
        default=None, description="Where that alone is no reason: the rule that asks for more, as in recommendations."
    )
    message: FreeText = Field(default="", description="Sentence for people.")


class ScalingStatus(Model):
    """How the number of replicas comes about."""

    decision: DecisionStatus | None = Field(default=None, description="The decision in force.")
    recommendations: Annotated[list[RecommendationStatus], Field(max_length=16)] = Field(
        default=[], description="Each signal's own answer."
    )
    capacity: CapacityStatus | None = Field(default=None, description="What one replica carries, and the load now.")
    forecast: ForecastStatus | None = Field(default=None, description="The load that is expected.")
    rejected: Annotated[list[AlternativeStatus], Field(max_length=8)] = Field(
        default=[], description="Numbers of replicas that were not chosen, and why."
    )
    last_scale_time: Text | None = Field(default=None, description="When replicas last changed.")
    history: Annotated[list[DecisionStatus], Field(max_length=10)] = Field(
        default=[], description="Last changes, newest first."
    )
    learned: Annotated[dict[str, Text], Field(max_length=LEARNED)] = Field(
        default={}, description="What scaling has learned of the service, for the operator after a restart."
    )
    learned_of: Text | None = Field(
        default=None,
        description="Fingerprint of the replicas that this is about: image, arguments, resources, volumes and nodes. "
        "When it changes, what a replica carries and how long it starts are learned anew.",
    )
