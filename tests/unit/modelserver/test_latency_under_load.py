"""The simulated engine's latency and throughput, on virtual time."""

import csv
import random
from collections.abc import Sequence as Sequential
from dataclasses import replace
from pathlib import Path
from statistics import mean, median

import pytest
from loadgen.report import percentile
from modelserver.scheduler import Sequence
from modelserver.settings import SPEEDS, Settings
from modelserver.virtual import Run, closed_loop, simulate

VLLM_CPU = replace(Settings(), **SPEEDS["vllm-cpu"])
CLIENT_SECONDS = 0.003
ITL_TOLERANCE = 1.45
THROUGHPUT_TOLERANCE = 1.35
TTFT_TOLERANCE = 2.6


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


@pytest.fixture(scope="module")
def sweep(recordings: Path) -> list[tuple[dict[str, float], Run]]:
    """Each row that was measured on vLLM, with the same closed loop on the engine fitted to it."""
    rows = csv.DictReader((recordings / "vllm-0.32.0-cpu-sweep.csv").read_text().splitlines())
    measured = [{name: float(text) for name, text in row.items()} for row in rows]
    return [(row, _repeat(row)) for row in measured]


def _repeat(row: dict[str, float]) -> Run:
    return closed_loop(
        VLLM_CPU.timing,
        VLLM_CPU.limits,
        clients=int(row["concurrency"]),
        requests=int(row["requests"]),
        shape=(int(row["prompt_tokens"]), int(row["output_tokens"])),
        think=CLIENT_SECONDS,
    )


def test_inter_token_latency_follows_the_measured_engine(sweep: list[tuple[dict[str, float], Run]]) -> None:
    for row, run in sweep:
        ratio = mean(run.inter_token_latencies) / row["itl_mean_s"]
        assert 1 / ITL_TOLERANCE < ratio < ITL_TOLERANCE, row


def test_throughput_follows_the_measured_engine(sweep: list[tuple[dict[str, float], Run]]) -> None:
    for row, run in sweep:
        ratio = run.output_tokens_per_second / row["output_tokens_per_s"]
        assert 1 / THROUGHPUT_TOLERANCE < ratio < THROUGHPUT_TOLERANCE, row


def test_time_to_first_token_rises_like_the_measured_engine(sweep: list[tuple[dict[str, float], Run]]) -> None:
    for row, run in sweep:
        ratio = median(run.first_token_latencies) / row["ttft_p50_s"]
        assert 1 / TTFT_TOLERANCE < ratio < TTFT_TOLERANCE, row
    for prompt in (64, 512):
        simulated = [median(run.first_token_latencies) for row, run in sweep if row["prompt_tokens"] == prompt]
        assert simulated == sorted(simulated)
