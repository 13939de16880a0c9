"""All child objects of a service."""

from typing import Any

from aifactory.api.inferenceservice import InferenceService
from aifactory.runtimes import RUNTIMES

from .disruption import pod_disruption_budget
from .identity import service_account
from .monitoring import pod_monitor as podmonitor
from .network import network_policy
from .network import service as cluster_service
from .workload import deployment


def render(service: InferenceService, replicas: int, *, pod_monitor: bool) -> list[dict[str, Any]]:
    """Child objects in the order to apply them: plain dicts, complete, spelled as the API server stores them.

    `pod_monitor` says whether the cluster serves that kind.
    """
    server = RUNTIMES[service.spec.runtime.engine].server(service.spec)
    children = [
        service_account(service),
        network_policy(service, server),
        pod_disruption_budget(service),
        cluster_service(service),
        deployment(service, server, replicas),
    ]
    return [*children, podmonitor(service, server)] if pod_monitor else children
