"""What stands beside model servers as one pod that holds its state in memory: an endpoint picker, an activator."""

from collections.abc import Iterable, Mapping
from typing import Any

from aifactory.api.podtemplate import PodTemplate
from aifactory.runtimes import Role

from . import labels, naming


def deployment(role: Role, pod_spec: Mapping[str, Any]) -> dict[str, Any]:
    """One pod; its successor is ready before it leaves."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": labels.metadata(role, naming.child(role)),
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels.workload_selector(role)},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "revisionHistoryLimit": 3,
            "template": {"metadata": _pod_metadata(role), "spec": pod_spec},
        },
    }


def network_policy(role: Role, ports: Iterable[int]) -> dict[str, Any]:
    """Anybody may come, to these ports only."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": labels.metadata(role, naming.child(role)),
        "spec": {
            "podSelector": {"matchLabels": labels.selector(role)},
            "policyTypes": ["Ingress"],
            "ingress": [{"ports": [{"port": port, "protocol": "TCP"} for port in ports]}],
        },
    }


def _pod_metadata(role: Role) -> dict[str, Any]:
    template = role.spec.pod_template or PodTemplate()
    scraped = {labels.METRICS_PATH: role.server.metrics_path, labels.METRICS_PORT: naming.METRICS_PORT_NAME}
    return {
        "labels": {**(template.labels or {}), **labels.child(role), labels.TRACK: role.track.value},
        "annotations": {**(template.annotations or {}), **scraped},
    }
