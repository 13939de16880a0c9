"""The part of a pod that a user may shape: never privileges, host access or service accounts."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from .affinity import Affinity, TopologySpread
from .checks import Check, Unique, all_different, count_set
from .meta import (
    FOREIGN_KEYS,
    LABEL_KEYS,
    CheckedModel,
    FreeText,
    LabelKey,
    LabelValue,
    Model,
    ObjectName,
    Quantity,
    UserId,
)

_SHARED_MEMORY_PATH = "/dev/shm"  # noqa: S108
_OWN_VOLUMES = "aifactory-"
EnvName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=256)]


class KeySelector(Model):
    """A key of a Secret or ConfigMap in the service's own namespace."""

    name: ObjectName = Field(description="Name of the object.")
    key: Annotated[str, StringConstraints(pattern=r"^[-._a-zA-Z0-9]+$", max_length=253)] = Field(
        description="Key inside the object."
    )
    optional: bool = Field(default=False, description="Start also when the object or the key is missing.")


class EnvSource(CheckedModel):
    """Where the value of an environment variable comes from."""

    checks = (
        Check(
            cel="has(self.secretKeyRef) != has(self.configMapKeyRef)",
            holds=lambda source: (source.secret_key_ref is None) != (source.config_map_key_ref is None),
            message="set exactly one of secretKeyRef or configMapKeyRef",
        ),
    )
    secret_key_ref: KeySelector | None = Field(default=None, description="Key of a Secret, resolved by the kubelet.")
    config_map_key_ref: KeySelector | None = Field(default=None, description="Key of a ConfigMap.")


class EnvVar(CheckedModel):
    """An environment variable of the model server."""

    checks = (
        Check(
            cel="!(has(self.value) && has(self.valueFrom))",
            holds=lambda variable: variable.value is None or variable.value_from is None,
            message="set value or valueFrom, not both",
        ),
    )
    name: EnvName = Field(description="Name of the variable.")
    value: FreeText | None = Field(default=None, description="Literal value.")
    value_from: EnvSource | None = Field(default=None, description="Value from a Secret or ConfigMap.")


class Toleration(Model):
    """Lets pods run on tainted nodes."""

    key: LabelKey | None = Field(default=None, description="Taint key.")
    operator: Literal["Exists", "Equal"] | None = Field(default=None, description="Exists or Equal (the default).")
    value: LabelValue | None = Field(default=None, description="Taint value.")
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = Field(
        default=None, description="Taint effect; all when absent."
    )
    toleration_seconds: int | None = Field(
        default=None, ge=0, le=2147483647, description="Seconds tolerated, for NoExecute."
    )


class ComputeResources(Model):
    """CPU and memory of the model-server container; GPUs are asked for in spec.accelerator."""

    cpu: Quantity | None = Field(default=None, description="CPU request, such as 8 or 500m.")
    memory: Quantity | None = Field(default=None, description="Memory request and limit, such as 64Gi.")
    ephemeral_storage: Quantity | None = Field(default=None, description="Request for local disk, such as 20Gi.")


class ClaimVolume(Model):
    """An existing PersistentVolumeClaim."""

    claim_name: ObjectName = Field(description="Name of the claim in the service's namespace.")


class ConfigMapVolume(Model):
    """Files from a ConfigMap."""

    name: ObjectName = Field(description="Name of the ConfigMap in the service's namespace.")


class EmptyDirVolume(Model):
    """Scratch space that lives as long as the pod."""

    size_limit: Quantity | None = Field(default=None, description="Limit of the volume, such as 20Gi.")


