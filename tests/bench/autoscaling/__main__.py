"""`make bench-autoscaling`: all policies on both traces, with three start-up times and several seeds.

With `--shapes` (`make bench-shapes`) some of them on made-up loads, with `--hindsight` (`make bench-hindsight`) what
it takes to know everything but the future.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import cache
from pathlib import Path

import yaml
from aifactory.api.inferenceservice import InferenceService
from aifactory.simulate import trace
from aifactory.simulate.capacity import Capacity, profile
from aifactory.simulate.engine.models import ENGINES
from aifactory.simulate.registry import ORACLE, POLICIES
from aifactory.simulate.run import run_policy
from aifactory.simulate.scenario import Scenario, scenario

from .hindsight import cheapest
from .report import Key, Run, as_json, by_load, from_json, known, markdown, summary
from .shapes import SHAPES, requests

HERE = Path(__file__).parent
RESULTS = HERE.parent / "results"
ENGINE = "llama-3.3-70b-4xh100"
RATE_SCALE = 5.0
TRACES = ("conv", "code")
STARTUPS = (60, 120, 300)
SEEDS = 5
SHAPE_POLICIES = ("aifactory", "keda-slo", "oracle")
SHAPE_STARTUPS = (60, 300)
SHAPE_SEEDS = 1
HINDSIGHT_SEEDS = 2


@cache
def _service() -> InferenceService:
    return InferenceService.model_validate(yaml.safe_load((HERE / "service.yaml").read_text()))


@cache
def _loaded(name: str, seed: int) -> tuple[Scenario, Capacity]:
    """The first of the start-up times; how much a replica can do does not depend on it."""
    load = requests(name, seed) if name in SHAPES else _recorded_load(name, seed)
    found = scenario(_service(), ENGINES[ENGINE], load, startup=STARTUPS[0], seed=seed)
    return found, profile(found)


def _recorded_load(name: str, seed: int) -> list[trace.Request]:
    found = trace.read(HERE / "traces" / f"azure_llm_2023_{name}.csv", None, seed)
    return trace.scaled(found, RATE_SCALE, seed)


def run(key: Key) -> Run:
    """One policy once; a process of its own."""
    found, capacity = _loaded(key.trace, key.seed)
    return Run(key, run_policy(key.policy, replace(found, startup=key.startup), capacity).figures)


def _keys(policies: list[str], seeds: int) -> Iterator[Key]:
    for name in TRACES:
        for startup in STARTUPS:
            yield from (Key(name, startup, policy, seed) for policy in policies for seed in range(seeds))


def main() -> None:
    """Run, print, and write into results/."""
    options = argparse.ArgumentParser(prog="make bench-autoscaling", description=__doc__)
    options.add_argument("--seeds", type=int, default=SEEDS)
    options.add_argument("--processes", type=int, default=os.cpu_count())
    options.add_argument("--policy", action="append", choices=list(POLICIES), help="leave the others as recorded")
    options.add_argument("--shapes", action="store_true", help="made-up loads in place of the traces")
    options.add_argument("--hindsight", action="store_true", help="the best for those who know all but the future")
    chosen = options.parse_args()
    if chosen.shapes:
        _shapes(chosen.processes)
        return
    if chosen.hindsight:
        _hindsight(chosen.processes)
        return
    runs = {run.key: run for run in _recorded()} if chosen.policy and chosen.seeds == SEEDS else {}
    keys = list(_keys(chosen.policy or list(POLICIES), chosen.seeds))
    runs |= _run_all(keys, chosen.processes)
    ordered = [runs[key] for key in _keys(list(POLICIES), chosen.seeds) if key in runs]
    text = markdown(ordered, f"{ENGINE}, load x {RATE_SCALE:g}")
    print(text)
    if chosen.seeds == SEEDS:
        (RESULTS / "autoscaling.md").write_text(text)
        print(f"For the README:\n\n{summary(ordered)}")
        (RESULTS / "autoscaling.json").write_text(json.dumps(as_json(ordered), indent=1) + "\n")


def _run_all(keys: list[Key], processes: int) -> dict[Key, Run]:
    runs: dict[Key, Run] = {}
    with ProcessPoolExecutor(processes) as pool:
        for done, found in enumerate(pool.map(run, keys), 1):
            runs[found.key] = found
            sys.stderr.write(f"\r{done} of {len(keys)} runs, last: {found.key.policy} on {found.key.trace}\033[K")
    sys.stderr.write("\n")
    return runs


def _shapes(processes: int) -> None:
    """Made-up loads into a table of their own."""
    keys = [
        Key(shape, startup, policy, seed)
        for shape in SHAPES
        for seed in range(SHAPE_SEEDS)
        for startup in SHAPE_STARTUPS
        for policy in SHAPE_POLICIES
    ]
    text = by_load(list(_run_all(keys, processes).values()), f"{ENGINE}, made-up loads of an hour")
    print(text)
    (RESULTS / "shapes.md").write_text(text)


def _hindsight(processes: int) -> None:
    """Into a table of their own, beside what the law took with the same seeds."""
    keys = list(_keys([ORACLE], HINDSIGHT_SEEDS))
    recorded = {run.key: run.figures.gpu_hours for run in _recorded()}
    with ProcessPoolExecutor(processes) as pool:
        found = dict(zip(keys, pool.map(_best, keys), strict=True))
    rows = [
        (key, recorded[key._replace(policy="aifactory")] / recorded[key], hours / recorded[key])
        for key, hours in found.items()
    ]
    text = known(rows, HINDSIGHT_SEEDS)
    print(text)
    (RESULTS / "hindsight.md").write_text(text)


def _best(key: Key) -> float:
    found, capacity = _loaded(key.trace, key.seed)
    return cheapest(replace(found, startup=key.startup), capacity)


def _recorded() -> list[Run]:
    """What an earlier benchmark found."""
    file = RESULTS / "autoscaling.json"
    return from_json(json.loads(file.read_text())) if file.exists() else []


main()
