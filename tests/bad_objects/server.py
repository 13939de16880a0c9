"""What a real API server says about an object, without keeping it."""

import json
from pathlib import Path
from typing import Any

from aifactory.api import GROUP, VERSION
from kubernetes import client, config

from . import OF_THE_CLUSTER, PLURALS


class Admission:
    """Strict server-side dry runs in the namespace `default` of the cluster of `kubeconfig`."""

    def __init__(self, kubeconfig: Path) -> None:
        self._api = client.CustomObjectsApi(config.new_client_from_config(str(kubeconfig)))

    def refusal(self, manifest: dict[str, Any]) -> str:
        """The API server's message; empty when it accepts the object."""
        plural, strictly = PLURALS[manifest["kind"]], {"dry_run": "All", "field_validation": "Strict"}
        try:
            if manifest["kind"] in OF_THE_CLUSTER:
                self._api.create_cluster_custom_object(GROUP, VERSION, plural, manifest, **strictly)
            else:
                self._api.create_namespaced_custom_object(GROUP, VERSION, "default", plural, manifest, **strictly)
        except client.ApiException as error:
            return str(json.loads(error.body)["message"])
        return ""
