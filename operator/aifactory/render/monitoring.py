"""Scraping by Prometheus Operator, with the labels that the plain scrape configuration gives."""

from typing import Any

from aifactory.api.inferenceservice import InferenceService
from aifactory.runtimes import ModelServer

from . import labels, naming

SCRAPE_INTERVAL = "15s"
_SERVICE_LABEL = "__meta_kubernetes_pod_label_" + labels.SERVICE.translate(str.maketrans("./-", "___"))
# Label of the series: where Prometheus finds it.
IDENTITY = {
    "namespace": "__meta_kubernetes_namespace",
    "pod": "__meta_kubernetes_pod_name",
    "inferenceservice": _SERVICE_LABEL,
}


def metrics_path(service: InferenceService, server: ModelServer) -> str:
    """Where the metrics are: as the spec says, else as of the engine."""
    metrics = service.spec.runtime.metrics
    return (metrics and metrics.path) or server.metrics_path


def pod_monitor(service: InferenceService, server: ModelServer) -> dict[str, Any]:
    """A PodMonitor whose series carry namespace, pod and inferenceservice."""
    relabelings = [
        {"action": "replace", "sourceLabels": [source], "targetLabel": target} for target, source in IDENTITY.items()
    ]
    endpoint = {
        "port": naming.scraped_port(server),
        "path": metrics_path(service, server),
        "interval": SCRAPE_INTERVAL,
        "relabelings": relabelings,
    }
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PodMonitor",
        "metadata": labels.metadata(service, naming.child(service)),
        "spec": {"selector": {"matchLabels": labels.selector(service)}, "podMetricsEndpoints": [endpoint]},
    }
