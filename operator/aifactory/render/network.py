"""How requests reach the pods: one Service, one port."""

from collections.abc import Mapping
from typing import Any

from aifactory.runtimes import Role

from . import labels, naming


def service(role: Role, answering: Role) -> dict[str, Any]:
    """The Service behind `naming.url`; requests go to the pods of the role `answering`."""
    return cluster_service(role, naming.entry(role.service), labels.selector(answering))


def cluster_service(role: Role, name: str, selector: Mapping[str, str]) -> dict[str, Any]:
    """A Service that leads to the API of the pods that have the labels of `selector`."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": labels.metadata(role, name),
        "spec": {
            "type": "ClusterIP",
            "selector": dict(selector),
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


def peers_policy(role: Role) -> dict[str, Any]:
    """Pods of replicas that have several reach each other on every port: collectives choose theirs as they like."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": labels.metadata(role, naming.nodes(role.service.metadata.name, role.name)),
        "spec": {
            "podSelector": {"matchLabels": labels.members(role)},
            "policyTypes": ["Ingress"],
            "ingress": [{"from": [{"podSelector": {"matchLabels": labels.members(role)}}]}],
        },
    }


def network_policy(role: Role) -> dict[str, Any]:
    """Only the ports of API and metrics can be reached; pods may call out, since engines download models.

    Pods that find each other reach each other on all ports.
    """
    ports = filter(None, (role.spec.runtime.port, role.server.metrics_port))
    peers = [{"from": [{"podSelector": {"matchLabels": labels.whole_service(role)}}]}] if role.discovery else []
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": labels.metadata(role, naming.child(role)),
        "spec": {
            "podSelector": {"matchLabels": labels.workload_selector(role)},
            "policyTypes": ["Ingress"],
            "ingress": [{"ports": [{"port": port, "protocol": "TCP"} for port in ports]}, *peers],
        },
    }
