"""What a namespace of the pod security standard `restricted` asks of a pod and of its containers."""

from typing import Any


def of_pod(user: int, group: int, volume_group: int) -> dict[str, Any]:
    """User and group of a pod's processes, never root, and the group of its volumes."""
    return {
        "runAsNonRoot": True,
        "runAsUser": user,
        "runAsGroup": group,
        "fsGroup": volume_group,
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def of_container(*, read_only_root: bool) -> dict[str, Any]:
    """No rights beyond those of its user."""
    return {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": read_only_root,
    }
