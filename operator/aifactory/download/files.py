"""Names, sizes and digests of what is to be fetched."""

import hashlib
from pathlib import PurePosixPath
from typing import Protocol

from pydantic import Field

from aifactory.api.conditions import Reason
from aifactory.api.meta import Model

from .errors import DownloadError

# Folder below a copy where the downloader keeps its own files.
OWN = ".aifactory"
CHUNK = 2**20  # bytes
_LONGEST_NAME = 255


class RemoteFile(Model):
    """A file of a source: where it goes, and how it is recognised.

    `digest` is `sha256:HEX`, `md5:HEX` or, of small files in git, `git-sha1:HEX`. `etag` must still be that of an S3
    object when it is read.
    """

    path: str
    size: int
    url: str
    digest: str | None = None
    etag: str | None = None


class Listing(Model):
    """All files of one revision."""

    revision: str
    files: list[RemoteFile] = Field(default=[])

    @property
    def bytes(self) -> int:
        """Size of all files together."""
        return sum(file.size for file in self.files)


class Hash(Protocol):
    """The part of hashlib's objects that is used."""

    def update(self, data: bytes, /) -> None:
        """Take more bytes."""
        ...

    def hexdigest(self) -> str:
        """The digest so far."""
        ...


def hasher(file: RemoteFile) -> Hash | None:
    """A hash that ends as the file's digest, None when it has none."""
    algorithm = (file.digest or "").partition(":")[0]
    if algorithm == "git-sha1":
        # git hashes a header before the content (git documentation, "Git Internals - Git Objects").
        return hashlib.sha1(f"blob {file.size}\0".encode(), usedforsecurity=False)
    return hashlib.new(algorithm, usedforsecurity=False) if algorithm else None


def checked(listing: Listing) -> Listing:
    """The listing, if every name in it stays below its folder and there is something to fetch.

    Raises:
        DownloadError: names the file that does not.
    """
    if not listing.files:
        raise DownloadError(Reason.SOURCE_NOT_FOUND, "the source has no file that is asked for")
    names = {file.path for file in listing.files}
    folders = {str(parent) for name in names for parent in PurePosixPath(name).parents}
    for file in listing.files:
        if not _safe(file.path) or file.path in folders or file.size < 0:
            raise DownloadError(Reason.UNSAFE_FILE_NAME, f"the source names a file {file.path[:200]!r}")
    if len(names) < len(listing.files):
        raise DownloadError(Reason.UNSAFE_FILE_NAME, "the source names a file twice")
    return listing


def _safe(name: str) -> bool:
    parts = name.split("/")
    return (
        parts[0] != OWN
        and "\\" not in name
        and name.isprintable()
        and all(part not in ("", ".", "..") and len(part.encode()) <= _LONGEST_NAME for part in parts)
    )
