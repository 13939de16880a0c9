"""The pod of one replica: restricted pod security, GPUs, the user's additions."""

from typing import Any

from aifactory.api.meta import Model
from aifactory.api.podtemplate import PodTemplate, SecurityContext, Toleration
from aifactory.runtimes import ModelServer, Role

from . import labels, naming, security
from .container import claims, container
from .member import Member, affinity, joined, pod_labels
from .monitoring import metrics_path
from .volumes import mounts, volume

PRODUCT_LABEL = "nvidia.com/gpu.product"
GPU_TOLERATION = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
# After draining, an engine frees GPU memory and its worker processes end.
TEARDOWN_SECONDS = 30


def pod_template(role: Role, member: Member | None = None) -> dict[str, Any]:
    """Metadata and spec of the pods, without fields that are empty; of one `member` where a replica has several."""
    template, server = role.spec.pod_template or PodTemplate(), role.server
    own = (pod_labels(role, member) if member else labels.child(role)) | {labels.TRACK: role.track.value}
    own |= {labels.GENERATION: server.generation} if server.generation else {}
    scraped = {labels.METRICS_PATH: metrics_path(role), labels.METRICS_PORT: naming.scraped_port(server)}
    annotations = {
        **(template.annotations or {}),
        **({} if member and member.worker else scraped),
        **({labels.ENGINE_CONFIG: server.config.text} if server.config else {}),
    }
    metadata = {"labels": {**(template.labels or {}), **own}, "annotations": annotations}
    return {
        "metadata": {key: value for key, value in metadata.items() if value},
        "spec": _pod_spec(role, template, member),
    }


def _pod_spec(role: Role, template: PodTemplate, member: Member | None) -> dict[str, Any]:
    server, all_mounts = role.server, mounts(role)
    serves = server.pre_stop_seconds + server.shutdown_seconds
    lingers = member.lingers if member and member.worker else serves
    fields = {
        "serviceAccountName": naming.service_account(role),
        "automountServiceAccountToken": role.discovery is not None,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": lingers + TEARDOWN_SECONDS,
        "securityContext": security_context(server, template),
        "imagePullSecrets": [{"name": name} for name in role.spec.runtime.image_pull_secrets or ()],
        "containers": [container(role, all_mounts, member)],
        "resourceClaims": [
            {"name": name, "resourceClaimTemplateName": template_name} for name, template_name in claims(role).items()
        ],
        "volumes": [volume(mount) for mount in all_mounts],
        **placement(role, template, member),
    }
    return {key: value for key, value in fields.items() if value not in ([], {}, None)}


def security_context(server: ModelServer, template: PodTemplate) -> dict[str, Any]:
    """As the template says, else as of the engine."""
    user = template.security_context or SecurityContext()
    return security.of_pod(
        user.run_as_user or server.user, user.run_as_group or server.group, user.fs_group or server.volume_group
    )


def placement(role: Role, template: PodTemplate, member: Member | None = None) -> dict[str, Any]:
    """Which nodes may take the pod."""
    product = role.spec.accelerator.product if role.accelerated else None
    tolerations = [toleration(user) for user in template.tolerations or ()]
    own = [GPU_TOLERATION] if role.accelerated else []
    return {
        "nodeSelector": (template.node_selector or {}) | ({PRODUCT_LABEL: product} if product else {}),
        "tolerations": [*own, *(user for user in tolerations if user not in own)],
        "affinity": joined(_as_stored(template.affinity), affinity(role, member) if member else {}),
        "topologySpreadConstraints": _as_stored(template.topology_spread_constraints),
        "priorityClassName": template.priority_class_name,
        "runtimeClassName": template.runtime_class_name,
        "schedulerName": template.scheduler_name,
    }


def toleration(user: Toleration) -> dict[str, Any]:
    """As the API server stores it."""
    fields = user.model_dump(by_alias=True, exclude_none=True)
    return {key: value for key, value in fields.items() if value != ""}


def _as_stored(value: Any) -> Any:
    """The user's own Kubernetes fields without what the API server drops; an empty selector stays, it selects all."""
    if isinstance(value, Model):
        return _as_stored(value.model_dump(by_alias=True, exclude_none=True))
    if isinstance(value, list):
        return [_as_stored(item) for item in value]
    if isinstance(value, dict):
        kept = {key: _as_stored(item) for key, item in value.items()}
        return {key: item for key, item in kept.items() if item != [] and (key, item) != ("matchLabels", {})}
    return value
