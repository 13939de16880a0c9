"""Which pod template a Deployment was given, so that a changed one is told from a changed Deployment."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from aifactory.api.rollout import Track

from . import labels

_OF_TRACK = (labels.TRACK, labels.COMPONENT)


def fingerprint(template: Mapping[str, Any]) -> str:
    """The same for the stable replicas and the canary of one spec: labels that differ by track are left out."""
    metadata = template["metadata"]
    common = {name: value for name, value in metadata["labels"].items() if name not in _OF_TRACK}
    content = {**template, "metadata": {**metadata, "labels": common}}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


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
