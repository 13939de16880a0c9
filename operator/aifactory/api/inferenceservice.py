"""The kind `InferenceService`: identity, spec and status together."""

import re
from typing import Any

from pydantic import Field

from . import API_VERSION
from .checks import Check
from .meta import CheckedModel, Model
from .spec import InferenceServiceSpec
from .status import InferenceServiceStatus

KIND = "InferenceService"
PLURAL = "inferenceservices"
# Children and pods carry longer names; 52 leaves room for what Kubernetes and the operator append.
MAX_NAME_LENGTH = 52
# StatefulSets of a replica append its number and a word; their own names have at most 52 characters, because Kubernetes
# appends a hash to them in a label.
MAX_NAME_LENGTH_OF_GROUPS = 38
NAME_PATTERN = r"^[a-z]([-a-z0-9]*[a-z0-9])?$"


class ObjectMeta(Model):
    """The part of metadata that the operator reads."""

    name: str
    namespace: str = "default"
    uid: str = ""
    generation: int = 0
    deletion_timestamp: str | None = None
    labels: dict[str, str] = Field(default={})


class InferenceService(CheckedModel):
    """An object as read from the API server or a manifest.

    Raises:
        pydantic.ValidationError: from `model_validate`, with the path of each wrong field.
    """

    metadata: ObjectMeta
    spec: InferenceServiceSpec
    status: InferenceServiceStatus = InferenceServiceStatus()

    checks = (
        Check(
            cel=f"self.metadata.name.size() <= {MAX_NAME_LENGTH} && self.metadata.name.matches('{NAME_PATTERN}')",
            holds=lambda service: (
                len(service.metadata.name) <= MAX_NAME_LENGTH
                and re.fullmatch(NAME_PATTERN, service.metadata.name) is not None
            ),
            message=f"must be at most {MAX_NAME_LENGTH} lower-case letters, digits or '-', the first a letter and the "
            "last not '-', because Services and pods are named after it",
            field="metadata.name",
        ),
        Check(
            cel="!has(self.spec.accelerator) || self.spec.accelerator.nodes == 1 || "
            f"self.metadata.name.size() <= {MAX_NAME_LENGTH_OF_GROUPS}",
            holds=lambda service: (
                service.spec.accelerator.nodes == 1 or len(service.metadata.name) <= MAX_NAME_LENGTH_OF_GROUPS
            ),
            message=f"must have at most {MAX_NAME_LENGTH_OF_GROUPS} characters when accelerator.nodes is above 1, "
            "because StatefulSets are named after it",
            field="metadata.name",
        ),
    )

    @property
    def key(self) -> tuple[str, str]:
        """Namespace and name."""
        return self.metadata.namespace, self.metadata.name

    def owner_reference(self) -> dict[str, Any]:
        """Reference that makes Kubernetes delete children with the service."""
        return {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "name": self.metadata.name,
            "uid": self.metadata.uid,
            "controller": True,
            "blockOwnerDeletion": True,
        }
