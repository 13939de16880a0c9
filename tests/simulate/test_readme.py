"""The table of policies in the README is that of the last benchmark."""

import json
from pathlib import Path

from tests.bench.autoscaling.report import from_json, summary

ROOT = Path(__file__).parents[2]


def test_the_readme_shows_what_the_benchmark_found() -> None:
    runs = from_json(json.loads((ROOT / "tests/bench/results/autoscaling.json").read_text()))
    assert summary(runs) in (ROOT / "README.md").read_text()
