"""On the benchmark that llm-d publishes of its own law, where the KV cache limits what a replica carries."""

import pytest

from tests.bench.autoscaling.ramp import STARTUP, average, ramp
from tests.bench.autoscaling.report import Key


@pytest.mark.parametrize("seed", [0, 1])
def test_the_law_attains_more_than_is_published_of_llmd_and_nearly_as_much_as_a_pool_for_the_peak(seed: int) -> None:
    found, keda, peak = (
        ramp(Key("ramp", STARTUP, policy, seed)) for policy in ("aifactory", "keda-slo", "static-peak")
    )
    assert peak.figures.attainment == pytest.approx(1.0)
    assert found.figures.attainment >= 0.99
    assert found.figures.attainment > keda.figures.attainment
    assert average(found) < 6.5
