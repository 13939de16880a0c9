"""The answer of the control law, with everything a person needs to understand it."""

from dataclasses import dataclass
from enum import StrEnum

from aifactory.signals.objectives import Signal
from aifactory.signals.readings import State


class DecisionReason(StrEnum):
    """Why the number of replicas is what it is."""

    SCALE_UP = "ScaleUp"
    SCALE_DOWN = "ScaleDown"
    IDLE = "Idle"  # scaled down, or about to, because nobody asks
    WITHIN_TARGET = "WithinTarget"
    AT_MAXIMUM = "AtMaximum"
    AT_MINIMUM = "AtMinimum"
    SCHEDULED_MINIMUM = "ScheduledMinimum"  # as AT_MINIMUM, by spec.scaling.schedules
    SCHEDULED_MAXIMUM = "ScheduledMaximum"  # as AT_MAXIMUM
    BUDGET = "Budget"  # as AT_MAXIMUM, by spec.scaling.budget
    BOUNDS_CHANGED = "BoundsChanged"  # replicas are brought within minReplicas and maxReplicas
    ADOPTED_REPLICAS = "AdoptedReplicas"  # someone else changed the Deployment
    FALLBACK = "Fallback"
    OBJECTIVES_MISSED = "ObjectivesMissed"  # and no signal asks for more replicas
    NO_DATA = "NoData"
    METRICS_ERROR = "MetricsError"
    PODS_NOT_SCRAPED = "PodsNotScraped"
    NO_REPLICA_READY = "NoReplicaReady"
    SCALING_IN_PROGRESS = "ScalingInProgress"
    ROLLOUT_IN_PROGRESS = "RolloutInProgress"
    STARTUP_WINDOW = "StartupWindow"
    STABILIZATION_WINDOW = "StabilizationWindow"
    SCALE_DOWN_PERIOD = "ScaleDownPeriod"
    SCALE_UP_PERIOD = "ScaleUpPeriod"
    CONSOLIDATION_REFUSED = "ConsolidationRefused"
    REQUESTS_QUEUED = "RequestsQueued"  # in replicas that could not finish them if they left
    ARRIVALS_UNKNOWN = "ArrivalsUnknown"  # nobody knows yet whether requests keep coming
    PACE_UNKNOWN = "PaceUnknown"  # requests wait, and nobody knows yet what a full replica completes
    BURST_QUEUED = "BurstQueued"  # in replicas that will be late with it, and nothing more for others comes
    PANIC = "Panic"
    GPU_SHORTAGE = "GPUShortage"
    PODS_NOT_STARTING = "PodsNotStarting"  # the newest are refused or overdue, and more would be, too
    ENGINE_STALLED = "EngineStalled"
    SCALED_TO_ZERO = "ScaledToZero"  # the last replica goes, or has gone
    LAST_REPLICA = "LastReplica"  # it stays until nobody has asked for long enough
    ACTIVATED = "Activated"  # requests have come that need the first replica
    ACTIVATOR_NOT_READY = "ActivatorNotReady"


class Cause(StrEnum):
    """The rule of the law by which a number of replicas was found."""

    EXPECTED_LOAD = "ExpectedLoad"  # they carry the load that is expected, by what was learned of one
    PRESENT_LOAD = "PresentLoad"  # the same of the load that there is
    UNPROVEN = "Unproven"  # those that are there carry it by estimate; by what one has proven, fewer would not
    TARGET_MISSED = "TargetMissed"  # grown by the ratio, whatever was learned
    ABOVE_THRESHOLD = "AboveThreshold"  # grown by the ratio, where nothing was learned
    WITHIN_THRESHOLDS = "WithinThresholds"
    CONSOLIDATION = "Consolidation"  # the fewest with which the ratio is predicted to stay low
    QUEUE = "Queue"  # they work off what waits
    ONE_AT_A_TIME = "OneAtATime"  # no more than there are: requests have a replica of their own
    SPENT_ELSEWHERE = "SpentElsewhere"  # prompts hardly spend any of that time in prefill replicas
    LEFT_OVER = "LeftOver"  # what waits came before replicas that have none of it, and would give further ones none
    NO_REQUESTS = "NoRequests"
    BACKLOG = "Backlog"  # they complete what is due in time
    STAND_IN = "StandIn"  # for replicas that are stuck or do not start
    TAKEN_BACK = "TakenBack"  # fewer were tried, and regretted


