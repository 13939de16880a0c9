"""Child processes that a test owns: logged, watched while they start, stopped by pid, swept up after a crash."""

import itertools
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.kind.paths import cache_dir
from tests.kind.progress import StepFailedError, tail

_POLL_SECONDS = 0.05
_PORTS = range(10_000, 30_000)
# By the golden ratio: processes that were started one after the other look far from each other.
_PORTS_APART = 12_361


class ProcessGroup:
    """Programs that run together; each writes its log to `<logs>/<program>.log`."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, program: Path, *args: str, environment: Mapping[str, str] | None = None) -> None:
        """Starts a program in a session of its own, so that Ctrl-C reaches the test and not its control plane."""
        with (self._logs / f"{program.name}.log").open("wb") as log:
            process = subprocess.Popen(
                [program, *args],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._running[program.name] = process

    def wait_until(self, what: str, ready: Callable[[], bool], seconds: float) -> None:
        """Polls `ready`.

        Raises:
            StepFailedError: a program ended, or `ready` stayed false for `seconds`.
        """
        deadline = time.monotonic() + seconds
        while not ready():
            for name, process in self._running.items():
                if process.poll() is not None:
                    raise StepFailedError(f"{name} ended (status {process.returncode}):\n{self._tail(name)}")
            if time.monotonic() > deadline:
                logs = "\n".join(f"--- {name}\n{self._tail(name)}" for name in self._running)
                raise StepFailedError(f"{what} was not ready after {seconds:g} s\n{logs}")
            time.sleep(_POLL_SECONDS)

    def stop(self) -> None:
        """Kills the programs in the reverse order of their start: what they hold goes with them."""
        for name in reversed(self._running):
            self.kill(name)
        self._running.clear()

    def kill(self, name: str) -> None:
        """Ends one program without warning; started again, it keeps its place in the order."""
        process = self._running[name]
        process.kill()
        process.wait()

    @contextmanager
    def paused(self, name: str) -> Iterator[None]:
        """One program does nothing for a while."""
        self._running[name].send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._running[name].send_signal(signal.SIGCONT)

    def _tail(self, name: str) -> str:
        return tail(self._logs / f"{name}.log", 8)


def free_ports(count: int) -> list[int]:
    """Distinct TCP ports that nothing listens on.

    No connection is given one before the caller listens on it, as they are below all that systems use for outgoing
    connections (from 32768 on, Linux; from 49152 on, RFC 6335) and for NodePorts (from 30000 on). Nor does another
    test process find the same one at the same time: each looks elsewhere.
    """
    return list(itertools.islice(filter(_free, _candidates), count))


def _candidates_of(process: int) -> Iterator[int]:
    return (_PORTS[index % len(_PORTS)] for index in itertools.count(process * _PORTS_APART))


def _free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True


_candidates = _candidates_of(os.getpid())


def owned_folder(kind: str) -> Path:
    """A new folder, in memory where there is /dev/shm, whose name says which process it belongs to."""
    memory = Path("/dev/shm")
    return Path(tempfile.mkdtemp(prefix=f"aifactory-{kind}-{os.getpid()}-", dir=memory if memory.is_dir() else None))


def sweep_leftovers(kind: str) -> None:
    """Ends the programs and removes the folders whose owner, a test process that was killed, is gone.

    A program belongs to the folder that its command line names.
    """
    owner = re.compile(rf"aifactory-{kind}-(\d+)-")
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            named = owner.search((process / "cmdline").read_text(errors="replace"))
            if named and not program(int(named[1])) and executable(int(process.name)).is_relative_to(cache_dir()):
                os.kill(int(process.name), signal.SIGKILL)
    for parent in (Path("/dev/shm"), Path(tempfile.gettempdir())):
        for folder in parent.glob(f"aifactory-{kind}-*"):
            if (named := owner.match(folder.name)) and not program(int(named[1])):
                shutil.rmtree(folder, ignore_errors=True)


def program(pid: int) -> str:
    """The name of the program that a process runs, empty when it is gone or only its exit status is left."""
    return executable(pid).name


def executable(pid: int) -> Path:
    """The program file that a process runs, an empty path when it is gone or may not be seen."""
    try:
        return Path(f"/proc/{pid}/exe").readlink()
    except OSError:
        return Path()
