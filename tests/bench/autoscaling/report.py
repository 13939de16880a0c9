"""Means over seeds, as tables."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import fields
from statistics import fmean
from typing import Any, NamedTuple

from aifactory.simulate.record import Figures
from aifactory.simulate.registry import ORACLE

from .hindsight import Cost

HEADER = (
    "policy",
    "attained",
    "worst 5 min",
    "GPU-hours",
    "x oracle",
    "good requests per GPU-hour",
    "TTFT p99",
    "ITL p99",
    "actions/h",
    "aborted",
)
RECORDED = [field.name for field in fields(Figures) if field.name not in ("last_token", "tokens")]
LAW = "aifactory"
AS_MUCH = (ORACLE, LAW, "keda-slo")
TITLES = {"conv": "Conversation", "code": "Code"}


class Key(NamedTuple):
    """One run; `startup` is the mean start-up time in seconds."""

    trace: str
    startup: int
    policy: str
    seed: int


class Run(NamedTuple):
    """What came of it."""

    key: Key
    figures: Figures


def summary(runs: Sequence[Run]) -> str:
    """One table: attained, and GPU-hours beside those of the oracle."""
    cells: defaultdict[str, dict[tuple[str, int], list[Figures]]] = defaultdict(dict)
    for key, figures in runs:
        cells[key.policy].setdefault((key.trace, key.startup), []).append(figures)
    columns = list(dict.fromkeys((run.key.trace, run.key.startup) for run in runs))
    header = ["policy", *(f"{TITLES[trace]}, {startup} s" for trace, startup in columns)]
    rows = [header, ["---"] * len(header)]
    for policy, found in cells.items():
        rows.append([policy, *(_cell(found[column], cells[ORACLE][column]) for column in columns)])
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def known(runs: Sequence[Run], best: Mapping[tuple[Key, str], Cost], seeds: int) -> str:
    """One table of GPU-hours over the oracle's: the law's, and those of who knows all but the future.

    `best` are the cheapest of these that attain what a policy of this name did, for each run of the oracle.
    """
    rows = [["trace", "start", LAW, *(f"as much attained as {name}" for name in AS_MUCH)]]
    rows.append(["---"] * len(rows[0]))
    figures = dict(runs)
    for trace, startup in dict.fromkeys((key.trace, key.startup) for key, _ in best):
        keys = [Key(trace, startup, ORACLE, seed) for seed in range(seeds)]
        oracle = fmean(figures[key].gpu_hours for key in keys)
        law = [figures[key._replace(policy=LAW)] for key in keys]
        costs = [[Cost(one.gpu_hours, one.actions_per_hour) for one in law]]
        costs += [[best[key, name] for key in keys] for name in AS_MUCH]
        rows.append([TITLES[trace], f"{startup} s", *(_times(found, oracle) for found in costs)])
    lines = "".join(f"| {' | '.join(row)} |\n" for row in rows)
    return f"GPU-hours over those of the oracle, and changes of replicas an hour; {seeds} seeds.\n\n{lines}"


def _times(found: Sequence[Cost], oracle: float) -> str:
    changes = fmean(one.actions_per_hour for one in found)
    return f"{fmean(one.gpu_hours for one in found) / oracle:.2f}, {changes:.0f}/h"


def by_load(runs: Sequence[Run], setting: str) -> str:
    """One table with a row for each load and start-up time, and a column for each policy."""
    cells: defaultdict[tuple[str, int], defaultdict[str, list[Figures]]] = defaultdict(lambda: defaultdict(list))
    for key, figures in runs:
        cells[key.trace, key.startup][key.policy].append(figures)
    policies, seeds = list(dict.fromkeys(run.key.policy for run in runs)), len({run.key.seed for run in runs})
    rows = [["load", "start", *policies], ["---"] * (2 + len(policies))]
    for (load, startup), found in cells.items():
        rows.append([load, f"{startup} s", *(_cell(found[policy], found[ORACLE]) for policy in policies)])
    lines = "".join(f"| {' | '.join(row)} |\n" for row in rows)
    means = f"means over {seeds} seed{'s' * (seeds > 1)}"
    return f"Simulated: {setting}; {means}: attained, GPU-hours (over the oracle's).\n\n{lines}"


def _cell(found: Sequence[Figures], oracle: Sequence[Figures]) -> str:
    hours = fmean(one.gpu_hours for one in found)
    times = hours / fmean(one.gpu_hours for one in oracle)
    return f"{fmean(one.attainment for one in found):.1%}, {hours:.1f} ({times:.2f}x)"


def markdown(runs: Sequence[Run], setting: str) -> str:
    """A table for each trace and start-up time."""
    tables: defaultdict[tuple[str, int], defaultdict[str, list[Figures]]] = defaultdict(lambda: defaultdict(list))
    for key, figures in runs:
        tables[key.trace, key.startup][key.policy].append(figures)
    seeds = len({run.key.seed for run in runs})
    parts = [f"Simulated: {setting}; means over {seeds} seed{'s' * (seeds > 1)}."]
    for (trace, startup), policies in tables.items():
        oracle = policies.get(ORACLE)
        hours = fmean(one.gpu_hours for one in oracle) if oracle else None
        rows = [HEADER, ("---",) * len(HEADER), *(_row(name, found, hours) for name, found in policies.items())]
        lines = "\n".join(f"| {' | '.join(row)} |" for row in rows)
        parts.append(f"### {TITLES[trace]}, replicas start in {startup} s\n\n{lines}")
    return "\n\n".join(parts) + "\n"


def as_json(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Every run, without what only offline services are judged by."""
    return [{**run.key._asdict(), **{name: getattr(run.figures, name) for name in RECORDED}} for run in runs]


def from_json(runs: Sequence[Mapping[str, Any]]) -> list[Run]:
    """What `as_json` gave, once it was read from a file."""
    return [Run(Key(*(run[name] for name in Key._fields)), _figures(run)) for run in runs]


def _figures(run: Mapping[str, Any]) -> Figures:
    found = {name: run[name] for name in RECORDED}
    percentiles = ("first_token", "between_tokens")
    by_percent = {name: {int(percent): value for percent, value in found[name].items()} for name in percentiles}
    return Figures(**found | by_percent)


def _row(name: str, found: Sequence[Figures], oracle_hours: float | None) -> tuple[str, ...]:
    hours = fmean(one.gpu_hours for one in found)
    return (
        name,
        f"{fmean(one.attainment for one in found):.2%}",
        f"{fmean(one.worst for one in found):.1%}",
        f"{hours:.1f}",
        f"{hours / oracle_hours:.2f}" if oracle_hours else "",
        f"{fmean(one.goodput_per_gpu_hour for one in found):.0f}",
        f"{fmean(one.first_token[99] for one in found):.2f} s",
        f"{1000 * fmean(one.between_tokens[99] for one in found):.0f} ms",
        f"{fmean(one.actions_per_hour for one in found):.1f}",
        f"{fmean(one.aborted for one in found):.0f}",
    )
