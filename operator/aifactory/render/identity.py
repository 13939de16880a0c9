"""The identity of model-server pods: one that can do nothing unless it is bound to a Role."""

from typing import Any

from aifactory.runtimes import Role

from . import labels, naming


def service_account(role: Role) -> dict[str, Any]:
    """A ServiceAccount without a token."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": labels.metadata(role, naming.service_account(role)),
        "automountServiceAccountToken": False,
    }
