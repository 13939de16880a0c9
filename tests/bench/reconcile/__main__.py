"""Measure and write results/reconcile.json and reconcile.md: `python -m tests.bench.reconcile`, about 12 minutes.

On a machine that does other work at the same time, single numbers mean little; ratios of one run still do.
"""

import json
import os
import platform
import statistics
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from tests.kind import versions
from tests.kind.progress import step

from . import report, scenarios
from .results import AtOnce, Results, as_json, rows
from .scenarios import Creation, Rest, Restart

FOLDER = Path(__file__).parents[1] / "results"
ROUNDS = 3
REST_SECONDS = 60
TICKS = 4


def main() -> int:
    """Run everything; the result is 1 if a target is missed."""
    hundred = _hundred()
    thousand, restart, rest = _thousand()
    with step("10 services per second for 30 s", "1 min"):
        offered = scenarios.offered(10, 30)
    with step("scaling ticks over 1,000 services", "4 min"):
        tick = scenarios.tick(1000, TICKS)
    date = datetime.now(UTC).strftime("%Y-%m-%d")
    results = Results(date, _machine(), hundred, thousand, offered, restart, rest, tick)
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / "reconcile.json").write_text(json.dumps(as_json(results), indent=2) + "\n")
    (FOLDER / "reconcile.md").write_text(report.markdown(results))
    Console().print(report.table(results))
    return 0 if all(row.met for row in rows(results)) else 1


def _hundred() -> AtOnce:
    limits, made = [], []
    for number in range(1, ROUNDS + 1):
        with step(f"100 services at once, round {number} of {ROUNDS}", "1 min"):
            limits.append(scenarios.limit(100))
            made.append(scenarios.creation(100))
    return AtOnce(statistics.median(limits), _median(made))


def _thousand() -> tuple[AtOnce, Restart, Rest]:
    with step("1,000 services at once, by the control plane alone", "2 min"):
        limit = scenarios.limit(1000)
    with step("1,000 services at once, a restart over them, and a minute at rest", "4 min"):
        made, restart, rest = scenarios.life(1000, REST_SECONDS)
    return AtOnce(limit, made), restart, rest


def _median(made: list[Creation]) -> Creation:
    """The round of the median rate, with the median of what varies."""
    middle = sorted(made, key=lambda one: one.rate)[len(made) // 2]
    return replace(
        middle,
        cpu_ms=statistics.median(one.cpu_ms for one in made),
        peak_mib=max(one.peak_mib for one in made),
    )


def _machine() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())
    python, kubernetes = platform.python_version(), versions.kubernetes()
    return f"{os.cpu_count()} cores ({model}), Python {python}, Kubernetes {kubernetes}"


if __name__ == "__main__":
    sys.exit(main())
