"""The simulated engine's latency and throughput, on virtual time."""

import random
from collections.abc import Sequence as Sequential

from aifactory.simulate.engine.batching import Sequence
from loadgen.report import percentile
from modelserver.settings import Settings
from modelserver.virtual import Run, simulate


def one_replica(rate: float, minutes: float = 10.0) -> Run:
    """Poisson arrivals of 64 prompt and 32 output tokens at one replica of the default speed."""
    rng = random.Random(3)
    at = 0.0
    arrivals = []
    while (at := at + rng.expovariate(rate)) < minutes * 60:
        arrivals.append(Sequence(64, 32, arrived_at=at))
    settings = Settings()
    return simulate(settings.timing, settings.limits, arrivals)


def p95(values: Sequential[float]) -> float:
    value = percentile(values, 95)
    assert value is not None
    return value


def test_latency_rises_with_load() -> None:
    runs = [one_replica(rate) for rate in (1, 3, 5, 7)]

    ttft = [p95(run.first_token_latencies) for run in runs]
    itl = [p95(run.inter_token_latencies) for run in runs]
    assert ttft == sorted(ttft)
    assert itl == sorted(itl)


def test_one_replica_of_the_default_speed_meets_its_objectives_at_5_per_second_and_clearly_misses_them_at_7() -> None:
    fine, overloaded = one_replica(5), one_replica(7)

    assert p95(fine.first_token_latencies) < 0.5
    assert p95(fine.inter_token_latencies) < 0.05
    assert p95(overloaded.first_token_latencies) > 0.75
    assert p95(overloaded.inter_token_latencies) > 0.05


def test_a_busy_engine_of_the_default_speed_runs_few_enough_iterations_to_leave_the_cpu_alone() -> None:
    run = one_replica(5)

    assert 15 <= run.iterations / run.busy_seconds <= 40


def test_a_longer_prompt_takes_longer_to_its_first_token() -> None:
    settings = Settings()

    short, long = (
        simulate(settings.timing, settings.limits, [Sequence(prompt, 2, arrived_at=0.0)]) for prompt in (64, 4096)
    )

    assert long.first_token_latencies[0] > 5 * short.first_token_latencies[0]
