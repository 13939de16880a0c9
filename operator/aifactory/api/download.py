"""What the operator tells a download pod, and what the pod says when it ends."""

from typing import Annotated

from pydantic import Field, ValidationError

from .conditions import Reason
from .meta import Model
from .modelcache import CacheSource

# Exit codes of the download: the Job gives up at the first and tries again after the second.
GIVE_UP = 3
TRY_AGAIN = 1
METRICS_PORT = 8080
# The kubelet reads at most 4096 bytes.
_LONGEST_MESSAGE = 1500


class Order(Model):
    """The whole task of a download pod; it holds no secret.

    `folder` is where the files go, below the root of the volume, whose size is `capacity` bytes. Earlier copies in the
    volume are removed, except those in folders to `keep`.
    """

    source: CacheSource
    endpoint: str | None = None
    folder: str
    keep: list[str] = Field(default=[])
    capacity: int
    connections: int = 4


class Outcome(Model):
    """The termination message of a container; `reason` is None when it did what it should."""

    reason: Reason | None = None
    message: Annotated[str, Field(max_length=_LONGEST_MESSAGE)] = ""
    revision: str | None = None
    files: int = 0
    files_total: int = 0
    bytes: int = 0
    bytes_total: int = 0

    @classmethod
    def read(cls, text: str) -> "Outcome | None":
        """The outcome in a termination message, None where there is none."""
        try:
            return cls.model_validate_json(text)
        except ValidationError:
            return None

    def write(self) -> str:
        """The termination message."""
        return self.model_dump_json(by_alias=True, exclude_none=True)
