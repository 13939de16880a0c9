"""`ModelCache.status`. Times are RFC 3339 in UTC."""

from typing import Annotated

from pydantic import Field

from .checks import Unique
from .meta import Model, StatusModel, Text
from .status import Condition


class ContentStatus(Model):
    """A complete copy of the weights in the volume."""

    folder: Text = Field(description="Folder of the volume.")
    claim_uid: Text = Field(description="uid of the claim that holds it.")
    revision: Text | None = Field(
        default=None, description="Commit, digest or version that was fetched; of S3 a digest of its listing."
    )
    files: int | None = Field(default=None, description="Number of files.")
    bytes: int | None = Field(default=None, description="Bytes of all files together.")


class ProgressStatus(Model):
    """How far a download is. A field that is absent is not known."""

    files: int | None = Field(default=None, description="Files that are complete.")
    files_total: int | None = Field(default=None, description="Files to fetch.")
    bytes: int | None = Field(default=None, description="Bytes that have arrived.")
    bytes_total: int | None = Field(default=None, description="Bytes to fetch.")
    percent: Text | None = Field(default=None, description="Share of the bytes, such as 42%.")
    speed: Text | None = Field(default=None, description="Over the last minute, such as 118.4 MiB/s.")
    remaining: Text | None = Field(default=None, description="Time left at this speed, such as 5m30s.")


class ModelCacheStatus(StatusModel):
    """What is, and why."""

    observed_generation: int | None = Field(default=None, description="metadata.generation that this status is about.")
    conditions: Annotated[list[Condition], Field(max_length=16), Unique("type")] = Field(
        default=[], description="Aspects of the cache; Ready sums them up."
    )
    source: Text | None = Field(default=None, description="The source in one line.")
    claim: Text | None = Field(default=None, description="PersistentVolumeClaim that holds the weights.")
    size: Text | None = Field(default=None, description="Size of the weights, such as 15.0GiB.")
    content: ContentStatus | None = Field(default=None, description="The last complete copy; services read it.")
    progress: ProgressStatus | None = Field(default=None, description="How far the download is.")
    failures: int | None = Field(default=None, description="Attempts of the present download that failed.")
