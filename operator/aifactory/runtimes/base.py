"""What every engine tells the rest of the operator."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from aifactory.api.spec import InferenceServiceSpec


@dataclass(frozen=True, slots=True)
class MetricDialect:
    """Prometheus names of an engine; None where it has no such series.

    A name may be followed by one label that its series must have, as in `requests{state="waiting"}`. Histograms are
    base names without `_bucket`, in seconds. Gauges count requests, except `kv_cache_usage`, 0 to 1. Counters carry
    their `_total`.
    """

    time_to_first_token: str | None
    inter_token_latency: str | None
    end_to_end_latency: str | None
    running: str
    waiting: str
    kv_cache_usage: str | None
    completed: str | None
    prompt_tokens: str | None
    generation_tokens: str | None


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
    A leaving pod keeps serving for `pre_stop_seconds`; then it gets SIGTERM and `shutdown_seconds` to finish. Metrics
    and health are on the port of the API unless `metrics_port` and `health_port` say otherwise.
    """

    image: str
    command: tuple[str, ...]
    args: tuple[str, ...]
    env: tuple[Mapping[str, Any], ...]
    mounts: tuple[Mount, ...]
    startup_path: str
    liveness_path: str
    readiness_path: str
    metrics_path: str
    run_as_user: int
    run_as_group: int
    fs_group: int
    read_only_root: bool
    pre_stop_seconds: int
    shutdown_seconds: int
    precision: str | None = None
    profile: str | None = None
    metrics_port: int | None = None
    health_port: int | None = None
    config: EngineConfig | None = None


class Runtime(Protocol):
    """An engine."""

    @property
    def dialects(self) -> tuple[MetricDialect, ...]:
        """The metric names that its versions use; a pod speaks one of them. Empty when only a spec knows them."""
        ...

    def server(self, spec: InferenceServiceSpec) -> ModelServer:
        """The container for this spec."""
        ...

    def sequences(self, spec: InferenceServiceSpec) -> int | None:
        """Requests that a replica works on at a time, where nothing else tells how busy it is."""
        ...
