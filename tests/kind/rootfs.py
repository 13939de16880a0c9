"""The Debian root that every container image of the tests starts from."""

import shutil
import tempfile
from pathlib import Path

from tests.kind import docker, versions
from tests.kind.host import require_commands
from tests.kind.paths import cache_dir, content_key
from tests.kind.progress import capture, run_step, step

_DISPENSABLE = ("usr/share/doc", "usr/share/man", "usr/share/locale", "var/lib/apt/lists", "var/cache/apt")


def ensure_debian() -> str:
    """The tag of a minimal Debian image: pulled where a registry answers, otherwise installed from packages."""
    tag = f"aifactory/debian:{versions.DEBIAN}-{content_key(versions.STOCK_DEBIAN_IMAGE, *_DISPENSABLE)}"
    return docker.ensure_image(tag, lambda: _pull_or_install(tag))


def _pull_or_install(tag: str) -> None:
    if docker.registry_answers():
        docker.pull(versions.STOCK_DEBIAN_IMAGE, tag)
        return
    require_commands({"debootstrap": "debootstrap"})
    with tempfile.TemporaryDirectory(dir=cache_dir(), prefix="rootfs-") as folder:
        root = Path(folder) / "root"
        run_step(
            f"Install a minimal Debian {versions.DEBIAN}",
            ["debootstrap", "--variant=minbase", "--include=ca-certificates", versions.DEBIAN, root, *host_mirror()],
            log_name="debootstrap",
            about="1 min",
            hint="Check that this machine's apt sources can be reached (apt-get update).",
        )
        for path in _DISPENSABLE:
            shutil.rmtree(root / path, ignore_errors=True)
        (root / "var/cache/apt/archives/partial").mkdir(parents=True)
        with step(f"Import {tag}", "5 s"):
            capture(["bash", "-c", f"set -o pipefail; tar -C {root} -c . | docker import - {tag}"], timeout=300)


def host_mirror(apt: Path = Path("/etc/apt")) -> list[str]:
    """The mirror that the host's apt uses for the same Debian release; nothing lets debootstrap use its own default."""
    sources = [block for path in apt.glob("**/*.sources") for block in path.read_text().split("\n\n")]
    sources += [line for path in apt.glob("**/*.list") for line in path.read_text().splitlines()]
    for source in sources:
        words = " ".join(line for line in source.splitlines() if not line.startswith("#")).split()
        if versions.DEBIAN in words and (urls := [word for word in words if word.startswith("http")]):
            return urls[:1]
    return []
