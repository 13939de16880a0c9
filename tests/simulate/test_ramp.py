"""On the benchmark that llm-d publishes of its own law, where the KV cache limits what a replica carries."""

import pytest

from tests.bench.autoscaling.ramp import STARTUP, loaded, ramp
from tests.bench.autoscaling.report import Key


@pytest.mark.parametrize("seed", [0, 1])
def test_the_law_attains_more_than_is_published_of_llmd_and_nearly_as_much_as_a_pool_for_the_peak(seed: int) -> None:
    found, keda, peak = (
        ramp(Key("ramp", STARTUP, policy, seed)).figures for policy in ("aifactory", "keda-slo", "static-peak")
    )
    assert peak.attainment == pytest.approx(1.0)
    assert found.attainment >= 0.99
    assert found.attainment > keda.attainment
    scene, _ = loaded(seed)
    assert found.gpu_hours * 3600 / (scene.gpus * scene.end) < 6.5
