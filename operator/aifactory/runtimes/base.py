"""What every engine tells the rest of the operator."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from aifactory.api.inferenceservice import InferenceService
from aifactory.api.role import RoleName
from aifactory.api.rollout import Track
from aifactory.api.spec import InferenceServiceSpec

BETWEEN = "between"
"""The generation of pods that serve with two generations of others."""


@dataclass(frozen=True, slots=True)
class MetricDialect:
    """Prometheus names of an engine; None where it has no such series.

    A name may be followed by one label that its series must have, as in `requests{state="waiting"}`. Histograms are
    base names without `_bucket`, in seconds. Gauges count requests, except `kv_cache_usage`, 0 to 1. Counters carry
    their `_total`. Where a service has pods that are its `entry`, their histograms and counters are about all of it and
    come before those of the pods behind them. With `live_tokens`, `generation_tokens` moves with every token, and not
    only when a request ends. With `lazy_requests`, nothing is said of requests before one has ended.
    """

    running: str
    waiting: str
    time_to_first_token: str | None = None
    inter_token_latency: str | None = None
    end_to_end_latency: str | None = None
    kv_cache_usage: str | None = None
    completed: str | None = None
    prompt_tokens: str | None = None
    generation_tokens: str | None = None
    entry: bool = False
    live_tokens: bool = False
    lazy_requests: bool = False


@dataclass(frozen=True, slots=True)
class Mount:
    """A volume and the one path where the container sees it; `source` is the Kubernetes volume source."""

    name: str
    path: str
    source: Mapping[str, Any]
    sub_path: str | None = None
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """A file that the engine reads its configuration from."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class ModelServer:
    """The container of one replica, engine-specific part only; render/ turns it into a pod.

    An empty `command` keeps the image's own entrypoint. `env` holds Kubernetes EnvVar objects, each name once.
    It runs as `user` in `group`, and files of its volumes belong to `volume_group`, unless the spec says otherwise.
    A leaving pod keeps serving for `pre_stop_seconds`; then it gets SIGTERM and `shutdown_seconds` to finish. Metrics
    and health are on the port of the API unless `metrics_port` and `health_port` say otherwise. `sequences` is how many
    requests it works on at a time, where nothing else tells how busy it is. `worker_args` go to the pods of a replica
    other than its leader. Pods that find each other serve together with those of their `generation`.
    """

    image: str
    command: tuple[str, ...]
    args: tuple[str, ...]
    env: tuple[Mapping[str, Any], ...]
    mounts: tuple[Mount, ...]
    pre_stop_seconds: int
    shutdown_seconds: int
    startup_path: str = "/health"
    liveness_path: str = "/health"
    readiness_path: str = "/health"
    metrics_path: str = "/metrics"
    metrics_port: int | None = None
    health_port: int | None = None
    user: int = 1000
    group: int = 1000
    volume_group: int = 1000
    read_only_root: bool = False
    precision: str | None = None
    profile: str | None = None
    config: EngineConfig | None = None
    sequences: int | None = None
    worker_args: tuple[str, ...] = ()
    generation: str = ""


@dataclass(frozen=True, slots=True)
class Discovery:
    """How pods of a service find each other through the Kubernetes API.

    They hold a token, with the rights of `rules` in their namespace, and look for EndpointSlices with `labels`, and for
    objects of `kind`. A cluster that does not serve it has to be given it, as `remedy` says. A pod that turns ready is
    used within `seconds`.
    """

    kind: str
    remedy: str
    seconds: int
    rules: tuple[Mapping[str, tuple[str, ...]], ...]
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Role:
    """Equal pods of a service: what they run, and the service as its spec applies to them.

    `dialects` are the metric names that its pods may speak. `accelerated` pods get GPUs and hold the model. Replicas
    that try a new spec beside the others are of the track `canary`. Replicas that scale follow the objectives that
    `follows` names as spec.slo.objectives does; None: all of them. With `discovery` pods talk to those of the other
    roles on ports of their own choice. `between` is what pods run that serve with two generations of the other roles.
    """

    name: RoleName
    service: InferenceService
    server: ModelServer
    dialects: tuple[MetricDialect, ...]
    accelerated: bool = True
    track: Track = Track.STABLE
    follows: tuple[str, ...] | None = None
    discovery: Discovery | None = None
    between: ModelServer | None = None

    @property
    def spec(self) -> InferenceServiceSpec:
        """The spec as it applies to this role: its accelerator, its replicas or scaling, its objectives."""
        return self.service.spec


class Runtime(Protocol):
    """An engine."""

    @property
    def dialects(self) -> tuple[MetricDialect, ...]:
        """The metric names that its versions use; a pod speaks one of them. Empty when only a spec knows them."""
        ...

    def roles(self, service: InferenceService) -> tuple[Role, ...]:
        """What the service is made of; clients talk to the first."""
        ...


class OneRole:
    """An engine whose pods answer requests by themselves."""

    dialects: tuple[MetricDialect, ...] = ()

    def server(self, spec: InferenceServiceSpec) -> ModelServer:
        """The container for this spec."""
        raise NotImplementedError

    def roles(self, service: InferenceService) -> tuple[Role, ...]:
        """The model servers."""
        return (Role(RoleName.MODEL_SERVER, service, self.server(service.spec), self.dialects),)
