"""The version of everything the test environment runs. Go modules are pinned in their go.mod files, the rest here."""

import re
from pathlib import Path

from tests.kind.paths import GO_MODULE, PROMETHEUS_MODULE

DEBIAN = "bookworm"
PYTHON = "3.11"

STOCK_DEBIAN_IMAGE = f"debian:{DEBIAN}-slim"
STOCK_PYTHON_IMAGE = f"python:{PYTHON}-slim-{DEBIAN}"


def kubernetes() -> str:
    """The Kubernetes version that is built from source, such as `v1.37.2`."""
    return _required(GO_MODULE, "k8s.io/kubernetes")


def prometheus() -> str:
    """The Prometheus version, such as `v3.16.0`; its Go module is numbered v0.316.0."""
    _, minor, patch = _required(PROMETHEUS_MODULE, "github.com/prometheus/prometheus").split(".")
    return f"v{int(minor) // 100}.{int(minor) % 100}.{patch}"


def stock_prometheus_image() -> str:
    """The published image of the same version."""
    return f"prom/prometheus:{prometheus()}"


def _required(folder: Path, module: str) -> str:
    if found := re.search(rf"^\s*{re.escape(module)} (v\S+)", (folder / "go.mod").read_text(), re.MULTILINE):
        return found[1]
    raise LookupError(f"{folder / 'go.mod'} does not require {module}")
