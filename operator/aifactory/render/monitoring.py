"""Scraping by Prometheus Operator, with the labels that the plain scrape configuration gives."""

from typing import Any

from aifactory.runtimes import Role

from . import labels, naming

SCRAPE_INTERVAL = "15s"


def _label(name: str) -> str:
    """What Prometheus calls a pod's label."""
    return "__meta_kubernetes_pod_label_" + name.translate(str.maketrans("./-", "___"))


# Label of the series: where Prometheus finds it.
IDENTITY = {
    "namespace": "__meta_kubernetes_namespace",
    "pod": "__meta_kubernetes_pod_name",
    "inferenceservice": _label(labels.SERVICE),
    "track": _label(labels.TRACK),
}


def metrics_path(role: Role) -> str:
    """Where the metrics are: as the spec says, else as of the engine."""
    metrics = role.spec.runtime.metrics
    return (metrics and role.accelerated and metrics.path) or role.server.metrics_path


def pod_monitor(role: Role) -> dict[str, Any]:
    """A PodMonitor whose series carry namespace, pod, inferenceservice and track."""
    relabelings = [
        {"action": "replace", "sourceLabels": [source], "targetLabel": target} for target, source in IDENTITY.items()
    ]
    endpoint = {
        "port": naming.scraped_port(role.server),
        "path": metrics_path(role),
        "interval": SCRAPE_INTERVAL,
        "relabelings": relabelings,
    }
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PodMonitor",
        "metadata": labels.metadata(role, naming.child(role)),
        "spec": {"selector": {"matchLabels": labels.workload_selector(role)}, "podMetricsEndpoints": [endpoint]},
    }
