"""`make bench-autoscaling`: all policies on both traces, with three start-up times and several seeds.

With `--shapes` (`make bench-shapes`) some of them on made-up loads, with `--promises` (`make bench-promises`) what
another share of requests to be attained costs, with `--hindsight` (`make bench-hindsight`) what it takes to know
everything but the future, with `--ramp` (`make bench-ramp`) all of them on the benchmark of llm-d's guide.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
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

from .hindsight import Cost, cheapest
from .ramp import STARTUP, ramp, table
from .report import AS_MUCH, LAW, Key, Run, as_json, by_load, from_json, known, markdown, summary
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
PROMISES = ("98%", "99%", "99.5%", "99.8%", "99.9%")


@cache
def _service(promise: str | None) -> InferenceService:
    manifest = yaml.safe_load((HERE / "service.yaml").read_text())
    if promise is not None:
        manifest["spec"]["slo"]["attainment"] = promise
    return InferenceService.model_validate(manifest)


@cache
def _loaded(name: str, seed: int, promise: str | None = None) -> tuple[Scenario, Capacity]:
    """The first of the start-up times; how much a replica can do does not depend on it."""
    load = requests(name, seed) if name in SHAPES else _recorded_load(name, seed)
    found = scenario(_service(promise), ENGINES[ENGINE], load, startup=STARTUPS[0], seed=seed)
    return found, profile(found)


def _recorded_load(name: str, seed: int) -> list[trace.Request]:
    found = trace.read(HERE / "traces" / f"azure_llm_2023_{name}.csv", None, seed)
    return trace.scaled(found, RATE_SCALE, seed)


def run(key: Key) -> Run:
    """One policy once; a process of its own."""
    found, capacity = _loaded(key.trace, key.seed)
    return Run(key, run_policy(key.policy, replace(found, startup=key.startup), capacity).figures)


def promised(key: Key) -> Run:
    """The law once, for a service that promises what `key.policy` ends with."""
    found, capacity = _loaded(key.trace, key.seed, key.policy.removeprefix(f"{LAW} "))
    return Run(key, run_policy(LAW, replace(found, startup=key.startup), capacity).figures)


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
    for name, (bench, about) in _OTHERS.items():
        options.add_argument(f"--{name}", dest="bench", action="store_const", const=bench, help=about)
    chosen = options.parse_args()
    if chosen.bench:
        chosen.bench(chosen.processes)
        return
    runs = {run.key: run for run in _recorded()} if chosen.policy and chosen.seeds == SEEDS else {}
    keys = list(_keys(chosen.policy or list(POLICIES), chosen.seeds))
    runs |= _run_all(run, keys, chosen.processes)
    ordered = [runs[key] for key in _keys(list(POLICIES), chosen.seeds) if key in runs]
    text = markdown(ordered, f"{ENGINE}, load x {RATE_SCALE:g}")
    print(text)
    if chosen.seeds == SEEDS:
        (RESULTS / "autoscaling.md").write_text(text)
        print(f"For the README:\n\n{summary(ordered)}")
        (RESULTS / "autoscaling.json").write_text(json.dumps(as_json(ordered), indent=1) + "\n")


def _run_all(once: Callable[[Key], Run], keys: list[Key], processes: int) -> dict[Key, Run]:
    runs: dict[Key, Run] = {}
    with ProcessPoolExecutor(processes) as pool:
        for done, found in enumerate(pool.map(once, keys), 1):
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
    text = by_load(list(_run_all(run, keys, processes).values()), f"{ENGINE}, made-up loads of an hour")
    print(text)
    (RESULTS / "shapes.md").write_text(text)


def _promises(processes: int) -> None:
    """Into a table of their own, beside who promises nothing and who promises 99 % and knows the future."""
    keys = list(_keys([f"{LAW} {promise}" for promise in PROMISES], SEEDS))
    runs = _run_all(promised, keys, processes)
    beside = [one for one in _recorded() if one.key.policy in ("keda-slo", ORACLE)]
    text = summary([*runs.values(), *beside])
    print(text)
    (RESULTS / "promises.md").write_text(f"Attained, GPU-hours (over the oracle's), {SEEDS} seeds.\n\n{text}")


def _hindsight(processes: int) -> None:
    """Into a table of their own, beside what the law took with the same seeds."""
    recorded = _recorded()
    attained = {run.key: run.figures.attainment for run in recorded}
    keys = list(_keys([ORACLE], SEEDS))
    shares = [[attained[key._replace(policy=name)] for name in AS_MUCH] for key in keys]
    best: dict[tuple[Key, str], Cost] = {}
    with ProcessPoolExecutor(processes) as pool:
        for key, found in zip(keys, pool.map(_best, keys, shares), strict=True):
            best |= {(key, name): cost for name, cost in zip(AS_MUCH, found, strict=True)}
            sys.stderr.write(f"\r{len(best) // len(AS_MUCH)} of {len(keys)} traces, last: {key.trace}\033[K")
    sys.stderr.write("\n")
    text = known(recorded, best, SEEDS)
    print(text)
    (RESULTS / "hindsight.md").write_text(text)


def _ramp(processes: int) -> None:
    """Into a table of their own."""
    keys = [Key("ramp", STARTUP, policy, seed) for policy in POLICIES for seed in range(SEEDS)]
    text = table(list(_run_all(ramp, keys, processes).values()))
    print(text)
    (RESULTS / "ramp.md").write_text(f"Simulated but for the last line; means over {SEEDS} seeds.\n\n{text}")


def _best(key: Key, attained: list[float]) -> list[Cost]:
    found, capacity = _loaded(key.trace, key.seed)
    return cheapest(replace(found, startup=key.startup), capacity, attained)


def _recorded() -> list[Run]:
    """What an earlier benchmark found."""
    file = RESULTS / "autoscaling.json"
    return from_json(json.loads(file.read_text())) if file.exists() else []


_OTHERS: Mapping[str, tuple[Callable[[int], None], str]] = {
    "shapes": (_shapes, "made-up loads in place of the traces"),
    "promises": (_promises, "other shares of requests to be attained"),
    "hindsight": (_hindsight, "the best for those who know all but the future"),
    "ramp": (_ramp, "the benchmark of llm-d's guide"),
}

main()
