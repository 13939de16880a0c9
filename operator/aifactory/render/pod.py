"""The pod of one replica: restricted pod security, GPUs, the user's additions."""

from typing import Any

from aifactory.api.inferenceservice import InferenceService
from aifactory.api.podtemplate import PodTemplate, SecurityContext, Toleration
from aifactory.runtimes import ModelServer

from . import labels, naming
from .container import container
from .monitoring import metrics_path
from .volumes import mounts, volume

PRODUCT_LABEL = "nvidia.com/gpu.product"
GPU_TOLERATION = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
# After draining, an engine frees GPU memory and its worker processes end.
TEARDOWN_SECONDS = 30


def pod_template(service: InferenceService, server: ModelServer) -> dict[str, Any]:
    """Metadata and spec of the pods, without fields that are empty."""
    template = service.spec.pod_template or PodTemplate()
    return {
        "metadata": {
            "labels": {**(template.labels or {}), **labels.child(service)},
            "annotations": {
                **(template.annotations or {}),
                labels.METRICS_PATH: metrics_path(service, server),
                labels.METRICS_PORT: naming.scraped_port(server),
                **({labels.ENGINE_CONFIG: server.config.text} if server.config else {}),
            },
        },
        "spec": _pod_spec(service, server, template),
    }


def _pod_spec(service: InferenceService, server: ModelServer, template: PodTemplate) -> dict[str, Any]:
    all_mounts, claimed = mounts(service, server), service.spec.accelerator.resource_claim_template
    fields = {
        "serviceAccountName": naming.service_account(service),
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": server.pre_stop_seconds + server.shutdown_seconds + TEARDOWN_SECONDS,
        "securityContext": _security_context(server, template.security_context or SecurityContext()),
        "imagePullSecrets": [{"name": name} for name in service.spec.runtime.image_pull_secrets or ()],
        "containers": [container(service, server, all_mounts)],
        "resourceClaims": [{"name": naming.GPU_CLAIM, "resourceClaimTemplateName": claimed}] if claimed else [],
        "volumes": [volume(mount) for mount in all_mounts],
        **_placement(service, template),
    }
    return {key: value for key, value in fields.items() if value not in ([], {}, None)}


def _security_context(server: ModelServer, user: SecurityContext) -> dict[str, Any]:
    return {
        "runAsNonRoot": True,
        "runAsUser": user.run_as_user or server.user,
        "runAsGroup": user.run_as_group or server.group,
        "fsGroup": user.fs_group or server.volume_group,
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def _placement(service: InferenceService, template: PodTemplate) -> dict[str, Any]:
    product = service.spec.accelerator.product
    tolerations = [_toleration(user) for user in template.tolerations or ()]
    return {
        "nodeSelector": (template.node_selector or {}) | ({PRODUCT_LABEL: product} if product else {}),
        "tolerations": [GPU_TOLERATION, *(user for user in tolerations if user != GPU_TOLERATION)],
        "affinity": _as_stored(template.affinity),
        "topologySpreadConstraints": _as_stored(template.topology_spread_constraints),
        "priorityClassName": template.priority_class_name,
        "runtimeClassName": template.runtime_class_name,
        "schedulerName": template.scheduler_name,
    }


def _toleration(user: Toleration) -> dict[str, Any]:
    fields = user.model_dump(by_alias=True, exclude_none=True)
    return {key: value for key, value in fields.items() if value != ""}


def _as_stored(value: Any) -> Any:
    """The user's own Kubernetes fields without what the API server drops; an empty selector stays, it selects all."""
    if isinstance(value, list):
        return [_as_stored(item) for item in value]
    if isinstance(value, dict):
        kept = {key: _as_stored(item) for key, item in value.items()}
        return {
            key: item for key, item in kept.items() if item not in (None, []) and (key, item) != ("matchLabels", {})
        }
    return value
