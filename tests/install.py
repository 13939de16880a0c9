"""Installing the CRDs of this checkout."""

import time
from collections.abc import Callable
from pathlib import Path

from tests.kind.progress import StepFailedError

CRD = Path(__file__).parents[1] / "crds" / "aifactory.dev_inferenceservices.yaml"


def install_crds(kubectl: Callable[..., str], timeout: float = 30) -> None:
    """Apply the CRDs and wait until the API server serves them.

    Raises:
        StepFailedError: if it does not in time.
    """
    kubectl("apply", "--server-side", "-f", str(CRD))
    deadline = time.monotonic() + timeout
    while True:
        try:
            kubectl("get", "inferenceservices.aifactory.dev", "--all-namespaces")
        except StepFailedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
        else:
            return
