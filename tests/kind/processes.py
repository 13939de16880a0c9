"""Child processes that a test owns: logged, watched while they start, stopped by pid, swept up after a crash."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

from tests.kind.paths import cache_dir
from tests.kind.progress import StepFailedError, tail

_STOP_SECONDS = 10
_POLL_SECONDS = 0.05


class ProcessGroup:
    """Programs that run together; each writes its log to `<logs>/<program>.log` and its pid to `<folder>/pids`."""

    def __init__(self, folder: Path, logs: Path) -> None:
        self._pids = folder / "pids"
        self._logs = logs
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, program: Path, *args: str) -> None:
        """Starts a program in a session of its own, so that Ctrl-C reaches the test and not its control plane."""
        with (self._logs / f"{program.name}.log").open("wb") as log:
            process = subprocess.Popen(
                [program, *args], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        self._running[program.name] = process
        with self._pids.open("a") as pids:
            pids.write(f"{process.pid}\n")

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
        """Stops the programs in the reverse order of their start."""
        for process in reversed(self._running.values()):
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._running.clear()

    def _tail(self, name: str) -> str:
        return tail(self._logs / f"{name}.log", 8)


def free_ports(count: int) -> list[int]:
    """Distinct TCP ports that nothing on loopback listens on now."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [sock.getsockname()[1] for sock in sockets]


def sweep_leftovers() -> None:
    """Ends the processes and removes the folders of control planes whose test process is gone."""
    for parent in (Path("/dev/shm"), Path(tempfile.gettempdir())):
        for folder in parent.glob("aifactory-plane-*"):
            if program(int(folder.name.split("-")[2])):
                continue
            pids = folder / "pids"
            for pid in pids.read_text().split() if pids.exists() else []:
                if _executable(int(pid)).is_relative_to(cache_dir()):
                    with suppress(ProcessLookupError):
                        os.kill(int(pid), signal.SIGKILL)
            shutil.rmtree(folder, ignore_errors=True)


def program(pid: int) -> str:
    """The name of the program that a process runs, empty when it is gone or only its exit status is left."""
    return _executable(pid).name


def _executable(pid: int) -> Path:
    try:
        return Path(f"/proc/{pid}/exe").readlink()
    except OSError:
        return Path()
