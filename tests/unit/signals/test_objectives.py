import pytest
from aifactory.api.slo import SLOSpec
from aifactory.signals.objectives import Objective, Signal, completion, resolve


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


def test_the_promise_of_an_offline_service_is_seen_in_what_was_completed() -> None:
    promised = SLOSpec.model_validate({"workload": "offline", "completeWithin": "1h", "attainment": "95%"})
    assert completion(promised) == Objective(Signal.E2E, 3600.0, 95, 0.95)
    strict = SLOSpec.model_validate({"workload": "offline", "attainment": "99.95%"})
    assert completion(strict) == Objective(Signal.E2E, 600.0, 99, 0.9995)
    assert completion(SLOSpec.model_validate({"workload": "interactive"})) is None
    target = {"timeToFirstToken": {"target": "2s"}}
    assert completion(SLOSpec.model_validate({"workload": "offline", "objectives": target})) is None