class Volume(CheckedModel):
    """A volume and the path where the model server sees it."""

    checks = (
        Check(
            cel="[has(self.persistentVolumeClaim), has(self.configMap), has(self.emptyDir)].filter(x, x).size() == 1",
            holds=lambda volume: count_set(volume.persistent_volume_claim, volume.config_map, volume.empty_dir) == 1,
            message="set exactly one of persistentVolumeClaim, configMap or emptyDir",
        ),
        Check(
            cel=f"self.mountPath != '{_SHARED_MEMORY_PATH}'",
            holds=lambda volume: volume.mount_path != _SHARED_MEMORY_PATH,
            message=f"{_SHARED_MEMORY_PATH} is mounted already; size it with podTemplate.sharedMemory",
            field="mountPath",
        ),
        Check(
            cel=f"!self.name.startsWith('{_OWN_VOLUMES}')",
            holds=lambda volume: not volume.name.startswith(_OWN_VOLUMES),
            message=f"names that start with {_OWN_VOLUMES} belong to the operator",
            field="name",
        ),
    )
    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=63)] = Field(
        description="Name of the volume."
    )
    mount_path: Annotated[str, StringConstraints(pattern=r"^/[^:]*[^:/]$", max_length=1024)] = Field(
        description="Absolute path in the container, without a slash at its end."
    )
    read_only: bool = Field(default=False, description="Mount without write access.")
    persistent_volume_claim: ClaimVolume | None = Field(default=None, description="An existing claim.")
    config_map: ConfigMapVolume | None = Field(default=None, description="Files from a ConfigMap.")
    empty_dir: EmptyDirVolume | None = Field(default=None, description="Scratch space.")


class SecurityContext(Model):
    """User and groups of the model server; root is not offered."""

    run_as_user: UserId | None = Field(default=None, description="Numeric user, at least 1. Default per engine.")
    run_as_group: UserId | None = Field(default=None, description="Numeric group. Default per engine.")
    fs_group: UserId | None = Field(default=None, description="Group that owns mounted volumes. Default per engine.")


class PodTemplate(CheckedModel):
    """Additions to the pods of the service."""

    checks = (
        Check(
            cel="!has(self.volumes) || self.volumes.all(v, self.volumes.exists_one(w, w.mountPath == v.mountPath))",
            holds=lambda template: all_different(volume.mount_path for volume in template.volumes or ()),
            message="two volumes must not share a mountPath",
            field="volumes",
        ),
    )
    labels: Annotated[dict[str, LabelValue], Field(max_length=32), LABEL_KEYS, FOREIGN_KEYS] | None = Field(
        default=None, description="Extra pod labels; the operator's own win."
    )
    annotations: Annotated[dict[str, FreeText], Field(max_length=32), LABEL_KEYS, FOREIGN_KEYS] | None = Field(
        default=None, description="Extra pod annotations."
    )
    node_selector: Annotated[dict[str, LabelValue], Field(max_length=16), LABEL_KEYS] | None = Field(
        default=None, description="Node labels that pods need, beside the accelerator's product."
    )
    tolerations: Annotated[list[Toleration], Field(max_length=16)] | None = Field(
        default=None, description="Taints that pods accept."
    )
    affinity: Affinity | None = Field(default=None, description="Nodes and other pods to be near to or apart from.")
    topology_spread_constraints: Annotated[list[TopologySpread], Field(max_length=8)] | None = Field(
        default=None, description="How evenly pods are spread over groups of nodes."
    )
    resources: ComputeResources | None = Field(default=None, description="CPU, memory and disk of the model server.")
    shared_memory: Quantity | None = Field(
        default=None, description="Size of /dev/shm, such as 16Gi. Default 2Gi per GPU."
    )
    volumes: Annotated[list[Volume], Field(max_length=16), Unique("name")] | None = Field(
        default=None, description="Extra volumes, each with a name of its own."
    )
    security_context: SecurityContext | None = Field(default=None, description="User and groups of the pods.")
    priority_class_name: ObjectName | None = Field(default=None, description="PriorityClass of the pods.")
    runtime_class_name: ObjectName | None = Field(default=None, description="RuntimeClass of the pods, such as nvidia.")
    scheduler_name: ObjectName | None = Field(default=None, description="Scheduler that places the pods.")
