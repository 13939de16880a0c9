"""All child objects of a service."""

from collections.abc import Collection
from typing import Any

from aifactory.api.inferenceservice import InferenceService
from aifactory.runtimes import RUNTIMES

from .disruption import pod_disruption_budget
from .exposure import exposure
from .identity import service_account
from .monitoring import pod_monitor
from .network import network_policy
from .network import service as cluster_service
from .workload import deployment

OPTIONAL = ("PodMonitor", "HTTPRoute")
"""Kinds that not every cluster serves."""


def render(service: InferenceService, replicas: int, *, served: Collection[str]) -> list[dict[str, Any]]:
    """Child objects in the order to apply them: plain dicts, complete, spelled as the API server stores them.

    `served` are the optional kinds that the cluster has.
    """
    server = RUNTIMES[service.spec.runtime.engine].server(service.spec)
    children = [
        service_account(service),
        network_policy(service, server),
        pod_disruption_budget(service),
        cluster_service(service),
        deployment(service, server, replicas),
        pod_monitor(service, server),
        *exposure(service),
    ]
    return [child for child in children if child["kind"] not in OPTIONAL or child["kind"] in served]
