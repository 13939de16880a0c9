"""The Docker daemon and its images. Starts a daemon when none answers; keeps built images in the cache as archives."""

import functools
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tests.kind.host import find, require_commands, require_free_disk
from tests.kind.paths import FILES, cache_dir, log_dir
from tests.kind.processes import program
from tests.kind.progress import CommandFailedError, StepFailedError, capture, run_step, step, succeeds, tail

INPUTS_LABEL = "aifactory.dev/inputs"
"""An image with this label is ours: what it was made from. Those that lost their name to a newer one are removed."""

_DAEMON_PACKAGES = {"dockerd": "docker.io", "runc": "runc", "iptables": "iptables"}
_CLIENT_PACKAGES = {"docker": "docker-cli"}  # a package of its own only where docker.io does not bring the client
_STATE = ("/var/run/docker.pid", "/var/run/docker/containerd/containerd.pid")
_START_SECONDS = 60
_CAP_SYS_RESOURCE = 24
_FREE_GIB = 8


def ensure_daemon() -> None:
    """Starts a Docker daemon when none answers, installing it first where it is missing.

    Raises:
        StepFailedError: no daemon answers and this user cannot start one, or it did not come up.
    """
    if server_version():
        return
    if os.geteuid() != 0:
        raise StepFailedError("No Docker daemon answers. Start Docker, or run this as root so that it can start one.")
    require_free_disk(Path("/var/lib"), _FREE_GIB, "Docker")
    require_commands(_DAEMON_PACKAGES)
    require_commands(_CLIENT_PACKAGES)
    with step("Start the Docker daemon", "5 s"):
        _remove_stale_pid_files()
        log = log_dir() / "dockerd.log"
        with log.open("wb") as output:
            daemon = subprocess.Popen(
                [find("dockerd") or "dockerd", *_runtime_flags()],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        _pid_file().parent.mkdir(parents=True, exist_ok=True)
        _pid_file().write_text(str(daemon.pid))
        deadline = time.monotonic() + _START_SECONDS
        while not server_version():
            if daemon.poll() is not None or time.monotonic() > deadline:
                raise StepFailedError(f"dockerd did not start. The end of {log}:\n{tail(log)}")
            time.sleep(0.2)


def stop_daemon() -> None:
    """Stops the daemon if it is the one that ensure_daemon started; leaves any other alone."""
    if not _pid_file().exists():
        return
    pid = int(_pid_file().read_text())
    if program(pid) == "dockerd":
        with step("Stop the Docker daemon"), suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
            deadline = time.monotonic() + 30
            while program(pid) == "dockerd" and time.monotonic() < deadline:
                time.sleep(0.2)
    _pid_file().unlink()


def installed() -> bool:
    """Whether this machine has Docker at all."""
    return find("dockerd") is not None or bool(server_version())


def lacks_sys_resource() -> bool:
    """Whether CAP_SYS_RESOURCE is outside this host's bounding set, so that no container can be given it."""
    status = Path("/proc/self/status").read_text()
    return not int(status.partition("CapBnd:")[2].split()[0], 16) >> _CAP_SYS_RESOURCE & 1


@functools.cache
def registry_answers() -> bool:
    """Whether images can be pulled: one tiny pull, given up after 15 seconds."""
    return succeeds(["docker", "pull", "--quiet", "hello-world"], timeout=15)


def pull(image: str, name: str) -> None:
    """Pulls an image and gives it a second name."""
    run_step(
        f"Pull {image}",
        ["docker", "pull", image],
        log_name="docker-pull",
        hint="Check the image registry.",
        about="30 s",
    )
    tag(image, name)


def tag(image: str, name: str) -> None:
    """Gives an image a second name."""
    capture(["docker", "tag", image, name])


def has_image(tag: str) -> bool:
    """Whether the daemon has an image of this name."""
    return succeeds(["docker", "image", "inspect", tag])


def inputs(tag: str) -> str:
    """What an image of ours was made from, empty when the daemon has no such image."""
    try:
        return capture(
            ["docker", "image", "inspect", "--format", f'{{{{index .Config.Labels "{INPUTS_LABEL}"}}}}', tag]
        ).strip()
    except StepFailedError:
        return ""


def build(tag: str, context: Path, dockerfile: Path, *, about: str, made_from: str = "", **args: str) -> None:
    """Builds an image from a context folder. `args` are build arguments; proxies in the environment are passed on.

    Args:
        made_from: what inputs() will answer for this image.

    Raises:
        StepFailedError: the build failed; carries the end of its output.
    """
    proxies = {name: os.environ[name] for name in ("http_proxy", "https_proxy", "no_proxy") if name in os.environ}
    argv: list[str | Path] = ["docker", "build", "--network=host", "--tag", tag, "--file", dockerfile]
    for name, value in {**proxies, **args}.items():
        argv += ["--build-arg", f"{name}={value}"]
    if made_from:
        argv += ["--label", f"{INPUTS_LABEL}={made_from}"]
    run_step(
        f"Build the image {tag}",
        [*argv, context],
        about=about,
        log_name=f"build-{tag.replace('/', '-').replace(':', '-')}",
        hint=f"Read the log, correct {dockerfile.name}, then run the same command again.",
    )
    capture(["docker", "image", "prune", "--force", "--filter", f"label={INPUTS_LABEL}"], timeout=300)


def ensure_image(tag: str, make: Callable[[], None]) -> str:
    """Makes an image available: from the daemon, else from its archive in the cache, else by `make`."""
    archive = cache_dir() / "images" / f"{tag.replace('/', '-').replace(':', '-')}.tar.gz"
    if has_image(tag):
        return tag
    if archive.exists():
        run_step(
            f"Load {tag} from the cache",
            ["docker", "load", "--input", archive],
            log_name="docker-load",
            hint=f"Remove {archive} to build the image again.",
            about="20 s",
        )
        return tag
    make()
    archive.parent.mkdir(parents=True, exist_ok=True)
    with step(f"Keep {tag} in the cache", "20 s"):
        partial = archive.with_suffix(f".{os.getpid()}")
        save = f"set -o pipefail; docker save {tag} | gzip -1 > {partial}"
        try:
            capture(["bash", "-c", save], timeout=600)
            partial.rename(archive)
        finally:
            partial.unlink(missing_ok=True)
    return tag


def remove_images() -> None:
    """Removes the images that this project built or renamed."""
    listing = ["docker", "image", "ls", "--format", "{{.Repository}}:{{.Tag}}", "--filter", "reference=aifactory/*"]
    if tags := capture(listing).split():
        capture(["docker", "image", "rm", *tags], timeout=300)


def server_version() -> str:
    """The version of the daemon, empty when none answers."""
    try:
        return capture(["docker", "version", "--format", "{{.Server.Version}}"]).strip()
    except CommandFailedError:
        return ""


def _pid_file() -> Path:
    return cache_dir() / "run" / "dockerd.pid"


def _runtime_flags() -> list[str]:
    if not lacks_sys_resource():
        return []
    runtime = cache_dir() / "run" / "oci-runtime"
    runtime.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(FILES / "oci-runtime", runtime)
    return [f"--add-runtime=restricted={runtime}", "--default-runtime=restricted"]


def _remove_stale_pid_files() -> None:
    for path in map(Path, _STATE):
        if path.exists() and program(int(path.read_text() or 0)) not in ("dockerd", "containerd"):
            path.unlink()
