"""The two steps of a download pod: `plan` lists and checks, `fetch` fetches. Each ends with an `Outcome`."""

import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path

from prometheus_client import start_http_server

from aifactory.api.conditions import Reason
from aifactory.api.download import GIVE_UP, METRICS_PORT, TRY_AGAIN, Order, Outcome

from .errors import DownloadError
from .fetch import Fetcher
from .files import Listing, checked
from .hub import Hub
from .ngc import Catalog
from .oci import Artifact
from .progress import Progress
from .s3 import Bucket, now
from .source import Source
from .volume import Copy
from .web import Web

_TERMINATED = 128 + signal.SIGTERM


def source_of(order: Order, env: Mapping[str, str]) -> Source:
    """The source of an order; credentials come from the environment."""
    chosen, endpoint, web = order.source, order.endpoint, Web()
    if chosen.hugging_face:
        return Hub(chosen.hugging_face, endpoint, env, web)
    if chosen.s3:
        return Bucket(chosen.s3, endpoint, env, web, now)
    if chosen.oci:
        return Artifact(chosen.oci, endpoint, env, web)
    if chosen.ngc:
        return Catalog(chosen.ngc, endpoint, env, web)
    raise DownloadError(Reason.SOURCE_NOT_UNDERSTOOD, "the order names no source")


def plan(order: Order, root: Path, env: Mapping[str, str]) -> Outcome:
    """List the source and check that it fits into the volume; nothing is asked for when all files are there.

    Raises:
        DownloadError: says why it cannot be fetched.
    """
    copy = Copy(root, order.folder)
    known = copy.listing
    if known is not None and copy.complete:
        return _outcome(copy, known)
    listing = checked(source_of(order, env).list())
    copy.remove_others(order.keep)
    if listing.bytes > order.capacity:
        raise _too_small(listing.bytes, order.capacity, "spec.storage.size is")
    missing = listing.bytes - sum(map(copy.arrived, listing.files))
    if missing > (free := copy.free):
        raise _too_small(missing, free, "the volume has free")
    copy.expect(listing)
    return _outcome(copy, listing)


def fetch(
    order: Order,
    root: Path,
    env: Mapping[str, str],
    *,
    watch: Callable[[Progress], object] = lambda progress: None,
    pause: float = 1.0,
) -> Outcome:
    """Fetch what `plan` has listed; `watch` is given the progress before the first byte.

    Raises:
        DownloadError: says why not all of it is there.
    """
    copy = Copy(root, order.folder)
    listing = copy.listing
    if listing is None:
        raise DownloadError(Reason.VOLUME_NOT_WRITABLE, "the volume has lost what was listed", again=True)
    if not copy.complete:
        progress = Progress(len(listing.files), listing.bytes)
        watch(progress)
        Fetcher(source_of(order, env), copy, progress, pause).fetch(listing.files, order.connections)
        copy.finish()
    return _outcome(copy, listing)


def run(step: str, order: Order, root: Path, message: Path) -> int:
    """A step as the pod's process; the result is its exit code, and the outcome is written to `message`."""
    # As process 1 of a container Python would not be ended by the signal.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(_TERMINATED))
    try:
        outcome, code = _STEPS[step](order, root), 0
    except DownloadError as error:
        done = _partly(Copy(root, order.folder))
        outcome = done.model_copy(update={"reason": error.reason, "message": _printable(error.message)})
        code = TRY_AGAIN if error.again else GIVE_UP
    message.write_text(outcome.write())
    return code


def _served_fetch(order: Order, root: Path) -> Outcome:
    return fetch(
        order, root, os.environ, watch=lambda progress: start_http_server(METRICS_PORT, registry=progress.registry)
    )


_STEPS: Mapping[str, Callable[[Order, Path], Outcome]] = {
    "plan": lambda order, root: plan(order, root, os.environ),
    "fetch": _served_fetch,
}


def _outcome(copy: Copy, listing: Listing) -> Outcome:
    there = [file for file in listing.files if copy.has(file)]
    return Outcome(
        revision=listing.revision,
        files=len(there),
        files_total=len(listing.files),
        bytes=sum(map(copy.arrived, listing.files)),
        bytes_total=listing.bytes,
    )


def _partly(copy: Copy) -> Outcome:
    """What there is after a failure; a volume that cannot be read is the cause already named."""
    try:
        listing = copy.listing
        return _outcome(copy, listing) if listing else Outcome()
    except (OSError, DownloadError):
        return Outcome()


def _printable(text: str) -> str:
    """What fits into a termination message also when it is written as JSON."""
    return "".join(char if char.isprintable() else "?" for char in text[:1000])


def _too_small(needed: int, given: int, what: str) -> DownloadError:
    return DownloadError(
        Reason.STORAGE_TOO_SMALL, f"{_gib(needed)} are needed and {what} {_gib(given)}; raise spec.storage.size"
    )


def _gib(count: int) -> str:
    return f"{count / 2**30:.2f}GiB" if count >= 2**27 else f"{count} bytes"
