"""What stands beside model servers as one pod that holds its state in memory: an endpoint picker, an activator."""

from collections.abc import Iterable, Mapping
from typing import Any

from aifactory.api.podtemplate import PodTemplate
from aifactory.runtimes import Role

from . import labels, naming, security
from .container import pull_policy
from .network import ingress_policy, to_ports
from .pod import TEARDOWN_SECONDS, security_context


def deployment(role: Role, container: Mapping[str, Any], **pod: Any) -> dict[str, Any]:
    """One pod of one container; its successor is ready before it leaves. `pod` are further fields of the pod."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": labels.metadata(role, naming.child(role)),
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels.workload_selector(role)},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "revisionHistoryLimit": 3,
            "template": {"metadata": _pod_metadata(role), "spec": _pod_spec(role, container, pod)},
        },
    }


def container(role: Role, name: str, ports: Mapping[str, int], **fields: Any) -> dict[str, Any]:
    """The container of such a pod, with its resources and probes in `fields`."""
    server = role.server
    return {
        "name": name,
        "image": server.image,
        "imagePullPolicy": pull_policy(server.image),
        "args": list(server.args),
        "ports": [{"name": name, "containerPort": port, "protocol": "TCP"} for name, port in ports.items()],
        **fields,
        "lifecycle": {"preStop": {"sleep": {"seconds": server.pre_stop_seconds}}},
        "securityContext": security.of_container(read_only_root=server.read_only_root),
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }


def probe(action: Mapping[str, Any], *, period: int, failures: int) -> dict[str, Any]:
    """A probe that asks every `period` seconds."""
    return {**action, "periodSeconds": period, "timeoutSeconds": 5, "failureThreshold": failures}


def _pod_spec(role: Role, container: Mapping[str, Any], further: Mapping[str, Any]) -> dict[str, Any]:
    server = role.server
    fields = {
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": server.pre_stop_seconds + server.shutdown_seconds + TEARDOWN_SECONDS,
        "securityContext": security_context(server, role.spec.pod_template or PodTemplate()),
        "imagePullSecrets": [{"name": name} for name in role.spec.runtime.image_pull_secrets or ()],
        "containers": [container],
        **further,
    }
    return {key: value for key, value in fields.items() if value not in ([], {}, None)}


def network_policy(role: Role, ports: Iterable[int]) -> dict[str, Any]:
    """Anybody may come, to these ports only."""
    metadata = labels.metadata(role, naming.child(role))
    return ingress_policy(metadata, labels.selector(role), to_ports(ports))


def _pod_metadata(role: Role) -> dict[str, Any]:
    template = role.spec.pod_template or PodTemplate()
    scraped = {labels.METRICS_PATH: role.server.metrics_path, labels.METRICS_PORT: naming.METRICS_PORT_NAME}
    return {
        "labels": {**(template.labels or {}), **labels.child(role), labels.TRACK: role.track.value},
        "annotations": {**(template.annotations or {}), **scraped},
    }
