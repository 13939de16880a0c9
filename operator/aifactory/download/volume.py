"""A copy of a model in the volume: files appear under their names when they are complete and verified.

FOLDER/config.json             complete files
FOLDER/.aifactory/listing.json what was listed
FOLDER/.aifactory/partial/     bytes of files that are on their way
FOLDER/.aifactory/complete     there when all files are
"""

import errno
import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from pydantic import ValidationError

from aifactory.api.conditions import Reason

from .errors import DownloadError
from .files import OWN, Listing, RemoteFile

_FULL = (errno.ENOSPC, errno.EDQUOT)


class Copy:
    """One folder below the root of the volume."""

    def __init__(self, root: Path, folder: str) -> None:
        self.root = root
        self.folder = root / folder
        self._own = self.folder / OWN
        self._listing = self._own / "listing.json"
        self._complete = self._own / "complete"
        self._partial = self._own / "partial"

    @property
    def listing(self) -> Listing | None:
        """What was listed last, None before that."""
        try:
            return Listing.model_validate_json(self._listing.read_bytes())
        except (FileNotFoundError, ValidationError):
            return None

    @property
    def complete(self) -> bool:
        """Every file of the listing is there."""
        listing = self.listing
        return listing is not None and self._complete.exists() and all(map(self.has, listing.files))

    def expect(self, listing: Listing) -> None:
        """Prepare for a listing: files of an earlier one that are others now are removed."""
        with writing():
            self._partial.mkdir(parents=True, exist_ok=True)
            known, wanted = self.listing, set(listing.files)
            for old in known.files if known else []:
                if old not in wanted:
                    self.partial(old).unlink(missing_ok=True)
                    self.path(old).unlink(missing_ok=True)
            if listing != known:
                self._complete.unlink(missing_ok=True)
            _replace(self._listing, listing.model_dump_json(by_alias=True).encode())

    def finish(self) -> None:
        """Say that all files are there."""
        with writing():
            _replace(self._complete, b"")
            shutil.rmtree(self._partial, ignore_errors=True)

    def path(self, file: RemoteFile) -> Path:
        """Where a complete file is.

        Raises:
            DownloadError: if a link on the way leads out of the folder.
        """
        path = self.folder / file.path
        if not path.parent.resolve().is_relative_to(self.folder.resolve()) or path.is_symlink():
            raise DownloadError(Reason.UNSAFE_FILE_NAME, f"{file.path} leads out of the volume")
        return path

    def partial(self, file: RemoteFile) -> Path:
        """Where the bytes of a file arrive."""
        return self._partial / sha256(file.path.encode()).hexdigest()[:32]

    def has(self, file: RemoteFile) -> bool:
        """The file is complete; only verified files get their name."""
        path = self.path(file)
        return path.is_file() and path.stat().st_size == file.size

    def arrived(self, file: RemoteFile) -> int:
        """Bytes of the file that need not be fetched again."""
        if self.has(file):
            return file.size
        partial = self.partial(file)
        return partial.stat().st_size if partial.exists() else 0

    def store(self, file: RemoteFile) -> None:
        """Give a verified file its name."""
        with writing():
            path, partial = self.path(file), self.partial(file)
            path.parent.mkdir(parents=True, exist_ok=True)
            # Engines run as other users.
            partial.chmod(0o644)
            partial.replace(path)

    def remove_others(self, keep: Collection[str]) -> None:
        """Remove earlier copies, which are the folders that the downloader has made, except those to keep."""
        with writing():
            for folder in self.root.iterdir() if self.root.exists() else ():
                wanted = folder == self.folder or folder.name in keep
                if not wanted and not folder.is_symlink() and (folder / OWN).is_dir():
                    shutil.rmtree(folder)

    @property
    def free(self) -> int:
        """Bytes that the volume has left for us."""
        self.root.mkdir(parents=True, exist_ok=True)
        usage = os.statvfs(self.root)
        return usage.f_bavail * usage.f_frsize


@contextmanager
def writing() -> Iterator[None]:
    """What goes wrong with the volume becomes a `DownloadError`."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise DownloadError(Reason.NO_SPACE_LEFT, "the volume is full; raise spec.storage.size") from error
        raise DownloadError(Reason.VOLUME_NOT_WRITABLE, f"{error.strerror}: {error.filename}", again=True) from error


def _replace(path: Path, data: bytes) -> None:
    staging = path.with_suffix(".new")
    with staging.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    staging.replace(path)
