"""A test run that was killed leaves nothing behind for long."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.kind import processes
from tests.kind.processes import free_ports, owned_folder, sweep_leftovers

Start = Callable[[int], "subprocess.Popen[bytes]"]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Starts a program of the cache that stands still, as if the process with the given id owned it."""
    monkeypatch.setenv("AIFACTORY_CACHE", str(tmp_path))
    shutil.copy("/bin/sh", tmp_path / "program")
    started = []

    def start_program(owner: int) -> "subprocess.Popen[bytes]":
        argv = [str(tmp_path / "program"), "-c", "kill -STOP $$", f"--data=/dev/shm/aifactory-check-{owner}-x"]
        started.append(subprocess.Popen(argv))
        _wait_for_command_line(started[-1])
        return started[-1]

    yield start_program
    for process in started:
        process.kill()
        process.wait()


def _wait_for_command_line(process: "subprocess.Popen[bytes]") -> None:
    """The kernel shows it a moment after the program began to run."""
    shown = Path(f"/proc/{process.pid}/cmdline")
    deadline = time.monotonic() + 30
    while not shown.read_bytes():
        assert time.monotonic() < deadline, f"process {process.pid} shows no command line"
        time.sleep(0.01)


@pytest.fixture
def dead_pid() -> int:
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def test_programs_of_a_dead_owner_are_ended(start: Start, dead_pid: int) -> None:
    orphan = start(dead_pid)

    sweep_leftovers("check")

    assert orphan.wait(30) == -signal.SIGKILL


def test_programs_of_a_living_owner_go_on(start: Start) -> None:
    program = start(os.getpid())

    sweep_leftovers("check")

    assert program.poll() is None


def test_folders_go_with_their_owner(dead_pid: int) -> None:
    mine = owned_folder("check")
    orphan = mine.with_name(f"aifactory-check-{dead_pid}-x")
    orphan.mkdir()
    try:
        sweep_leftovers("check")

        assert mine.exists()
        assert not orphan.exists()
    finally:
        mine.rmdir()


def test_free_ports_are_distinct() -> None:
    assert len(set(free_ports(20))) == 20


def test_a_port_in_use_is_not_free(monkeypatch: pytest.MonkeyPatch) -> None:
    used, free = free_ports(2)
    monkeypatch.setattr(processes, "_candidates", iter([used, free]))
    with socket.create_server(("127.0.0.1", used)):
        assert free_ports(1) == [free]


def test_no_outgoing_connection_is_given_a_free_port() -> None:
    least = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert max(free_ports(20)) < least
