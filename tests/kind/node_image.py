"""The node image of kind, built from Debian packages and Go modules for machines that cannot pull one."""

import os
import re
import shutil
import tempfile
from pathlib import Path

from tests.kind import binaries, docker, versions
from tests.kind.paths import FILES, cache_dir, content_key
from tests.kind.progress import capture, step
from tests.kind.rootfs import ensure_debian

_NODE_PROGRAMS = ("containerd", "containerd-shim-runc-v2", "ctr")
_KUBERNETES_PROGRAMS = ("kubeadm", "kubectl", "kubelet")


def tag() -> str:
    """The name of the node image that is built from the pinned versions."""
    key = content_key(FILES / "node", binaries.folder().name, _system_dockerfile("kube-proxy", versions.DEBIAN))
    return f"aifactory/node:{versions.kubernetes()}-{key}"


def ensure() -> str | None:
    """The node image for kind: our own when it was built before or no registry answers, None for the stock image."""
    if not docker.has_image(tag()) and docker.registry_answers():
        return None
    return docker.ensure_image(tag(), _build)


def _build() -> None:
    programs = binaries.ensure()
    base = ensure_debian()
    with tempfile.TemporaryDirectory(dir=cache_dir(), prefix="node-") as folder:
        context = Path(folder)
        _copy_kind_files(context / "kind")
        images = _build_system_images(programs, base, _sandbox_image(context / "kind"))
        with step("Save the system images", "10 s"):
            capture(["docker", "save", "--output", context / "images.tar", *images], timeout=300)
            capture(["docker", "image", "rm", *images])  # they bear the names of images that others publish
        for name in ("local-bin", "bin"):
            (context / name).mkdir()
        for program in _NODE_PROGRAMS:
            os.link(programs / program, context / "local-bin" / program)
        for program in _KUBERNETES_PROGRAMS:
            os.link(programs / program, context / "bin" / program)
        shutil.copy(FILES / "node" / "10-ptp.conflist", context)
        docker.build(tag(), context, FILES / "node" / "Dockerfile", about="2 min", BASE=base)


def _copy_kind_files(target: Path) -> None:
    """Takes the entrypoint, units and configuration that kind expects in a node from kind's own module."""
    shutil.copytree(binaries.module_folder("sigs.k8s.io/kind") / "images/base/files", target)
    for path in (target, *target.rglob("*")):
        script = path.is_file() and path.read_bytes()[:2] == b"#!"
        path.chmod(0o755 if path.is_dir() or script else 0o644)
    (target / "kind" / "version").write_text(versions.kubernetes())


def _sandbox_image(kind_files: Path) -> str:
    config = (kind_files / "etc/containerd/config.toml").read_text()
    found = re.search(r'sandbox_image = "([^"]+)"', config)
    if found is None:
        raise LookupError("kind's containerd configuration names no sandbox image")
    return found[1]


def _build_system_images(programs: Path, base: str, sandbox: str) -> list[str]:
    """Builds what kubeadm would pull, under the names that kubeadm expects."""
    listing = capture(
        [programs / "kubeadm", "config", "images", "list", f"--kubernetes-version={versions.kubernetes()}"]
    )
    names = [name for name in listing.split() if "/pause:" not in name] + [sandbox]
    with (
        tempfile.TemporaryDirectory(dir=cache_dir(), prefix="system-") as folder,
        step("Build the system images", "1 min"),
    ):
        context = Path(folder)
        for name in names:
            program = name.rpartition("/")[2].partition(":")[0]
            os.link(programs / program, context / program)
            dockerfile = context / "Dockerfile"
            dockerfile.write_text(_system_dockerfile(program, base))
            capture(["docker", "build", "--network=host", "--tag", name, context], timeout=600)
            (context / program).unlink()
    return names


def _system_dockerfile(program: str, base: str) -> str:
    lines = [f"COPY {program} /usr/local/bin/", f'ENTRYPOINT ["/usr/local/bin/{program}"]']
    if program != "kube-proxy":
        return "\n".join(["FROM scratch", *lines])
    packages = "iptables conntrack kmod"  # kube-proxy calls them
    install = (
        f"RUN apt-get update && apt-get install -y --no-install-recommends {packages} && rm -rf /var/lib/apt/lists/*"
    )
    return "\n".join([f"FROM {base}", install, *lines])
