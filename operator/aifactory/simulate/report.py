"""Results for people and for programs."""

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from aifactory.api.meta import format_measured
from aifactory.signals.objectives import Signal

from .record import Figures
from .registry import ORACLE
from .run import Result
from .scenario import Scenario

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
OFFLINE_HEADER = (*HEADER[:6], "taken s p50/95/99", "tokens/GPU-h", *HEADER[8:])
_END_TO_END = "E2E s p50/95/99"
_CAPTION = "good: requests within all latency objectives; actions: changes of the number of replicas"
_OFFLINE_CAPTION = "good: requests completed in time; taken: waiting included; tokens: of prompts and answers"
WIDTH = 150
"""Characters that the table takes at most."""


def as_json(results: Mapping[str, Result], oracle: Figures) -> dict[str, Any]:
    """One object; attainments are shares (0 to 1), `gpu_hours_vs_oracle` is None where the oracle needs none.

    Where prefill and decode are apart, each has its own part of the GPU-hours and actions under `roles`. The engine has
    no model and no GPU (None, 0) where it was measured on neither.
    """
    scenario = _scenario(results)
    engine = {field: getattr(scenario.engine, field) for field in ("name", "model", "gpu", "gpus", "source")}
    policies = {name: _numbers(result.figures, oracle) | _roles(result) for name, result in results.items()}
    return {"engine": engine, "startup_seconds": scenario.startup, "policies": policies}


def table(results: Mapping[str, Result], oracle: Figures) -> Table:
    """For the terminal; with a column of end-to-end latencies where there is such an objective."""
    scenario = _scenario(results)
    offline, whole = scenario.within is not None, Signal.E2E in scenario.promised
    caption = f"{_OFFLINE_CAPTION if offline else _CAPTION}\n{_simulated(scenario)}"
    shown = Table(box=None, padding=(0, 2, 0, 0), caption=caption, caption_justify="left")
    for index, title in enumerate(OFFLINE_HEADER if offline else _with(HEADER, _END_TO_END, whole)):
        shown.add_column(title, justify="right" if index else "left", no_wrap=True)
    for name, result in results.items():
        found = result.figures
        shown.add_row(*_with(cells(name, found, oracle, offline), _seconds(found.last_token), whole))
    return shown


def _scenario(results: Mapping[str, Result]) -> Scenario:
    """What all of them have run."""
    return next(iter(results.values())).record.scenario


def _simulated(scenario: Scenario) -> str:
    engine = scenario.engine
    source = f" ({engine.source})" if engine.gpus else ""
    return f"engine {engine.name}: {engine.described}{source}; start-up {format_measured(scenario.startup)}"


def _with(columns: tuple[str, ...], further: str, wanted: bool) -> tuple[str, ...]:
    """With a column after those of the other latencies, if it is wanted."""
    return (*columns[:8], further, *columns[8:]) if wanted else columns


def cells(name: str, found: Figures, oracle: Figures, offline: bool = False) -> tuple[str, ...]:
    """A row under `HEADER`, or under `OFFLINE_HEADER`."""
    ratio = _ratio(found, oracle)
    between = "/".join(f"{1000 * seconds:.0f}" for seconds in found.between_tokens.values())
    return (
        name,
        f"{found.attainment:.2%}",
        f"{found.worst:.1%}",
        f"{found.gpu_hours:.2f}",
        "-" if ratio is None else f"{ratio:.2f}",
        f"{found.goodput_per_gpu_hour:.0f}",
        _seconds(found.last_token if offline else found.first_token),
        f"{found.tokens_per_gpu_hour:,.0f}" if offline else between,
        f"{found.actions_per_hour:.1f}",
        str(found.aborted),
    )


def _seconds(percentiles: Mapping[int, float]) -> str:
    return "/".join(f"{seconds:.2f}" if seconds < 100 else f"{seconds:.0f}" for seconds in percentiles.values())


def needed_policies(asked: tuple[str, ...]) -> tuple[str, ...]:
    """What has to run: the oracle is what all are compared with."""
    return asked if ORACLE in asked else (*asked, ORACLE)


def _numbers(found: Figures, oracle: Figures) -> dict[str, Any]:
    return {
        "attainment": found.attainment,
        "worst5m": found.worst,
        "gpu_hours": found.gpu_hours,
        "gpu_hours_vs_oracle": _ratio(found, oracle),
        "goodput_per_gpu_hour": found.goodput_per_gpu_hour,
        "ttft_p99_seconds": found.first_token[99],
        "itl_p99_seconds": found.between_tokens[99],
        "request_p99_seconds": found.last_token[99],
        "tokens_per_gpu_hour": found.tokens_per_gpu_hour,
        "scale_actions_per_hour": found.actions_per_hour,
        "aborted": found.aborted,
    }


def _roles(result: Result) -> dict[str, dict[str, dict[str, float]]]:
    record = result.record
    if len(record.scaled) == 1:
        return {}
    hours = record.scenario.end / 3600
    return {
        "roles": {
            one.role.value: {
                "gpu_hours": one.gpu_seconds / 3600,
                "scale_actions_per_hour": len(one.actions) / hours,
            }
            for one in record.scaled
        }
    }


def _ratio(found: Figures, oracle: Figures) -> float | None:
    return found.gpu_hours / oracle.gpu_hours if oracle.gpu_hours else None
