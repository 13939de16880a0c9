"""The kind `InferenceService`: identity, spec and status together."""

from typing import Any

from pydantic import Field

from . import API_VERSION
from .meta import Model
from .spec import InferenceServiceSpec
from .status import InferenceServiceStatus

KIND = "InferenceService"
PLURAL = "inferenceservices"
# Children and pods carry longer names; 52 leaves room for what Kubernetes and the operator append.
MAX_NAME_LENGTH = 52


class ObjectMeta(Model):
    """The part of metadata that the operator reads."""

    name: str
    namespace: str = "default"
    uid: str = ""
    generation: int = 0
    deletion_timestamp: str | None = None
    labels: dict[str, str] = Field(default={})


class InferenceService(Model):
    """An object as read from the API server or a manifest.

    Raises:
        pydantic.ValidationError: from `model_validate`, with the path of each wrong field.
    """

    metadata: ObjectMeta
    spec: InferenceServiceSpec
    status: InferenceServiceStatus = InferenceServiceStatus()

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
