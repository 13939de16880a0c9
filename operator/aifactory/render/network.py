"""How requests reach the pods: one Service, one port."""

from collections.abc import Iterable, Mapping
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
    metadata = labels.metadata(role, naming.nodes(role.service.metadata.name, role.name))
    return ingress_policy(metadata, labels.members(role), _from_pods(labels.members(role)))


def network_policy(role: Role) -> dict[str, Any]:
    """Only the ports of API and metrics can be reached; pods may call out, since engines download models.

    Pods that find each other reach each other on all ports.
    """
    ports = filter(None, (role.spec.runtime.port, role.server.metrics_port))
    peers = [_from_pods(labels.whole_service(role))] if role.discovery else []
    metadata = labels.metadata(role, naming.child(role))
    return ingress_policy(metadata, labels.workload_selector(role), to_ports(ports), *peers)


def ingress_policy(metadata: Mapping[str, Any], pods: Mapping[str, str], *rules: Mapping[str, Any]) -> dict[str, Any]:
    """Pods with these labels can be reached as `rules` say, and not otherwise; they may call out."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata,
        "spec": {"podSelector": {"matchLabels": pods}, "policyTypes": ["Ingress"], "ingress": list(rules)},
    }


def to_ports(ports: Iterable[int]) -> dict[str, Any]:
    """The rule that anybody may come, to these ports."""
    return {"ports": [{"port": port, "protocol": "TCP"} for port in ports]}


def _from_pods(matching: Mapping[str, str]) -> dict[str, Any]:
    return {"from": [{"podSelector": {"matchLabels": matching}}]}
