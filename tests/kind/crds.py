"""CustomResourceDefinitions of other projects, taken from their Go modules; nothing of them is kept here."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.kind.binaries import go_tool
from tests.kind.paths import CRD_MODULES
from tests.kind.progress import capture

_INFERENCE_EXTENSION = "sigs.k8s.io/gateway-api-inference-extension"
_LWS = "sigs.k8s.io/lws"
_FILES = {
    "HTTPRoute": ("sigs.k8s.io/gateway-api", "config/crd/standard/gateway.networking.k8s.io_httproutes.yaml"),
    "InferencePool": (_INFERENCE_EXTENSION, "config/crd/bases/inference.networking.k8s.io_inferencepools.yaml"),
    "LeaderWorkerSet": (_LWS, "config/crd/bases/leaderworkerset.x-k8s.io_leaderworkersets.yaml"),
    "DisaggregatedSet": (_LWS, "config/crd/bases/disaggregatedset.x-k8s.io_disaggregatedsets.yaml"),
    "PodMonitor": (
        "github.com/prometheus-operator/prometheus-operator",
        "example/prometheus-operator-crd/monitoring.coreos.com_podmonitors.yaml",
    ),
}
KINDS = tuple(kind for kind in _FILES if kind != "DisaggregatedSet")
"""What the operator makes of it."""
LEADER_WORKER_SET = ("LeaderWorkerSet", "DisaggregatedSet")
"""Without both the controller of LeaderWorkerSet does not start."""


def crd_files(*kinds: str) -> Iterator[Path]:
    """One file for each of some kinds; modules that are not in Go's cache are downloaded.

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
