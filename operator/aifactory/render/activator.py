"""What holds requests while a service has no replica, and how they get there and on from there."""

from collections.abc import Mapping
from typing import Any

from aifactory.api.role import RoleName
from aifactory.runtimes import Activation, Role, activator
from aifactory.runtimes.activator import ACTIVATOR_METRICS_PORT, ACTIVATOR_PORT

from . import labels, naming
from .monitoring import pod_monitor
from .network import cluster_service
from .single import container, deployment, network_policy, probe

_PORTS = {naming.PORT_NAME: ACTIVATOR_PORT, naming.METRICS_PORT_NAME: ACTIVATOR_METRICS_PORT}
# Measured: 57 MiB at rest, 65 MiB with 500 small requests held. Buffers of large ones take up to 128 MiB more.
_RESOURCES = {"requests": {"cpu": "10m", "memory": "96Mi"}, "limits": {"memory": "512Mi"}}


def holder(model: Role, activation: Activation) -> Role:
    """The activator of the service whose replicas are `model`."""
    upstream = f"http://{naming.direct(model.service)}.{model.service.metadata.namespace}.svc"
    return activator(model.service, model, upstream, activation)


def activator_id(service: str) -> tuple[str, str]:
    """Kind and name of what keeps the activator of the service of this name."""
    return "Deployment", naming.workload(service, RoleName.ACTIVATOR)


def activation_of(found: Mapping[str, Any] | None) -> Activation | None:
    """What a live activator was given; None where there is none."""
    if found is None:
        return None
    live = found["spec"]["template"]["spec"]["containers"][0]
    asked = next((word for word in live["args"] if "/wake/" in word), "")
    return Activation(live["image"], asked.partition("/wake/")[0])


def activation_children(model: Role, activation: Activation, *, asleep: bool) -> list[dict[str, Any]]:
    """Everything that the activator consists of, in the order to apply it.

    It is one pod, so that the bound of held requests is that of the service.
    """
    role = holder(model, activation)
    return [
        network_policy(role, _PORTS.values()),
        _direct(role, model, asleep=asleep),
        _deployment(role),
        pod_monitor(role),
    ]


def _direct(role: Role, model: Role, *, asleep: bool) -> dict[str, Any]:
    """The Service by which the activator reaches replicas.

    Nobody is behind it while they sleep: a Service all of whose pods are about to end still sends requests there, and
    some engines would cut these.
    """
    selector = labels.nobody(model) if asleep else labels.selector(model)
    return cluster_service(role, naming.direct(model.service), selector)


def _deployment(role: Role) -> dict[str, Any]:
    """Any node will do: one with GPUs, which the replicas want, might otherwise be kept for it alone."""
    answers = {"httpGet": {"path": "/healthz", "port": naming.METRICS_PORT_NAME, "scheme": "HTTP"}}
    one = container(
        role,
        naming.ACTIVATOR_CONTAINER,
        _PORTS,
        resources=_RESOURCES,
        readinessProbe=probe(answers, period=2, failures=3),
        livenessProbe=probe(answers, period=20, failures=6),
    )
    account = naming.model_account(role.service)
    return deployment(role, one, serviceAccountName=account, automountServiceAccountToken=False)
