"""Where things are: the checkout, the static files beside this module and the cache outside the checkout."""

import hashlib
import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FILES = Path(__file__).parent / "files"
GO_MODULE = Path(__file__).parent / "go"
LWS_MODULE = Path(__file__).parent / "go_lws"
PROMETHEUS_MODULE = Path(__file__).parent / "go_prometheus"
PICKER_MODULE = Path(__file__).parent / "go_picker"
CRD_MODULES = Path(__file__).parent / "go_crds"
CRDS = sorted((ROOT / "crds").glob("aifactory.dev_*.yaml"))
KUBECONFIG = ROOT / ".build" / "kubeconfig"


def cache_dir() -> Path:
    """The folder that keeps build products: `$AIFACTORY_CACHE`, else `aifactory` in the user's cache folder."""
    if chosen := os.environ.get("AIFACTORY_CACHE"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "aifactory"


def log_dir() -> Path:
    """The folder of the logs of build steps and of the Docker daemon; created on first use."""
    folder = cache_dir() / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def content_key(*inputs: str | Path) -> str:
    """Twelve hex digits that change when any input changes: a string, a file's bytes, or every file under a folder."""
    digest = hashlib.sha256()
    for item in inputs:
        if isinstance(item, str):
            digest.update(f"text {len(item)} {item}\n".encode())
            continue
        files = sorted(path for path in item.rglob("*") if path.is_file()) if item.is_dir() else [item]
        for path in files:
            if "__pycache__" in path.parts:
                continue
            data = path.read_bytes()
            digest.update(f"file {path.relative_to(item)} {path.stat().st_mode & 0o111} {len(data)}\n".encode())
            digest.update(data)
    return digest.hexdigest()[:12]
