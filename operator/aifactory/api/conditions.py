"""Condition types and reasons that appear in `status.conditions`."""

from enum import StrEnum


class ConditionType(StrEnum):
    """What a condition is about. Unless noted, True is the healthy value."""

    READY = "Ready"  # computed from the others, in status/ready.py
    ACCEPTED = "Accepted"  # the spec can be acted on
    PROGRESSING = "Progressing"  # a rollout is on its way; present while the workload exists
    RECONCILING = "Reconciling"  # kstatus: only while True
    STALLED = "Stalled"  # kstatus: only while True, needs a change by the user
    EXPOSED = "Exposed"  # the way in from outside is there; present while spec.expose asks for one
    ROUTING_READY = "RoutingReady"  # a Gateway chooses replicas by caches and load; present with engine llmd
    MODEL_READY = "ModelReady"  # at least one replica has the model loaded and answers
    METRICS_AVAILABLE = "MetricsAvailable"  # the signals that scaling needs can be read
    SCALING_ACTIVE = "ScalingActive"  # replicas follow the objectives
    SCALING_LIMITED = "ScalingLimited"  # negative: a bound keeps replicas from the wanted number
    SLO_MET = "SLOMet"  # objectives, or the promise of an offline service
    SLO_RESOLUTION = "SLOResolution"  # the histogram can resolve the objective
    SLO_INFEASIBLE = "SLOInfeasible"  # negative: more replicas cannot meet the objective
    GPU_SHORTAGE = "GPUShortage"  # negative: pods wait for GPUs that no node has free
    ENGINE_STALLED = "EngineStalled"  # negative: requests wait but no token comes out
    # Of a ModelCache, beside Ready, Accepted, Reconciling and Stalled
    DOWNLOADED = "Downloaded"  # a complete copy of what the spec asks for is in the volume
    STORAGE_TOO_SMALL = "StorageTooSmall"  # negative: the weights do not fit


class Reason(StrEnum):
    """CamelCase, one word per cause."""

    # Accepted
    VALID = "Valid"
    INVALID_SPEC = "InvalidSpec"
    # Ready
    AVAILABLE = "Available"
    WAITING_FOR_REPLICAS = "WaitingForReplicas"
    MODEL_LOADING = "ModelLoading"
    SCALED_TO_ZERO = "ScaledToZero"
    COLD_STARTING = "ColdStarting"
    ACTIVATOR_NOT_READY = "ActivatorNotReady"
    PAUSED = "Paused"
    PLAN_ONLY = "PlanOnly"
    # Progressing, Reconciling
    CREATING = "Creating"
    ROLLING_OUT = "RollingOut"
    ROLLOUT_COMPLETE = "RolloutComplete"
    STARTUP_TIMEOUT = "StartupTimeout"
    CANARY_PROGRESSING = "CanaryProgressing"
    CANARY_PROMOTING = "CanaryPromoting"
    CANARY_WITHDRAWN = "CanaryWithdrawn"
    CANARY_ROLLED_BACK = "CanaryRolledBack"
    # Exposed
    ROUTE_ACCEPTED = "RouteAccepted"
    ROUTE_PENDING = "RoutePending"
    ROUTE_REJECTED = "RouteRejected"
    INGRESS_CREATED = "IngressCreated"
    INGRESS_PENDING = "IngressPending"
    GATEWAY_API_MISSING = "GatewayAPIMissing"
    # RoutingReady
    POOL_ACCEPTED = "PoolAccepted"
    POOL_PENDING = "PoolPending"
    POOL_REJECTED = "PoolRejected"
    POOL_UNUSED = "PoolUnused"
    ENDPOINT_PICKER_STARTING = "EndpointPickerStarting"
    INFERENCE_EXTENSION_MISSING = "InferenceExtensionMissing"
    # Stalled
    SECRET_NOT_FOUND = "SecretNotFound"  # noqa: S105
    IMAGE_PULL_FAILED = "ImagePullFailed"
    CONTAINER_CRASHING = "ContainerCrashing"
    CONTAINER_CONFIG_INVALID = "ContainerConfigInvalid"
    APPLY_REJECTED = "ApplyRejected"
    NAME_TAKEN = "NameTaken"
    KIND_MISSING = "KindMissing"
    POD_REJECTED = "PodRejected"
    POD_NOT_STARTING = "PodNotStarting"
    INSUFFICIENT_GPUS = "InsufficientGPUs"
    UNSCHEDULABLE = "Unschedulable"
    # MetricsAvailable, ScalingActive, SLO*
    METRICS_READ = "MetricsRead"
    PROMETHEUS_UNREACHABLE = "PrometheusUnreachable"
    METRICS_MISSING = "MetricsMissing"
    METRICS_STALE = "MetricsStale"
    PODS_NOT_SCRAPED = "PodsNotScraped"
    IDLE = "Idle"
    FOLLOWING_OBJECTIVES = "FollowingObjectives"
    RECOMMEND_ONLY = "RecommendOnly"
    HOLDING = "Holding"
    AT_MAXIMUM = "AtMaximum"
    SCHEDULED_MAXIMUM = "ScheduledMaximum"
    BUDGET = "Budget"
    BUDGET_BELOW_MINIMUM = "BudgetBelowMinimum"
    OBJECTIVES_MET = "ObjectivesMet"
    OBJECTIVES_MISSED = "ObjectivesMissed"
    BACKLOG_IN_TIME = "BacklogInTime"
    BACKLOG_LATE = "BacklogLate"
    PACE_UNKNOWN = "PaceUnknown"
    OBJECTIVE_UNSUPPORTED = "ObjectiveUnsupported"
    BETWEEN_BUCKETS = "BetweenBuckets"
    BASE_LATENCY_ABOVE_OBJECTIVE = "BaseLatencyAboveObjective"
    NO_TOKENS = "NoTokens"
    PODS_STUCK = "PodsStuck"
    # Downloads
    DOWNLOADED = "Downloaded"
    DOWNLOADING = "Downloading"
    CHECKING_SOURCE = "CheckingSource"
    WAITING_FOR_VOLUME = "WaitingForVolume"
    VOLUME_LOST = "VolumeLost"
    STORAGE_TOO_SMALL = "StorageTooSmall"
    NO_SPACE_LEFT = "NoSpaceLeft"
    VOLUME_NOT_WRITABLE = "VolumeNotWritable"
    SOURCE_NOT_FOUND = "SourceNotFound"
    SOURCE_UNREACHABLE = "SourceUnreachable"
    SOURCE_NOT_UNDERSTOOD = "SourceNotUnderstood"
    SOURCE_CHANGED = "SourceChanged"
    UNAUTHORIZED = "Unauthorized"
    UNSAFE_FILE_NAME = "UnsafeFileName"
    CHECKSUM_MISMATCH = "ChecksumMismatch"
    DOWNLOAD_FAILED = "DownloadFailed"
    # ModelReady of a service that reads a cache
    MODEL_CACHE_MISSING = "ModelCacheMissing"
    MODEL_CACHE_NOT_READY = "ModelCacheNotReady"
    MODEL_CACHE_FAILED = "ModelCacheFailed"
