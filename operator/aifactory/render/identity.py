"""The identity of pods: one that can do nothing unless it is bound to a Role."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from aifactory.runtimes import Role

from . import labels, naming

_RBAC = "rbac.authorization.k8s.io"


def service_account(role: Role) -> dict[str, Any]:
    """That of the pods of a role."""
    return account(labels.metadata(role, naming.service_account(role)))


def account(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """A ServiceAccount without a token."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": metadata,
        "automountServiceAccountToken": False,
    }


def access(parts: Sequence[Role], name: str, rules: Iterable[Mapping[str, Iterable[str]]]) -> list[dict[str, Any]]:
    """What pods of these roles may do in their own namespace. The operator can grant only what it may do itself."""
    metadata, namespace = labels.metadata(parts[0], name), parts[0].service.metadata.namespace
    accounts = [
        {"kind": "ServiceAccount", "name": naming.service_account(role), "namespace": namespace} for role in parts
    ]
    return [
        {
            "apiVersion": f"{_RBAC}/v1",
            "kind": "Role",
            "metadata": metadata,
            "rules": [{name: list(words) for name, words in rule.items()} for rule in rules],
        },
        {
            "apiVersion": f"{_RBAC}/v1",
            "kind": "RoleBinding",
            "metadata": metadata,
            "roleRef": {"apiGroup": _RBAC, "kind": "Role", "name": name},
            "subjects": accounts,
        },
    ]
