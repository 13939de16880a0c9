"""Names of child objects and ports. A service's name has at most 52 characters, a Service's at most 63."""

from aifactory.api.inferenceservice import InferenceService
from aifactory.runtimes import ModelServer

CONTAINER = "model-server"
PORT_NAME = "http"
METRICS_PORT_NAME = "metrics"
HEALTH_PORT_NAME = "health"
GPU_CLAIM = "gpus"
SERVICE_PORT = 80


def scraped_port(server: ModelServer) -> str:
    """Name of the port that has the metrics."""
    return METRICS_PORT_NAME if server.metrics_port else PORT_NAME


def child(service: InferenceService) -> str:
    """Name of the Deployment, Service, PodDisruptionBudget, NetworkPolicy and PodMonitor."""
    return service.metadata.name


def service_account(service: InferenceService) -> str:
    """Name of the ServiceAccount, kept apart from one that an application of the same name may have."""
    return f"{service.metadata.name}-server"


def url(service: InferenceService) -> str:
    """Address inside the cluster; the OpenAI-compatible API is below `/v1`."""
    return f"http://{child(service)}.{service.metadata.namespace}.svc"
