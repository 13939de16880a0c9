"""Names of child objects and ports. A service's name has at most 52 characters, a Service's at most 63."""

from aifactory.api.inferenceservice import InferenceService

CONTAINER = "model-server"
PORT_NAME = "http"
SERVICE_PORT = 80


def child(service: InferenceService) -> str:
    """Name of the Deployment, Service, PodDisruptionBudget, NetworkPolicy and PodMonitor."""
    return service.metadata.name


def service_account(service: InferenceService) -> str:
    """Name of the ServiceAccount, kept apart from one that an application of the same name may have."""
    return f"{service.metadata.name}-server"


def url(service: InferenceService) -> str:
    """Address inside the cluster; the OpenAI-compatible API is below `/v1`."""
    return f"http://{child(service)}.{service.metadata.namespace}.svc"
