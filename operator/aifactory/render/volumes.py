"""Volumes of a pod: shared memory, the engine's, and the user's. A user's volume replaces one at the same path."""

from typing import Any

from aifactory.api.podtemplate import Volume
from aifactory.runtimes import ModelServer, Mount, Role

from . import egress, labels
from .quantity import canonical

SHARED_MEMORY_PATH = "/dev/shm"  # noqa: S108
# NCCL and the workers of a tensor-parallel engine exchange data through /dev/shm; a container's default is 64Mi.
SHARED_MEMORY_GI_PER_GPU = 2


def mounts(role: Role) -> tuple[Mount, ...]:
    """Every mount of the model-server container, one per path."""
    template = role.spec.pod_template
    chosen = tuple(_user_mount(volume) for volume in (template and template.volumes) or ())
    taken = {mount.path for mount in chosen}
    shared = (_shared_memory(role),) if role.accelerated else ()
    own = (*shared, *role.server.mounts, *_config(role.server), *egress.mounts(role.spec.runtime.egress))
    return *(mount for mount in own if mount.path not in taken), *chosen


def volume(mount: Mount) -> dict[str, Any]:
    """The pod's side of a mount."""
    return {"name": mount.name, **mount.source}


def volume_mount(mount: Mount) -> dict[str, Any]:
    """The container's side of a mount."""
    sub_path = {"subPath": mount.sub_path} if mount.sub_path else {}
    read_only = {"readOnly": True} if mount.read_only else {}
    return {"name": mount.name, "mountPath": mount.path, **sub_path, **read_only}


def _shared_memory(role: Role) -> Mount:
    template = role.spec.pod_template
    size = template.shared_memory if template else None
    size = canonical(size or f"{SHARED_MEMORY_GI_PER_GPU * role.spec.accelerator.count}Gi")
    source = {"emptyDir": {"medium": "Memory", "sizeLimit": size}}
    return Mount(name="aifactory-shared-memory", path=SHARED_MEMORY_PATH, source=source)


def _config(server: ModelServer) -> tuple[Mount, ...]:
    """The engine's configuration. The pod carries it in an annotation, so that a change of it is a rollout."""
    if server.config is None:
        return ()
    folder, _, name = server.config.path.rpartition("/")
    field = {"fieldRef": {"apiVersion": "v1", "fieldPath": f"metadata.annotations['{labels.ENGINE_CONFIG}']"}}
    source = {"downwardAPI": {"items": [{"path": name, **field}]}}
    return (Mount(name="aifactory-config", path=folder, source=source, read_only=True),)


def _user_mount(user: Volume) -> Mount:
    return Mount(name=user.name, path=user.mount_path, source=_source(user), read_only=user.read_only)


def _source(user: Volume) -> dict[str, Any]:
    if user.persistent_volume_claim:
        read_only = {"readOnly": True} if user.read_only else {}
        return {"persistentVolumeClaim": {"claimName": user.persistent_volume_claim.claim_name, **read_only}}
    if user.config_map:
        return {"configMap": {"name": user.config_map.name}}
    limit = user.empty_dir.size_limit if user.empty_dir else None
    return {"emptyDir": {"sizeLimit": canonical(limit)} if limit else {}}
