"""How requests reach the pods: one Service, one port."""

from typing import Any

from aifactory.api.inferenceservice import InferenceService
from aifactory.runtimes import ModelServer

from . import labels, naming


def service(owner: InferenceService) -> dict[str, Any]:
    """The Service behind `naming.url`."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": labels.metadata(owner, naming.child(owner)),
        "spec": {
            "type": "ClusterIP",
            "selector": labels.selector(owner),
            "ports": [
                {
                    "name": naming.PORT_NAME,
                    "port": naming.SERVICE_PORT,
                    "targetPort": naming.PORT_NAME,
                    "protocol": "TCP",
                    "appProtocol": "http",
                }
            ],
        },
    }


def network_policy(owner: InferenceService, server: ModelServer) -> dict[str, Any]:
    """Only the ports of API and metrics can be reached; pods may call out, since engines download models."""
    ports = filter(None, (owner.spec.runtime.port, server.metrics_port))
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": labels.metadata(owner, naming.child(owner)),
        "spec": {
            "podSelector": {"matchLabels": labels.selector(owner)},
            "policyTypes": ["Ingress"],
            "ingress": [{"ports": [{"port": port, "protocol": "TCP"} for port in ports]}],
        },
    }
