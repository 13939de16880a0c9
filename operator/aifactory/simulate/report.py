"""Results for people and for programs."""

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from .record import Figures
from .registry import ORACLE
from .run import Result

HEADER = (
    "policy",
    "attained",
    "worst 5m",
    "GPU-hours",
    "x oracle",
    "good/GPU-h",
    "TTFT s p50/95/99",
    "ITL ms p50/95/99",
    "actions/h",
    "aborted",
)
_CAPTION = "good: requests within all latency objectives; actions: changes of the number of replicas"
WIDTH = 128
"""Characters that the table takes."""


def as_json(results: Mapping[str, Result], oracle: Figures) -> dict[str, Any]:
    """One object; attainments are shares (0 to 1), `gpu_hours_vs_oracle` is None where the oracle needs none."""
    return {"policies": {name: _numbers(result.figures, oracle) for name, result in results.items()}}


def table(results: Mapping[str, Result], oracle: Figures) -> Table:
    """For the terminal."""
    shown = Table(box=None, padding=(0, 2, 0, 0), caption=_CAPTION, caption_justify="left")
    for index, title in enumerate(HEADER):
        shown.add_column(title, justify="right" if index else "left", no_wrap=True)
    for name, result in results.items():
        shown.add_row(*cells(name, result.figures, oracle))
    return shown


def cells(name: str, found: Figures, oracle: Figures) -> tuple[str, ...]:
    """A row under `HEADER`."""
    ratio = _ratio(found, oracle)
    return (
        name,
        f"{found.attainment:.2%}",
        f"{found.worst:.1%}",
        f"{found.gpu_hours:.2f}",
        "-" if ratio is None else f"{ratio:.2f}",
        f"{found.goodput_per_gpu_hour:.0f}",
        "/".join(f"{seconds:.2f}" if seconds < 100 else f"{seconds:.0f}" for seconds in found.first_token.values()),
        "/".join(f"{1000 * seconds:.0f}" for seconds in found.between_tokens.values()),
        f"{found.actions_per_hour:.1f}",
        str(found.aborted),
    )


def needed_policies(asked: tuple[str, ...]) -> tuple[str, ...]:
    """What has to run: the oracle is what all are compared with."""
    return asked if ORACLE in asked else (*asked, ORACLE)


def _numbers(found: Figures, oracle: Figures) -> dict[str, float | int | None]:
    return {
        "attainment": found.attainment,
        "worst5m": found.worst,
        "gpu_hours": found.gpu_hours,
        "gpu_hours_vs_oracle": _ratio(found, oracle),
        "goodput_per_gpu_hour": found.goodput_per_gpu_hour,
        "ttft_p99_seconds": found.first_token[99],
        "itl_p99_seconds": found.between_tokens[99],
        "scale_actions_per_hour": found.actions_per_hour,
        "aborted": found.aborted,
    }


def _ratio(found: Figures, oracle: Figures) -> float | None:
    return found.gpu_hours / oracle.gpu_hours if oracle.gpu_hours else None
