import pytest
from aifactory.api.slo import SLOSpec
from aifactory.signals.objectives import resolve


def texts(**slo: object) -> dict[str, str]:
    return {objective.signal: objective.text for objective in resolve(SLOSpec.model_validate(slo))}


@pytest.mark.parametrize(
    ("workload", "expected"),
    [
        ("realtime", {"timeToFirstToken": "p95 <= 250ms", "interTokenLatency": "p95 <= 25ms"}),
        ("interactive", {"timeToFirstToken": "p95 <= 500ms", "interTokenLatency": "p95 <= 50ms"}),
        ("offline", {}),
    ],
)
def test_a_workload_brings_its_objectives(workload: str, expected: dict[str, str]) -> None:
    assert texts(workload=workload) == expected


def test_a_written_objective_replaces_the_preset_and_leaves_the_others() -> None:
    written = {
        "timeToFirstToken": {"percentile": 90, "target": "2s"},
        "endToEndLatency": {"target": "1m30s"},
        "throughput": {"tokensPerSecond": 5000},
    }
    assert texts(objectives=written) == {
        "timeToFirstToken": "p90 <= 2s",
        "interTokenLatency": "p95 <= 50ms",
        "endToEndLatency": "p95 <= 1m30s",
        "throughput": ">= 5000 tokens/s",
    }
