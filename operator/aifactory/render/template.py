"""Which pod template a workload was given, and what of it decides how much a replica can do."""

from collections.abc import Mapping
from typing import Any

from aifactory.api.accelerator import LEADER_ADDRESS
from aifactory.api.rollout import Track

from . import labels
from .digest import digest

_OF_TRACK = (labels.TRACK, labels.COMPONENT)
# Fields of a pod and of a container by which replicas differ in what they carry and how long they take to start.
_POD_FIELDS = ("volumes", "resourceClaims", "nodeSelector", "affinity")
_CONTAINER_FIELDS = ("image", "command", "args", "env", "resources", "volumeMounts")


def fingerprint(template: Mapping[str, Any]) -> str:
    """The same for the stable replicas and the canary of one spec: labels that differ by track are left out."""
    metadata = template["metadata"]
    common = {name: value for name, value in metadata["labels"].items() if name not in _OF_TRACK}
    content = {**template, "metadata": {**metadata, "labels": common}}
    return digest(content)


def marked(child: Mapping[str, Any]) -> dict[str, Any]:
    """A rendered Deployment with the fingerprint of its template as an annotation; other children as they are.

    The pods of a canary carry it too: those of an earlier attempt say nothing about this one.
    """
    if child["kind"] != "Deployment":
        return dict(child)
    template, metadata = child["spec"]["template"], child["metadata"]
    mark = {labels.TEMPLATE: fingerprint(template)}
    if template["metadata"]["labels"].get(labels.TRACK) == Track.CANARY:
        pods = {**template["metadata"], "annotations": template["metadata"]["annotations"] | mark}
        template = {**template, "metadata": pods}
    annotated = {**metadata, "annotations": metadata.get("annotations", {}) | mark}
    return {**child, "metadata": annotated, "spec": {**child["spec"], "template": template}}


def given(deployment: Mapping[str, Any]) -> str:
    """The fingerprint of the template that a live Deployment was given; empty if nobody knows."""
    text: str = (deployment["metadata"].get("annotations") or {}).get(labels.TEMPLATE, "")
    return text


def capability(template: Mapping[str, Any]) -> str:
    """The same for replicas that carry as much and start as fast, by their pod template as it is stored.

    Labels, probes and Kubernetes' times do not matter, nor where the pods of a replica find their leader.
    """
    spec, annotations = template["spec"], template.get("metadata", {}).get("annotations") or {}
    containers = [{name: one.get(name) for name in _CONTAINER_FIELDS} for one in spec.get("containers") or ()]
    for one in containers:
        one["env"] = [variable for variable in one["env"] or () if variable["name"] != LEADER_ADDRESS]
    fields = {name: spec.get(name) for name in _POD_FIELDS}
    content = {**fields, "containers": containers, "config": annotations.get(labels.ENGINE_CONFIG)}
    return digest(content)
