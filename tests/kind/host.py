"""What the machine must offer: free disk, Debian packages, one build at a time."""

import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.kind.paths import cache_dir
from tests.kind.progress import StepFailedError, note, run_step

GIB = 1 << 30


@contextmanager
def exclusive(name: str) -> Iterator[None]:
    """Lets one process at a time do the named work; others wait here."""
    folder = cache_dir() / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / name).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            note(f"Waiting for another process that works on: {name}")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def require_free_disk(folder: Path, gib: float, purpose: str) -> None:
    """Raises StepFailedError when the file system of `folder` has less than `gib` GiB free for `purpose`."""
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free / GIB
    if free < gib:
        raise StepFailedError(
            f"{purpose} needs {gib:g} GiB free at {folder}, there are {free:.1f}. Free some space, "
            "or put the cache elsewhere with AIFACTORY_CACHE (and GOCACHE, GOMODCACHE for Go's own)."
        )


def require_commands(packages: Mapping[str, str]) -> None:
    """Installs the Debian packages of the commands that are missing: command name -> package name.

    Raises:
        StepFailedError: a command is missing and this is no Debian machine or the user is not root.
    """
    missing = sorted({package for command, package in packages.items() if not find(command)})
    if not missing:
        return
    names = " ".join(missing)
    if os.geteuid() != 0 or not find("apt-get"):
        raise StepFailedError(
            f"Missing: {names}. Install these packages (as root: apt-get install {names}) and try again."
        )
    hint = f"Install by hand: apt-get install {names}"
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    run_step("Update the package lists", ["apt-get", "update"], log_name="apt-update", hint=hint, about="10 s", env=env)
    argv = ["apt-get", "install", "-y", "--no-install-recommends", *missing]
    run_step(f"Install {names}", argv, log_name="apt-install", hint=hint, about="1 min", env=env)


def find(command: str) -> str | None:
    """The path of a command, looked for in the administrator's folders too."""
    return shutil.which(command, path=f"{os.environ.get('PATH', os.defpath)}:/usr/local/sbin:/usr/sbin:/sbin")
