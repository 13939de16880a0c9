"""The benchmark of llm-d's guide "SLO-aware autoscaling with KEDA", simulated.

Its load is a staircase of 40 minutes, its pool has three to eight replicas of Qwen3-32B on two H100 that start in
100 s, and its endpoint picker is scraped every 5 s (guides/workload-autoscaling/slo-aware/benchmark-templates, file
BENCHMARK.md).
Arrivals are Poisson's here; all requests have the mean lengths of the guide's.
"""

from collections import defaultdict
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from statistics import fmean

import yaml
from aifactory.api.inferenceservice import InferenceService
from aifactory.simulate import trace
from aifactory.simulate.capacity import Capacity, profile
from aifactory.simulate.engine.models import ENGINES
from aifactory.simulate.registry import ORACLE
from aifactory.simulate.run import run_policy
from aifactory.simulate.scenario import Scenario, Watch, scenario

from .report import Key, Run

HERE = Path(__file__).parent
ENGINE = "qwen3-32b-2xh100"
LENGTHS = trace.Lengths(4000, 1000)
STARTUP = 100
SCRAPE_SECONDS = 5.0
PUBLISHED = ("keda-slo, as published", "95.8%", "5.93", "", "")
_HEADER = ("policy", "attained", "replicas on average", "GPU-hours (over the oracle's)", "changes")


@cache
def scene(seed: int) -> Scenario:
    """The benchmark."""
    service = InferenceService.model_validate(yaml.safe_load((HERE / "ramp.yaml").read_text()))
    load = trace.read(HERE / "traces" / "llmd_ramp.csv", LENGTHS, seed)
    watch, fewest = Watch(scrape=SCRAPE_SECONDS), 3
    return scenario(service, ENGINES[ENGINE], load, startup=STARTUP, seed=seed, watch=watch, initial=fewest)


@cache
def _capacity(seed: int) -> Capacity:
    return profile(scene(seed))


def ramp(key: Key) -> Run:
    """One policy once."""
    return Run(key, run_policy(key.policy, scene(key.seed), _capacity(key.seed)).figures)


def table(runs: Sequence[Run]) -> str:
    """Means over seeds, beside what the guide says of its own run on GPUs."""
    found: defaultdict[str, list[Run]] = defaultdict(list)
    for one in runs:
        found[one.key.policy].append(one)
    oracle = fmean(one.figures.gpu_hours for one in found[ORACLE])
    rows = [_HEADER, ("---",) * len(_HEADER), *(_row(name, each, oracle) for name, each in found.items()), PUBLISHED]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def average(run: Run) -> float:
    """Replicas over the time of the load."""
    found = scene(run.key.seed)
    return run.figures.gpu_hours * 3600 / (found.gpus * found.end)


def _row(name: str, runs: Sequence[Run], oracle: float) -> tuple[str, ...]:
    hours = fmean(one.figures.gpu_hours for one in runs)
    replicas = fmean(average(one) for one in runs)
    changes = fmean(one.figures.actions_per_hour * scene(one.key.seed).end / 3600 for one in runs)
    attained = f"{fmean(one.figures.attainment for one in runs):.1%}"
    return name, attained, f"{replicas:.2f}", f"{hours:.1f} ({hours / oracle:.2f}x)", f"{changes:.0f}"
