"""The version of everything the test environment runs. Go modules are pinned in go/go.mod, the rest here."""

import re

from tests.kind.paths import GO_MODULE

DEBIAN = "bookworm"
PYTHON = "3.11"

STOCK_DEBIAN_IMAGE = f"debian:{DEBIAN}-slim"
STOCK_PYTHON_IMAGE = f"python:{PYTHON}-slim-{DEBIAN}"
STOCK_PROMETHEUS_IMAGE = "prom/prometheus:v3.5.0"


def go_module(path: str) -> str:
    """The version of a Go module that go/go.mod requires, such as `v1.37.2`.

    Raises:
        LookupError: go.mod does not require the module.
    """
    text = (GO_MODULE / "go.mod").read_text()
    if found := re.search(rf"^\s*{re.escape(path)} (v\S+)", text, re.MULTILINE):
        return found[1]
    raise LookupError(f"tests/kind/go/go.mod does not require {path}")


def kubernetes() -> str:
    """The Kubernetes version that is built from source, such as `v1.37.2`."""
    return go_module("k8s.io/kubernetes")
