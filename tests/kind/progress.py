"""Says what a long step does and how long it takes; shows the end of its log when it fails."""

import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from tests.kind.paths import log_dir

console = Console(stderr=True, highlight=False, soft_wrap=True)

HEARTBEAT_SECONDS = 60
TAIL_LINES = 20


class StepFailedError(RuntimeError):
    """A step of bringing the environment up failed; the message says why and what to do next."""


class CommandFailedError(StepFailedError):
    """A command is missing, or ended and said why; one that only takes long is no such failure."""


@contextmanager
def step(title: str, about: str = "") -> Iterator[Callable[[str], None]]:
    """Announces a step and says at its end how long it took. `about` is the time to expect, such as `15 min`.

    Yields a function that takes one line of detail: shown in place on a terminal, once a minute elsewhere.
    """
    heading = escape(f"{title} (about {about})" if about else title)
    started = shown = time.monotonic()
    with console.status(heading) if console.is_terminal else _plain(heading) as status:

        def detail(line: str) -> None:
            nonlocal shown
            now = time.monotonic()
            if status is not None:
                status.update(f"{heading} [dim]{now - started:.0f} s {escape(line[-80:])}[/]")
            elif now - shown >= HEARTBEAT_SECONDS:
                shown = now
                console.print(escape(f"    {now - started:.0f} s: {line}"))

        yield detail
    console.print(f"[green]✓[/] {escape(title)} [dim]{time.monotonic() - started:.1f} s[/]")


@contextmanager
def _plain(heading: str) -> Iterator[None]:
    console.print(f"· {heading}")
    yield None


def run_step(
    title: str,
    argv: Sequence[str | Path],
    *,
    log_name: str,
    about: str = "",
    hint: str,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> None:
    """Runs a long command as a step, its output in `<cache>/logs/<log_name>.log`.

    Raises:
        StepFailedError: the command failed; carries the last lines of the log and `hint`, what to do next.
    """
    log = log_dir() / f"{log_name}.log"
    with step(title, about) as detail, log.open("wb") as output:
        try:
            process = subprocess.Popen(
                [str(part) for part in argv], cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        except FileNotFoundError as missing:
            raise StepFailedError(f"{argv[0]} is not installed. {hint}") from missing
        code = _wait(process, lambda: detail(tail(log, 1)))
        if code:
            raise StepFailedError(f"{title}: exit status {code}. The end of {log}:\n{tail(log)}\n{hint}")


def _wait(process: "subprocess.Popen[bytes]", on_second: Callable[[], None]) -> int:
    try:
        while True:
            try:
                return process.wait(1)
            except subprocess.TimeoutExpired:
                on_second()
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()


def tail(log: Path, lines: int = TAIL_LINES) -> str:
    """The last lines of a log, empty when there is none."""
    if not log.exists():
        return ""
    with log.open("rb") as content:
        content.seek(max(0, log.stat().st_size - 16384))
        return "\n".join(content.read().decode(errors="replace").splitlines()[-lines:])


def capture(argv: Sequence[str | Path], *, stdin: bytes = b"", timeout: float = 120) -> str:
    """The standard output of a short command.

    Raises:
        CommandFailedError: the command is missing or failed.
        StepFailedError: it took longer than `timeout` seconds.
    """
    command = [str(part) for part in argv]
    shown = " ".join(command)
    try:
        done = subprocess.run(command, input=stdin, capture_output=True, check=True, timeout=timeout)
    except FileNotFoundError as missing:
        raise CommandFailedError(f"{command[0]} is not installed") from missing
    except subprocess.TimeoutExpired as late:
        raise StepFailedError(f"`{shown}` did not end within {timeout:g} s") from late
    except subprocess.CalledProcessError as failed:
        said = failed.stderr.decode(errors="replace").strip()
        raise CommandFailedError(f"`{shown}` failed: {said}") from failed
    return done.stdout.decode(errors="replace")


def succeeds(argv: Sequence[str | Path], *, timeout: float = 30) -> bool:
    """Whether a short command is there, ends in time and exits 0."""
    try:
        capture(argv, timeout=timeout)
    except StepFailedError:
        return False
    return True


def note(text: str) -> None:
    """Prints one line about something that is as it should be."""
    console.print(f"[green]✓[/] {escape(text)}")


def fail(error: Exception) -> None:
    """Prints why a command failed."""
    console.print(f"[red]✗[/] {escape(str(error))}")
