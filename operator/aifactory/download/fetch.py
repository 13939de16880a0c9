"""Fetching files: several at a time, each resumed where it was cut, each verified before it gets its name."""

import os
import threading
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import BinaryIO

from aifactory.api.conditions import Reason

from .errors import DownloadError
from .files import CHUNK, Hash, RemoteFile, hasher
from .progress import Progress
from .source import Source, chunks
from .volume import Copy, writing

# A file whose connection breaks so often in a row without a byte arriving is given up; the Job tries again later.
TRIES = 5
# A file that is wrong twice is wrong at its source.
VERIFICATIONS = 2
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 30.0


class Fetcher:
    """Fetches what a copy lacks. `pause` is the first wait in seconds after a lost connection; it doubles."""

    def __init__(self, source: Source, copy: Copy, progress: Progress, pause: float = FIRST_PAUSE_SECONDS) -> None:
        self._source = source
        self._copy = copy
        self._progress = progress
        self._pause = pause
        self._stop = threading.Event()

    def fetch(self, files: list[RemoteFile], connections: int) -> None:
        """Fetch all files; returns when each of them is there.

        Raises:
            DownloadError: the first cause; what has arrived stays for the next attempt.
        """
        with ThreadPoolExecutor(connections) as pool:
            futures = [pool.submit(self._fetch, file) for file in files]
            done, _ = wait(futures, return_when=FIRST_EXCEPTION)
            self._stop.set()
            pool.shutdown(cancel_futures=True)
        for future in done:
            future.result()

    def _fetch(self, file: RemoteFile) -> None:
        self._progress.add(self._copy.arrived(file))
        if not self._copy.has(file):
            left = VERIFICATIONS
            while not self._verified(file, self._arrive(file), last=left == 1):
                left -= 1
            self._copy.store(file)
        self._progress.done()

    def _arrive(self, file: RemoteFile) -> Hash | None:
        """All bytes of a file; the result is their hash."""
        failures = 0
        while True:
            before = self._copy.arrived(file)
            try:
                return self._stream(file)
            except DownloadError as error:
                failures = 1 if self._copy.arrived(file) > before else failures + 1
                lost = error.reason is Reason.SOURCE_UNREACHABLE
                if not lost or failures >= TRIES or self._stop.is_set():
                    raise
            self._stop.wait(min(LONGEST_PAUSE_SECONDS, self._pause * 2.0 ** (failures - 1)))

    def _stream(self, file: RemoteFile) -> Hash | None:
        """One request for what is missing of a file."""
        digest = hasher(file)
        with writing(), self._copy.partial(file).open("a+b") as partial:
            offset = partial.tell()
            if offset > file.size:
                offset = self._restart(partial)
            if offset < file.size:
                answer = self._source.open(file, offset)
                if answer.status_code == 200 and offset:
                    self._restart(partial)
                for chunk in chunks(answer):
                    if self._stop.is_set():
                        raise DownloadError(Reason.SOURCE_UNREACHABLE, "another file failed", again=True)
                    partial.write(chunk)
                    self._progress.add(len(chunk))
                if partial.seek(0, os.SEEK_END) < file.size:
                    raise DownloadError(Reason.SOURCE_UNREACHABLE, f"{file.path} ends too early", again=True)
            partial.flush()
            os.fsync(partial.fileno())
            _feed(digest, partial)
        return digest

    def _restart(self, partial: BinaryIO) -> int:
        """The server sends the file from its beginning."""
        self._progress.add(-partial.seek(0, os.SEEK_END))
        partial.truncate(0)
        return 0

    def _verified(self, file: RemoteFile, digest: Hash | None, *, last: bool) -> bool:
        partial = self._copy.partial(file)
        size, expected = partial.stat().st_size, (file.digest or "").partition(":")[2]
        if size == file.size and (digest is None or digest.hexdigest() == expected):
            return True
        with writing():
            partial.unlink()
        self._progress.add(-size)
        if last:
            found = f"{size} bytes instead of {file.size}" if size != file.size else f"not the digest {file.digest}"
            raise DownloadError(Reason.CHECKSUM_MISMATCH, f"{file.path} has {found}")
        return False


def _feed(digest: Hash | None, partial: BinaryIO) -> None:
    """Hash a file from its beginning, as bytes of earlier attempts are in it."""
    if digest is not None:
        partial.seek(0)
        while data := partial.read(CHUNK):
            digest.update(data)
