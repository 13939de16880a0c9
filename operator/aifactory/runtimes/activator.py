"""The activator: holds the requests of a service that has no replica until one serves."""

from dataclasses import dataclass

from aifactory.api.inferenceservice import InferenceService
from aifactory.api.role import RoleName
from aifactory.api.scaling import ScaleToZero

from .base import ModelServer, Role
from .parts import ENDPOINT_PROPAGATION_SECONDS, whole_seconds

OPERATOR_IMAGE = "aifactory/operator:dev"
OPERATOR_URL = "http://aifactory-operator.aifactory-system.svc:8080"
ACTIVATOR_PORT = 8080
ACTIVATOR_METRICS_PORT = 8081
_USER_ID = 65532


@dataclass(frozen=True, slots=True)
class Activation:
    """What activators run, and the address of the operator, whom they ask for replicas."""

    image: str = OPERATOR_IMAGE
    operator: str = OPERATOR_URL


def activator(service: InferenceService, model: Role, upstream: str, activation: Activation) -> Role:
    """The one pod that holds requests for the pods of `model`, which it reaches at the URL `upstream`.

    It is none of the service's roles: they answer without it. A leaving one has as long as it may hold a request and a
    replica may take to finish it.
    """
    scaling = service.spec.scaling
    wanted = (scaling and scaling.to_zero) or ScaleToZero()
    hold, drain = whole_seconds(wanted.max_hold_time), whole_seconds(service.spec.drain.timeout)
    namespace, name = service.key
    names = (service.spec.model.name, *(adapter.name for adapter in service.spec.model.adapters or ()))
    paths = dict.fromkeys((model.server.startup_path, model.server.readiness_path, model.server.liveness_path))
    server = ModelServer(
        image=activation.image,
        command=(),
        args=(
            "activate",
            *("--upstream", upstream),
            *("--wake", f"{activation.operator.rstrip('/')}/wake/{namespace}/{name}"),
            *("--max-held", str(wanted.max_held_requests)),
            *("--max-hold", str(hold)),
            *("--drain", str(hold + drain)),
            *(f"--model={name}" for name in names),
            *(f"--health={path}" for path in paths),
            *(() if model.server.health_port else (f"--ready={model.server.readiness_path}",)),
        ),
        env=(),
        mounts=(),
        pre_stop_seconds=ENDPOINT_PROPAGATION_SECONDS,
        shutdown_seconds=hold + drain,
        metrics_port=ACTIVATOR_METRICS_PORT,
        user=_USER_ID,
        group=_USER_ID,
        volume_group=_USER_ID,
        read_only_root=True,
    )
    return Role(RoleName.ACTIVATOR, service, server, dialects=(), accelerated=False)
