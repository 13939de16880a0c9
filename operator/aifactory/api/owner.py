"""Identity of the objects that own what the operator makes for them."""

import re
from typing import Any, ClassVar

from pydantic import Field

from . import API_VERSION
from .checks import Check
from .meta import CheckedModel, Model

# Children and pods carry longer names; 52 leaves room for what Kubernetes and the operator append.
MAX_NAME_LENGTH = 52
NAME_PATTERN = r"^[a-z]([-a-z0-9]*[a-z0-9])?$"


class ObjectMeta(Model):
    """The part of metadata that the operator reads."""

    name: str
    namespace: str = "default"
    uid: str = ""
    generation: int = 0
    labels: dict[str, str] = Field(default={})


class Owner(CheckedModel):
    """An object of the kind `kind` that has children."""

    kind: ClassVar[str]
    metadata: ObjectMeta

    @property
    def key(self) -> tuple[str, str]:
        """Namespace and name."""
        return self.metadata.namespace, self.metadata.name

    def owner_reference(self) -> dict[str, Any]:
        """Reference that makes Kubernetes delete children with their owner."""
        return {
            "apiVersion": API_VERSION,
            "kind": self.kind,
            "name": self.metadata.name,
            "uid": self.metadata.uid,
            "controller": True,
            "blockOwnerDeletion": True,
        }


def name_check(children: str) -> Check:
    """The rule on names of owners whose `children`, in words, are named after them."""
    return Check(
        cel=f"self.metadata.name.size() <= {MAX_NAME_LENGTH} && self.metadata.name.matches('{NAME_PATTERN}')",
        holds=lambda owner: (
            len(owner.metadata.name) <= MAX_NAME_LENGTH and re.fullmatch(NAME_PATTERN, owner.metadata.name) is not None
        ),
        message=f"must be at most {MAX_NAME_LENGTH} lower-case letters, digits or '-', the first a letter and the "
        f"last not '-', because {children} are named after it",
        field="metadata.name",
    )
