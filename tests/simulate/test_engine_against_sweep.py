"""The engine model `vllm-cpu` against what a real vLLM did (tests/modelserver/data/README.md)."""

import csv
import heapq
from itertools import count
from pathlib import Path
from statistics import mean, median

import pytest
from aifactory.simulate.engine.batching import Sequence
from aifactory.simulate.engine.models import ENGINES
from aifactory.simulate.engine.replica import Replica

from tests.simulate.scenes import EDGES

SWEEP = Path(__file__).parents[1] / "modelserver" / "data" / "vllm-0.32.0-cpu-sweep.csv"
CLIENT_SECONDS = 0.003
ITL_TOLERANCE = 1.45
THROUGHPUT_TOLERANCE = 1.35
TTFT_TOLERANCE = 2.6

Row = dict[str, float]


def closed_loop(row: Row) -> list[Sequence]:
    """So many clients, each of which sends its next request a moment after its last answer."""
    shape = int(row["prompt_tokens"]), int(row["output_tokens"])
    due: list[tuple[float, int]] = []
    order, done = count(), []

    def finished(sequence: Sequence) -> None:
        done.append(sequence)
        heapq.heappush(due, ((sequence.finished_at or 0.0) + CLIENT_SECONDS, next(order)))

    engine = ENGINES["vllm-cpu"]
    replica = Replica(engine.timing, engine.limits, EDGES, finished)
    for _ in range(int(row["concurrency"])):
        replica.submit(Sequence(*shape, arrived_at=0.0))
    now = 0.0
    for _ in range(int(row["requests"]) - int(row["concurrency"])):
        while not due or due[0][0] > now:
            now += 0.001
            replica.run(now)
        heapq.heappop(due)
        replica.submit(Sequence(*shape, arrived_at=now))
    replica.run(1e9)
    return done


@pytest.fixture(scope="module")
def sweep() -> list[tuple[Row, list[Sequence]]]:
    rows = csv.DictReader(SWEEP.read_text().splitlines())
    measured = [{name: float(text) for name, text in row.items()} for row in rows]
    return [(row, closed_loop(row)) for row in measured]


def first_token(done: list[Sequence]) -> float:
    return median((sequence.first_token_at or 0.0) - sequence.arrived_at for sequence in done)


def test_inter_token_latency_follows_the_measured_engine(sweep: list[tuple[Row, list[Sequence]]]) -> None:
    for row, done in sweep:
        taken = [((one.finished_at or 0.0) - (one.first_token_at or 0.0)) / (one.output_tokens - 1) for one in done]
        assert 1 / ITL_TOLERANCE < mean(taken) / row["itl_mean_s"] < ITL_TOLERANCE, row


def test_throughput_follows_the_measured_engine(sweep: list[tuple[Row, list[Sequence]]]) -> None:
    for row, done in sweep:
        rate = sum(one.output_tokens for one in done) / max(one.finished_at or 0.0 for one in done)
        assert 1 / THROUGHPUT_TOLERANCE < rate / row["output_tokens_per_s"] < THROUGHPUT_TOLERANCE, row


def test_time_to_first_token_rises_like_the_measured_engine(sweep: list[tuple[Row, list[Sequence]]]) -> None:
    for row, done in sweep:
        assert 1 / TTFT_TOLERANCE < first_token(done) / row["ttft_p50_s"] < TTFT_TOLERANCE, row
    for prompt in (64, 512):
        rising = [first_token(done) for row, done in sweep if row["prompt_tokens"] == prompt]
        assert rising == sorted(rising)
