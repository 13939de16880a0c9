"""The pool of replicas that a Gateway chooses from, and the endpoint picker that it asks.

Kinds and fields are those of the Gateway API inference extension, `inference.networking.k8s.io/v1`; what the picker may
read is what the Roles of llm-d's own charts let it read.
"""

from typing import Any

from aifactory.api.endpointpicker import EndpointPickerSpec
from aifactory.api.podtemplate import ComputeResources, PodTemplate
from aifactory.runtimes import Role
from aifactory.runtimes.llmd import PICKER_HEALTH_PORT, PICKER_METRICS_PORT, PICKER_PORT

from . import labels, naming
from .identity import access, service_account
from .monitoring import pod_monitor
from .pod import placement
from .quantity import canonical
from .single import container, deployment, network_policy, probe

GROUP = "inference.networking.k8s.io"
POOL = "InferencePool"
GRPC_PORT_NAME = "grpc-ext-proc"
_CPU, _MEMORY = "250m", "512Mi"
_READ = ["get", "list", "watch"]
# Requests of priorities and rewritten model names; the picker watches them where the cluster has these kinds.
_TREATMENTS = ["inferenceobjectives", "inferencemodelrewrites"]
RULES: list[dict[str, list[str]]] = [
    {"apiGroups": [""], "resources": ["pods"], "verbs": [*_READ]},
    {"apiGroups": [GROUP], "resources": ["inferencepools"], "verbs": [*_READ]},
    {"apiGroups": ["inference.networking.x-k8s.io", "llm-d.ai"], "resources": _TREATMENTS, "verbs": [*_READ]},
]
"""All that a picker may do, in its own namespace; the operator can grant only what it may do itself."""


def pool(model: Role, picker: Role) -> list[dict[str, Any]]:
    """The pool of the pods of `model`, and everything that `picker` consists of, in the order to apply it."""
    return [
        service_account(picker),
        *access((picker,), naming.child(picker), RULES),
        network_policy(picker, (PICKER_PORT, PICKER_METRICS_PORT)),
        _service(picker),
        _deployment(picker),
        pod_monitor(picker),
        _pool(model, picker),
    ]


def _pool(model: Role, picker: Role) -> dict[str, Any]:
    """Without an answer of the picker a Gateway goes on by itself, as without a pool."""
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": POOL,
        "metadata": labels.metadata(model, naming.entry(model.service)),
        "spec": {
            "selector": {"matchLabels": labels.selector(model)},
            "targetPorts": [{"number": model.spec.runtime.port}],
            "endpointPickerRef": {
                "group": "",
                "kind": "Service",
                "name": naming.child(picker),
                "port": {"number": PICKER_PORT},
                "failureMode": "FailOpen",
            },
        },
    }


def _service(picker: Role) -> dict[str, Any]:
    port = {
        "name": GRPC_PORT_NAME,
        "port": PICKER_PORT,
        "targetPort": GRPC_PORT_NAME,
        "protocol": "TCP",
        "appProtocol": "http2",
    }
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": labels.metadata(picker, naming.child(picker)),
        "spec": {"type": "ClusterIP", "selector": labels.selector(picker), "ports": [port]},
    }


def _deployment(picker: Role) -> dict[str, Any]:
    ports = {
        GRPC_PORT_NAME: PICKER_PORT,
        naming.HEALTH_PORT_NAME: PICKER_HEALTH_PORT,
        naming.METRICS_PORT_NAME: PICKER_METRICS_PORT,
    }
    answers = {"grpc": {"port": PICKER_HEALTH_PORT, "service": "inference-extension"}}
    one = container(
        picker,
        naming.PICKER_CONTAINER,
        ports,
        resources=_resources(picker),
        readinessProbe=probe(answers, period=2, failures=3),
        # Serving begins when the pool was read; that may take as long as the API server does not answer.
        livenessProbe=probe(answers, period=10, failures=12),
    )
    return deployment(
        picker,
        one,
        serviceAccountName=naming.service_account(picker),
        automountServiceAccountToken=True,
        **placement(picker, picker.spec.pod_template or PodTemplate()),
    )


def _resources(picker: Role) -> dict[str, Any]:
    wanted = (picker.spec.runtime.endpoint_picker or EndpointPickerSpec()).resources or ComputeResources()
    disk = {"ephemeral-storage": canonical(wanted.ephemeral_storage)} if wanted.ephemeral_storage else {}
    requests = {"cpu": canonical(wanted.cpu or _CPU), "memory": canonical(wanted.memory or _MEMORY), **disk}
    limits = {"limits": {"memory": canonical(wanted.memory)}} if wanted.memory else {}
    return {"requests": requests, **limits}
