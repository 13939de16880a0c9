"""`spec.runtime.endpointPicker`: what chooses a replica for each request of a llm-d service."""

from typing import Annotated

from pydantic import Field

from .checks import FLAG, Check, flag
from .meta import CheckedModel, FreeText, Image
from .podtemplate import ComputeResources

_OWNED_FLAGS = [
    *("--pool-name", "--pool-namespace", "--pool-group", "--endpoint-selector", "--endpoint-target-ports"),
    *("--grpc-port", "--grpc-health-port", "--metrics-port", "--metrics-endpoint-auth", "--ha-enable-leader-election"),
]


class EndpointPickerSpec(CheckedModel):
    """The program that a Gateway asks, for each request, which replica is to answer it."""

    checks = (
        Check(
            cel=f"!has(self.args) || self.args.all(a, !({FLAG} in {_OWNED_FLAGS}))",
            holds=lambda picker: not any(flag(word) in _OWNED_FLAGS for word in picker.args or ()),
            message=f"must not contain {', '.join(_OWNED_FLAGS)}: they follow from the service",
            field="args",
        ),
    )
    image: Image | None = Field(
        default=None, description="Container image. Default: a release of llm-d's endpoint picker."
    )
    args: Annotated[list[FreeText], Field(max_length=64)] | None = Field(
        default=None,
        description="Extra arguments, one list item a word, such as --config-text=... with an EndpointPickerConfig. "
        "Without one it weighs prefixes that are cached, requests that wait and KV cache in use.",
    )
    resources: ComputeResources | None = Field(
        default=None, description="CPU and memory. Default: requests of 250m and 512Mi without a limit."
    )