@dataclass(frozen=True, slots=True)
class Load:
    """What replicas were reckoned from, in tokens per second: the load of all, and what one carries.

    `horizon_seconds` is how far ahead the load is expected; None of the load that there is. `lost` replicas carry
    nothing, and others stand in for them.
    """

    tokens: float
    each: float
    horizon_seconds: float | None = None
    lost: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """Replicas, the rule that found them, and the load that they are for if they were reckoned from one."""

    replicas: int
    cause: Cause
    load: Load | None = None


@dataclass(frozen=True, slots=True)
class Recommendation:
    """What one signal alone would choose, and by which rule.

    `value` and `target` are in the signal's unit; `ratio` is value / target, averaged and cut off at 2. Where
    the cause is its ratio, replicas are added above `adds_above`, and fewer are considered below `removes_below`.
    `replicas` and `cause` are None where the signal has nothing to say.
    """

    signal: Signal
    state: State
    value: float | None = None
    target: float | None = None
    ratio: float | None = None
    replicas: int | None = None
    cause: Cause | None = None
    adds_above: float | None = None
    removes_below: float | None = None


@dataclass(frozen=True, slots=True)
class Capacity:
    """What one replica can carry, as it was learned, and what is asked of all of them.

    `per_replica` is the load, in prompt and output tokens per second, at which `signal` comes to its limit, as far as
    a replica is trusted; `load` is that of all replicas now. `confidence` is 0 to 1: below one half, the prior counts
    for more than what was seen. `estimated` is what it carries by the line alone, None where that has no end.
    """

    per_replica: float
    load: float
    confidence: float
    signal: Signal
    estimated: float | None = None


@dataclass(frozen=True, slots=True)
class Forecast:
    """The load (tokens per second of all replicas) expected within `horizon_seconds`.

    `model` is the one that did best in its own back-test; `value` is the most that it expects, `upper` adds its usual
    error. `replicas` is what latencies ask for because of the load. `error` is its usual shortfall, as a share of the
    load.
    """

    model: str
    horizon_seconds: float
    value: float
    upper: float
    error: float
    replicas: int


@dataclass(frozen=True, slots=True)
class Alternative:
    """A number of replicas that was not chosen, and why.

    `ratio` is what `signal` is predicted to become with it: value / target. Where that is no reason, `cause` is the
    rule that asks for more.
    """

    replicas: int
    reason: DecisionReason
    signal: Signal | None = None
    ratio: float | None = None
    cause: Cause | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """Replicas before and after, the cause, and facts about the service that became apparent.

    `answer` is what it goes by, None where no signal has answered for it. `infeasible` are latencies that one request
    alone already misses; `overdue_pods` have not started within the startup timeout; `stuck_pods` hold requests and
    make no token while others do.
    """

    from_: int
    to: int
    reason: DecisionReason
    message: str
    signal: Signal | None = None
    limited_by: DecisionReason | None = None
    recommendations: tuple[Recommendation, ...] = ()
    infeasible: tuple[Signal, ...] = ()
    gpu_shortage: bool = False
    engine_stalled: bool = False
    overdue_pods: int = 0
    stuck_pods: tuple[str, ...] = ()
    capacity: Capacity | None = None
    forecast: Forecast | None = None
    rejected: tuple[Alternative, ...] = ()
    answer: Answer | None = None

    @property
    def changes(self) -> bool:
        """The Deployment has to be resized."""
        return self.to != self.from_
