"""The identity of model-server pods: one that can do nothing."""

from typing import Any

from aifactory.api.inferenceservice import InferenceService

from . import labels, naming


def service_account(service: InferenceService) -> dict[str, Any]:
    """A ServiceAccount without a token."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": labels.metadata(service, naming.service_account(service)),
        "automountServiceAccountToken": False,
    }
