"""The kind `InferenceService`: identity, spec and status together."""

from typing import ClassVar

from .checks import Check
from .owner import Owner, name_check
from .spec import InferenceServiceSpec
from .status import InferenceServiceStatus

KIND = "InferenceService"
PLURAL = "inferenceservices"
# StatefulSets of a replica append its number and a word; their own names have at most 52 characters, because Kubernetes
# appends a hash to them in a label.
MAX_NAME_LENGTH_OF_GROUPS = 38


class InferenceService(Owner):
    """An object as read from the API server or a manifest.

    Raises:
        pydantic.ValidationError: from `model_validate`, with the path of each wrong field.
    """

    kind: ClassVar[str] = KIND
    spec: InferenceServiceSpec
    status: InferenceServiceStatus = InferenceServiceStatus()

    checks = (
        name_check("Services and pods"),
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
