"""What has to be there before what builds on it."""

from collections.abc import Iterable, Mapping
from typing import Any

from .labels import COMPONENT

WORKLOADS = ("Deployment", "StatefulSet", "LeaderWorkerSet")
"""Kinds that come and go with replicas."""
# What makes pods, gives them rights, or leads to them.
_BUILT = (*WORKLOADS, "Job", "RoleBinding", "HTTPRoute", "Ingress")
# Who pods are, what they may do and read, who may reach them, and where they are found. Instead of one that is lacking
# there may be one of somebody else, whose rights and requests are not theirs.
_NEEDED = ("ServiceAccount", "Role", "PersistentVolumeClaim", "NetworkPolicy", "Service", "InferencePool")


def waits(child: Mapping[str, Any], lacking: Iterable[Mapping[str, Any]]) -> bool:
    """Whether a child builds on something of its component that is `lacking`."""
    needed = {_component(one) for one in lacking if one["kind"] in _NEEDED}
    return child["kind"] in _BUILT and _component(child) in needed


def carries(child: Mapping[str, Any]) -> bool:
    """Whether others may serve only in place of it: a workload, or what its pods need."""
    return child["kind"] in (*WORKLOADS, *_NEEDED)


def _component(child: Mapping[str, Any]) -> str | None:
    component: str | None = child["metadata"]["labels"].get(COMPONENT)
    return component
