"""The images that the tests run in the cluster: operator, model-server simulator, Dynamo, Prometheus, endpoint picker.

A Python image is built from a temporary context folder with two entries, each copied by a layer of its own, so that a
source edit rebuilds and sends only the last layer:
    site/  the packages of the image's lock file, installed on this machine for the image's Python
    src/   the image's own packages, by their place in the source roots, and the metadata of their project
Its Dockerfile starts with `ARG BASE` / `FROM ${BASE}` and finds python3 in BASE.
"""

import os
import shutil
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.kind import binaries, docker, image_load, versions
from tests.kind.host import exclusive, find
from tests.kind.paths import FILES, PICKER_MODULE, PROMETHEUS_MODULE, ROOT, cache_dir, content_key
from tests.kind.progress import StepFailedError, note, run_step
from tests.kind.rootfs import ensure_debian

PROMETHEUS = "aifactory/prometheus:dev"
PICKER = "aifactory/endpoint-picker:dev"


@dataclass(frozen=True)
class PythonImage:
    """An image of Python packages: its name, Dockerfile, hash-pinned lock file and the package folders it carries."""

    tag: str
    dockerfile: Path
    lock: Path
    packages: tuple[Path, ...]

    def key(self) -> str:
        """Changes when anything that goes into the image changes."""
        return content_key(self.dockerfile, self.lock, *self.packages, ROOT / "pyproject.toml", _python_tag())


OPERATOR = PythonImage(
    "aifactory/operator:dev", ROOT / "operator/Dockerfile", ROOT / "requirements.lock", (ROOT / "operator/aifactory",)
)
MODELSERVER = PythonImage(
    "aifactory/modelserver:dev",
    ROOT / "tests/modelserver/Dockerfile",
    ROOT / "tests/modelserver/requirements.lock",
    (
        ROOT / "tests/modelserver/modelserver",
        ROOT / "tests/modelserver/loadgen",
        ROOT / "operator/aifactory/simulate/engine",
    ),
)
DYNAMO = PythonImage(
    "aifactory/dynamo:dev",
    ROOT / "tests/dynamo/Dockerfile",
    ROOT / "tests/dynamo/requirements.lock",
    (ROOT / "tests/dynamo/tinymodel",),
)
SOURCE_ROOTS = (ROOT / "operator", ROOT / "tests/modelserver", ROOT / "tests/dynamo")


def ensure(*chosen: PythonImage, node: str) -> list[str]:
    """Builds what changed among the images (all, also Go programs, when none is named) and loads what the node lacks.

    Returns:
        The tags that are new in the node: pods that run an older image of that name need a restart.

    Raises:
        StepFailedError: a build or a load failed.
    """
    with exclusive("images"):
        docker.ensure_daemon()
        loaded = []
        for image in chosen or (OPERATOR, MODELSERVER, DYNAMO):
            if image_load.loaded_inputs(node, image.tag) == image.key():
                note(f"{image.tag} is up to date")
                continue
            build(image)
            image_load.load(node, image.tag, image.key())
            loaded.append(image.tag)
        programs = {PROMETHEUS: (_prometheus_tag(), _make_prometheus), PICKER: (_picker_tag(), _make_picker)}
        for name, (tag, make) in () if chosen else programs.items():
            if image_load.loaded_inputs(node, name) != tag:
                docker.tag(docker.ensure_image(tag, partial(make, tag)), name)
                image_load.load(node, name, tag)
                loaded.append(name)
    return loaded


def build(image: PythonImage) -> None:
    """Builds an image unless the daemon has it with the same inputs."""
    if docker.inputs(image.tag) == image.key():
        return
    base, site = _ensure_python(), _ensure_site(image.lock)
    with tempfile.TemporaryDirectory(dir=cache_dir(), prefix="context-") as folder:
        context = Path(folder)
        shutil.copytree(site, context / "site", copy_function=os.link)
        for package in image.packages:
            place = next(package.relative_to(root) for root in SOURCE_ROOTS if package.is_relative_to(root))
            shutil.copytree(package, context / "src" / place, ignore=shutil.ignore_patterns("__pycache__"))
        _write_metadata(context / "src")
        docker.build(image.tag, context, image.dockerfile, about="20 s", made_from=image.key(), BASE=base)


def _write_metadata(src: Path) -> None:
    """Lets importlib.metadata answer with the project's version inside the image."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    folder = src / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")


def _ensure_python() -> str:
    """The shared Python base: the official image where a registry answers, otherwise Debian's Python."""

    def make() -> None:
        if docker.registry_answers():
            docker.pull(versions.STOCK_PYTHON_IMAGE, tag)
        else:
            docker.build(tag, FILES / "python", FILES / "python" / "Dockerfile", about="20 s", BASE=ensure_debian())

    tag = _python_tag()
    return docker.ensure_image(tag, make)


def _make_prometheus(tag: str) -> None:
    """Prometheus: the official image where a registry answers, otherwise built from its Go module."""
    if docker.registry_answers():
        docker.pull(versions.stock_prometheus_image(), tag)
    else:
        _build_from(binaries.ensure_prometheus("prometheus"), "prometheus", tag, BASE=ensure_debian())


def _make_picker(tag: str) -> None:
    """The endpoint picker, from its Go module: images of it carry other versions' names."""
    _build_from(binaries.ensure_picker() / "epp", "picker", tag)


def _build_from(program: Path, folder: str, tag: str, **args: str) -> None:
    """An image of one program, by the Dockerfile in a folder of files/."""
    with tempfile.TemporaryDirectory(dir=cache_dir(), prefix="context-") as context:
        os.link(program, Path(context) / program.name)
        docker.build(tag, Path(context), FILES / folder / "Dockerfile", about="10 s", **args)


def _ensure_site(lock: Path) -> Path:
    """The folder with a lock file's packages for the images' Python, installed by uv from wheels only."""
    site = cache_dir() / "site" / content_key(lock, versions.PYTHON)
    if site.exists():
        return site
    uv = find(str(Path(sys.executable).parent / "uv")) or find("uv")
    if uv is None:
        raise StepFailedError("uv is not installed. Install it into this Python's environment: pip install uv")
    site.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=site.parent) as staging:
        target = Path(staging) / "site"
        run_step(
            f"Install the packages of {lock.relative_to(ROOT)} for Python {versions.PYTHON}",
            [
                *(uv, "pip", "install", "--quiet", "--target", target, "--python-version", versions.PYTHON),
                *("--only-binary", ":all:", "--require-hashes", "--no-deps", "--link-mode", "copy", "-r", lock),
            ],
            log_name="uv-install",
            about="10 s",
            hint="Check that Python packages can be downloaded, and that the lock file is current.",
        )
        target.rename(site)
    return site


def _python_tag() -> str:
    key = content_key(FILES / "python", versions.STOCK_PYTHON_IMAGE, versions.DEBIAN)
    return f"aifactory/python:{versions.PYTHON}-{key}"


def _prometheus_tag() -> str:
    return f"aifactory/prometheus:{content_key(FILES / 'prometheus', PROMETHEUS_MODULE, versions.DEBIAN)}"


def _picker_tag() -> str:
    return f"aifactory/endpoint-picker:{content_key(FILES / 'picker', PICKER_MODULE)}"
