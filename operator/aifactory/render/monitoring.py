"""Scraping by Prometheus Operator, with the labels that the plain scrape configuration gives."""

from collections.abc import Mapping
from typing import Any

from aifactory.runtimes import Role

from . import labels, naming

SCRAPE_INTERVAL = "15s"


def _label(name: str) -> str:
    """What Prometheus calls a pod's label."""
    return "__meta_kubernetes_pod_label_" + name.translate(str.maketrans("./-", "___"))


def metrics_path(role: Role) -> str:
    """Where the metrics are: as the spec says, else as of the engine."""
    metrics = role.spec.runtime.metrics
    return (metrics and role.accelerated and metrics.path) or role.server.metrics_path


def pod_monitor(role: Role) -> dict[str, Any]:
    """A PodMonitor whose series carry namespace, pod, inferenceservice, track and pod_template_hash."""
    identity = {"inferenceservice": labels.SERVICE, "track": labels.TRACK, "pod_template_hash": labels.TEMPLATE_HASH}
    scraped = endpoint(naming.scraped_port(role.server), metrics_path(role), identity)
    return monitor(labels.metadata(role, naming.child(role)), labels.workload_selector(role), scraped)


def monitor(metadata: Mapping[str, Any], pods: Mapping[str, str], scraped: Mapping[str, Any]) -> dict[str, Any]:
    """A PodMonitor of the pods with these labels, which are `scraped` as `endpoint` says."""
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PodMonitor",
        "metadata": metadata,
        "spec": {"selector": {"matchLabels": pods}, "podMetricsEndpoints": [scraped]},
    }


def endpoint(port: str, path: str, identity: Mapping[str, str]) -> dict[str, Any]:
    """What to scrape of a pod; its series carry namespace, pod and the labels of `identity`, named after pod labels."""
    sources = {
        "namespace": "__meta_kubernetes_namespace",
        "pod": "__meta_kubernetes_pod_name",
        **{target: _label(label) for target, label in identity.items()},
    }
    relabelings = [
        {"action": "replace", "sourceLabels": [source], "targetLabel": target} for target, source in sources.items()
    ]
    return {"port": port, "path": path, "interval": SCRAPE_INTERVAL, "relabelings": relabelings}
