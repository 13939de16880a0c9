"""What the demo applies and how it is loaded."""

from dataclasses import dataclass
from typing import Any

from tests.e2e.kube import Object

NAMESPACE = "aifactory-demo"
IMAGE = "aifactory/modelserver:dev"
TTFT_SECONDS = 0.5
ITL_SECONDS = 0.15
# A simulated replica meets these objectives up to about six requests per second.
OBJECTIVES = {
    "timeToFirstToken": {"percentile": 95, "target": "500ms"},
    "interTokenLatency": {"percentile": 95, "target": "150ms"},
}
# The default windows suit models that load in minutes; these load in eight seconds.
BEHAVIOR = {
    "averagingWindow": "6s",
    "scaleUp": {"period": "10s", "maxReplicas": 1, "maxPercent": 50, "panicHold": "10s"},
    "scaleDown": {"stabilizationWindow": "20s", "period": "10s"},
}


@dataclass(frozen=True)
class Scenario:
    """One service, and the requests it gets: `shape` in requests/s and seconds."""

    name: str
    model: str
    engine: str
    most: int
    shape: str

    @property
    def manifest(self) -> Object:
        """The InferenceService."""
        return {
            "apiVersion": "aifactory.dev/v1alpha1",
            "kind": "InferenceService",
            "metadata": {"name": self.name},
            "spec": self._spec,
        }

    @property
    def _spec(self) -> dict[str, Any]:
        return {
            "model": {"name": self.model},
            "runtime": {
                "engine": self.engine,
                "image": IMAGE,
                "env": [{"name": "MODELSERVER_STARTUP_SECONDS", "value": "8"}],
            },
            "accelerator": {"product": "NVIDIA-H100-80GB-HBM3", "count": 1},
            "slo": {"objectives": OBJECTIVES, "attainment": "95%"},
            "scaling": {"minReplicas": 1, "maxReplicas": self.most, "behavior": BEHAVIOR},
            "drain": {"timeout": "10s"},
        }


SCENARIOS = (
    Scenario("llama-vllm", "meta-llama/Llama-3.1-8B-Instruct", "vllm", 4, "2@20s,6@20s,10@25s,14@45s,8@20s,0.5@115s"),
    Scenario("llama-nim", "meta/llama-3.1-8b-instruct", "nim", 3, "2@35s,5@20s,7@25s,9@30s,4@20s,0.5@115s"),
)
