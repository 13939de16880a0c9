"""CustomResourceDefinitions of other projects, taken from their Go modules; nothing of them is kept here."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.kind.binaries import go_tool
from tests.kind.paths import CRD_MODULES
from tests.kind.progress import capture

_INFERENCE_EXTENSION = "sigs.k8s.io/gateway-api-inference-extension"
_FILES = {
    "HTTPRoute": ("sigs.k8s.io/gateway-api", "config/crd/standard/gateway.networking.k8s.io_httproutes.yaml"),
    "InferencePool": (_INFERENCE_EXTENSION, "config/crd/bases/inference.networking.k8s.io_inferencepools.yaml"),
    "PodMonitor": (
        "github.com/prometheus-operator/prometheus-operator",
        "example/prometheus-operator-crd/monitoring.coreos.com_podmonitors.yaml",
    ),
}
KINDS = tuple(_FILES)
"""What can be had."""


def crd_files(*kinds: str) -> Iterator[Path]:
    """One file for each of some `KINDS`; modules that are not in Go's cache are downloaded.

    Raises:
        StepFailedError: no Go tool chain, or a module cannot be had.
    """
    for kind in kinds:
        module, file = _FILES[kind]
        yield _folder(module) / file


@cache
def _folder(module: str) -> Path:
    answer = capture([go_tool(), "-C", CRD_MODULES, "mod", "download", "-json", module], timeout=300)
    return Path(json.loads(answer)["Dir"])
