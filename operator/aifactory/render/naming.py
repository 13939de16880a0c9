"""Names of child objects and ports. A service's name has at most 52 characters, a Service's at most 63."""

from aifactory.api.inferenceservice import InferenceService
from aifactory.api.role import RoleName
from aifactory.api.rollout import Track
from aifactory.runtimes import ModelServer, Role

CONTAINER = "model-server"
ACTIVATOR_CONTAINER = "activator"
PICKER_CONTAINER = "endpoint-picker"
PORT_NAME = "http"
METRICS_PORT_NAME = "metrics"
HEALTH_PORT_NAME = "health"
GPU_CLAIM = "gpus"
DOMAIN_CLAIM = "compute-domain"
SERVICE_PORT = 80


def scraped_port(server: ModelServer) -> str:
    """Name of the port that has the metrics."""
    return METRICS_PORT_NAME if server.metrics_port else PORT_NAME


def child(role: Role) -> str:
    """Name of the Deployment, PodDisruptionBudget, NetworkPolicy and PodMonitor of a role."""
    service = role.service.metadata.name
    return canary(service) if role.track is Track.CANARY else workload(service, role.name)


def workload(service: str, role: RoleName) -> str:
    """Name of the Deployment of a role of the service of this name."""
    return service if role is RoleName.MODEL_SERVER else f"{service}-{role}"


def canary(service: str) -> str:
    """Name of the Deployment, NetworkPolicy and PodMonitor of the canary of the service of this name."""
    return f"{service}-{Track.CANARY}"


def nodes(service: str, role: RoleName) -> str:
    """Name of what all replicas with several pods share: a LeaderWorkerSet, or the Service that gives pods names."""
    return f"{workload(service, role)}-nodes"


def leader(role: Role, replica: int) -> str:
    """Name of the StatefulSet of a replica's leader."""
    return f"{child(role)}-{replica}"


def workers(role: Role, replica: int) -> str:
    """Name of the StatefulSet of a replica's other pods."""
    return f"{leader(role, replica)}-workers"


def entry(service: InferenceService) -> str:
    """Name of the Service that clients call, and of the route to it."""
    return service.metadata.name


def direct(service: InferenceService) -> str:
    """Name of the Service by which the activator reaches replicas."""
    return f"{service.metadata.name}-direct"


def discovery(service: InferenceService) -> str:
    """Name of the Service, Role and RoleBinding by which pods find each other."""
    return f"{service.metadata.name}-discovery"


def service_account(role: Role) -> str:
    """Name of the ServiceAccount, kept apart from one that an application of the same name may have."""
    return f"{workload(role.service.metadata.name, role.name)}-server"


def model_account(service: InferenceService) -> str:
    """Name of the ServiceAccount of the model servers, where they are the first role."""
    return f"{workload(service.metadata.name, RoleName.MODEL_SERVER)}-server"


def url(service: InferenceService) -> str:
    """Address inside the cluster; the OpenAI-compatible API is below `/v1`."""
    return f"http://{entry(service)}.{service.metadata.namespace}.svc"
