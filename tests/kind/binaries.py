"""Builds the programs of the cluster from their Go modules and keeps them in the cache."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.kind import versions
from tests.kind.host import exclusive, find, require_free_disk
from tests.kind.paths import GO_MODULE, LWS_MODULE, PICKER_MODULE, PROMETHEUS_MODULE, cache_dir, content_key
from tests.kind.progress import StepFailedError, capture, run_step

PACKAGES = {
    "containerd": "github.com/containerd/containerd/v2/cmd/containerd",
    "containerd-shim-runc-v2": "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2",
    "coredns": "github.com/coredns/coredns",
    "ctr": "github.com/containerd/containerd/v2/cmd/ctr",
    "etcd": "go.etcd.io/etcd/server/v3",
    "kind": "sigs.k8s.io/kind",
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
    "kube-proxy": "k8s.io/kubernetes/cmd/kube-proxy",
    "kube-scheduler": "k8s.io/kubernetes/cmd/kube-scheduler",
    "kubeadm": "k8s.io/kubernetes/cmd/kubeadm",
    "kubectl": "k8s.io/kubernetes/cmd/kubectl",
    "kubelet": "k8s.io/kubernetes/cmd/kubelet",
    "kwok": "sigs.k8s.io/kwok/cmd/kwok",
    "pause": "./pause",
}
_BUILT_AS = {"etcd": "server"}  # go build names a program after its folder
_KWOK_STAGES = ("node/fast", "node/heartbeat-with-lease", "pod/fast")
_PROMETHEUS_TAGS = ("remove_all_sd", "enable_kubernetes_sd")
PICKER_PACKAGES = {"ask": "./ask", "epp": "sigs.k8s.io/gateway-api-inference-extension/cmd/epp"}
_FREE_GIB = 13


def folder() -> Path:
    """Where the binaries of the pinned versions are kept; it may not exist yet."""
    return cache_dir() / "binaries" / content_key(GO_MODULE, _ldflags())


def missing(*names: str) -> list[str]:
    """Those of the named programs that are not built yet."""
    return [name for name in names if not (folder() / name).exists()]


def ensure(*names: str) -> Path:
    """Builds those of the named programs (all when none is named) that the cache lacks; returns their folder.

    Raises:
        StepFailedError: no Go tool chain, too little disk, or the build failed.
    """
    wanted = names or tuple(PACKAGES)
    if not missing(*wanted):
        return folder()
    with exclusive("binaries"):
        if lacking := missing(*wanted):
            _build(lacking)
    return folder()


def module_folder(module: str) -> Path:
    """The folder of a required module's source in Go's module cache, downloaded when it is not there."""
    return Path(capture([go_tool(), "-C", GO_MODULE, "list", "-m", "-f", "{{.Dir}}", module], timeout=300).strip())


def prometheus_program(name: str) -> Path:
    """Where `prometheus` or `promtool` of the pinned version is kept; it may not exist yet."""
    return cache_dir() / "binaries" / f"prometheus-{content_key(PROMETHEUS_MODULE, *_PROMETHEUS_TAGS)}" / name


def ensure_prometheus(name: str) -> Path:
    """Builds `prometheus` or `promtool`, with Kubernetes service discovery only, unless the cache has it.

    Raises:
        StepFailedError: no Go tool chain, too little disk, or the build failed.
    """
    target = prometheus_program(name)
    with exclusive("binaries"):
        if not target.exists():
            with _go_build(
                f"Build {name} {versions.prometheus()} from its Go module",
                PROMETHEUS_MODULE,
                [f"github.com/prometheus/prometheus/cmd/{name}"],
                ldflags="-s -w",
                flags=[f"-tags={','.join(_PROMETHEUS_TAGS)}"],
                about="4 min on 2 cores the first time",
            ) as built:
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.move(built / name, target)
    return target


def picker_folder() -> Path:
    """Where the endpoint picker `epp` of the pinned version and `ask`, which asks it, are kept; may not exist yet."""
    return cache_dir() / "binaries" / f"picker-{content_key(PICKER_MODULE)}"


def ensure_picker() -> Path:
    """Builds the endpoint picker of the Gateway API inference extension, and what asks it; returns their folder.

    Raises:
        StepFailedError: no Go tool chain, too little disk, or the build failed.
    """
    target = picker_folder()
    with exclusive("binaries"):
        if not target.exists():
            with _go_build(
                "Build the endpoint picker from its Go module",
                PICKER_MODULE,
                list(PICKER_PACKAGES.values()),
                ldflags="-s -w",
                about="3 min on 2 cores the first time",
            ) as built:
                staging = built / "picker"
                staging.mkdir()
                for name in PICKER_PACKAGES:
                    shutil.move(built / name, staging / name)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.move(staging, target)
    return target


def lws_program() -> Path:
    """Where the controller of LeaderWorkerSet of the pinned version is kept; it may not exist yet."""
    return cache_dir() / "binaries" / f"lws-{content_key(LWS_MODULE)}" / "manager"


def ensure_lws() -> Path:
    """Builds the controller of LeaderWorkerSet, unless the cache has it.

    Raises:
        StepFailedError: no Go tool chain, too little disk, or the build failed.
    """
    target = lws_program()
    with exclusive("binaries"):
        if not target.exists():
            with _go_build(
                "Build the LeaderWorkerSet controller from its Go module",
                LWS_MODULE,
                ["sigs.k8s.io/lws/cmd"],
                ldflags="-s -w",
                about="3 min on 2 cores the first time",
            ) as built:
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.move(built / "cmd", target)
    return target


def _build(names: list[str]) -> None:
    with _go_build(
        f"Build {_enumerate(names)} from Go modules (Kubernetes {versions.kubernetes()})",
        GO_MODULE,
        [PACKAGES[name] for name in names],
        ldflags=_ldflags(),
        about="10 to 25 min on 2 cores the first time",
    ) as built:
        folder().mkdir(parents=True, exist_ok=True)
        for name in names:
            shutil.move(built / _BUILT_AS.get(name, name), folder() / name)
    if "kwok" in names:
        _keep_kwok_stages()


@contextmanager
def _go_build(
    title: str, module: Path, packages: Sequence[str], *, ldflags: str, about: str, flags: Sequence[str] = ()
) -> Iterator[Path]:
    """Builds main packages that a Go module requires; yields the folder of the programs, removed at the end."""
    require_free_disk(Path.home(), _FREE_GIB, "Building from source")
    cache_dir().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache_dir(), prefix="go-build-") as built:
        run_step(
            title,
            [
                *("nice", go_tool(), "build", "-v", "-trimpath", "-buildvcs=false"),
                *(*flags, "-ldflags", ldflags, "-o", f"{built}/", *packages),
            ],
            cwd=module,
            env={**os.environ, "CGO_ENABLED": "0"},
            log_name="go-build",
            about=about,
            hint="Check that Go modules can be downloaded (go env GOPROXY), then run the same command again.",
        )
        yield Path(built)


def _keep_kwok_stages() -> None:
    """Keeps, beside kwok, the stages of its own module that bring nodes and pods to life."""
    source = module_folder("sigs.k8s.io/kwok") / "kustomize/stage"
    files = sorted(
        path for part in _KWOK_STAGES for path in (source / part).glob("*.yaml") if path.name != "kustomization.yaml"
    )
    (folder() / "kwok-stages.yaml").write_text("\n---\n".join(path.read_text() for path in files))


def _enumerate(names: list[str]) -> str:
    return ", ".join(names) if len(names) < 4 else f"{len(names)} programs"


def go_tool() -> str:
    """The Go command.

    Raises:
        StepFailedError: it is not installed.
    """
    go = find("go") or find("/usr/local/go/bin/go")
    if go is None:
        raise StepFailedError(
            "Go is not installed; it builds Kubernetes from source. Install Go 1.26.7 or later and try again."
        )
    return go


def _ldflags() -> str:
    version = versions.kubernetes()
    major, minor, _ = version.removeprefix("v").split(".")
    package = "k8s.io/component-base/version"
    return f"-s -w -X {package}.gitVersion={version} -X {package}.gitMajor={major} -X {package}.gitMinor={minor}"
