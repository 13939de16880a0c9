"""Settings of the operator process, read from environment variables with the prefix AIFACTORY_."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from aifactory.api.meta import LabelKey, LabelValue
from aifactory.runtimes.activator import OPERATOR_IMAGE, OPERATOR_URL, Activation

ENVIRONMENT = "AIFACTORY_"


def _words(value: object) -> object:
    """The parts of a text with commas."""
    return tuple(word.strip() for word in value.split(",") if word.strip()) if isinstance(value, str) else value


def _labels(value: object) -> object:
    """Labels of a text such as `release=prometheus,team=ml`."""
    if not isinstance(value, str):
        return value
    pairs = [word.strip().partition("=") for word in value.split(",") if word.strip()]
    if wrong := next((key for key, equals, _ in pairs if not equals), None):
        raise ValueError(f"{wrong!r} is not a label; write key=value, with commas between several")
    return {key: text for key, _, text in pairs}


class Settings(BaseSettings):
    """Times are seconds."""

    model_config = SettingsConfigDict(env_prefix=ENVIRONMENT, frozen=True)

    prometheus_url: str = Field(
        default="http://prometheus.aifactory-system.svc:9090", description="Where the signals are read."
    )
    prometheus_timeout: float = Field(default=5.0, gt=0, le=60, description="Limit of one query.")
    monitor_labels: Annotated[dict[LabelKey, LabelValue], NoDecode, BeforeValidator(_labels)] = Field(
        default={}, description="Labels of PodMonitors, by which a Prometheus selects them, such as release=prometheus."
    )
    metrics_window: int = Field(
        default=60, ge=10, le=600, description="Window of rates; at least four scrape intervals."
    )
    tick: float = Field(
        default=15.0, ge=1, le=300, description="Time between two readings of the signals, and of the AIFactory."
    )
    workers: int = Field(default=32, ge=1, le=256, description="Services reconciled at the same time.")
    discovery: float = Field(
        default=60.0,
        ge=0.1,
        description="The cluster is asked again for optional kinds, such as PodMonitor, after this.",
    )
    resync: float = Field(default=600.0, ge=10, description="Every service is looked at again after this time.")
    status_interval: float = Field(
        default=30.0, ge=1, description="Live numbers in a status are written at most this often; the rest at once."
    )
    namespaces: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_words)] = Field(
        default=(), description="Namespaces served, with commas between them; all when empty."
    )
    download_image: str = Field(
        default=OPERATOR_IMAGE, description="Image of download pods and activators: the operator's own."
    )
    operator_url: str = Field(
        default=OPERATOR_URL, description="Where activators of services without replicas ask the operator for one."
    )
    port: int = Field(default=8080, ge=0, le=65535, description="Port of /metrics, /healthz and /readyz.")
    lease_namespace: str | None = Field(
        default=None, description="Namespace of the Lease that elects one active operator; no election when absent."
    )
    lease_duration: float = Field(default=15.0, ge=5, description="A silent leader is replaced after this time.")
    stuck_after: float = Field(default=120.0, ge=10, description="/healthz fails when a key waits longer than this.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["json", "text"] = "json"

    @property
    def activation(self) -> Activation:
        """What activators run and whom they ask."""
        return Activation(self.download_image, self.operator_url)
