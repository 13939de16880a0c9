"""llm-d: vLLM behind an endpoint picker that a Gateway asks which replica is to answer a request.

The picker is llm-d's ("llm-d Router", repository llm-d/llm-d-router; before that llm-d-inference-scheduler); its flags
are those of pkg/epp/server/options.go, its user and ports those of Dockerfile.epp. Without a configuration it weighs
waiting requests and KV cache in use by 2 each and cached prefixes by 3 (loadDefaultConfig of pkg/epp/config/loader).
Workers need nothing beside what vLLM does anyway: its prefix cache is on, and the picker reads its metrics.
"""

from aifactory.api.endpointpicker import EndpointPickerSpec
from aifactory.api.engine import Engine
from aifactory.api.inferenceservice import InferenceService
from aifactory.api.role import RoleName

from .base import ModelServer, Role
from .parts import ENDPOINT_PROPAGATION_SECONDS, whole_seconds
from .vllm import VLLM

PICKER_IMAGE = "ghcr.io/llm-d/llm-d-router-endpoint-picker:v0.10.0"
PICKER_PORT = 9002
PICKER_HEALTH_PORT = 9003
PICKER_METRICS_PORT = 9090
PICKER_USER_ID = 65532


class LLMD(VLLM):
    """Workers are vLLM's."""


def endpoint_picker(service: InferenceService) -> Role | None:
    """The one pod that chooses replicas, None with engines that have no such thing.

    It is none of the service's roles: the replicas that it chooses from answer without it as well. A Gateway streams
    answers through it, so that a leaving picker gets as long as a replica to finish them.
    """
    if service.spec.runtime.engine is not Engine.LLMD:
        return None
    picker = service.spec.runtime.endpoint_picker or EndpointPickerSpec()
    name, namespace = service.metadata.name, service.metadata.namespace
    server = ModelServer(
        image=picker.image or PICKER_IMAGE,
        command=(),
        args=(
            *("--pool-name", name, "--pool-namespace", namespace),
            # To check who reads its metrics it would have to be allowed to review tokens of the whole cluster.
            "--metrics-endpoint-auth=false",
            "--tracing=false",
            *("--zap-encoder", "json"),
            *(picker.args or ()),
        ),
        env=(),
        mounts=(),
        pre_stop_seconds=ENDPOINT_PROPAGATION_SECONDS,
        shutdown_seconds=whole_seconds(service.spec.drain.timeout),
        metrics_port=PICKER_METRICS_PORT,
        health_port=PICKER_HEALTH_PORT,
        user=PICKER_USER_ID,
        group=PICKER_USER_ID,
        volume_group=PICKER_USER_ID,
        read_only_root=True,
    )
    return Role(RoleName.ENDPOINT_PICKER, service, server, dialects=(), accelerated=False)
