"""The demo in the terminal: a live table, or plain lines where there is no terminal."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

_DECISIONS = 12


@dataclass
class Sample:
    """What the status of one service and its load generator said last."""

    name: str
    offered: str = ""
    status: dict[str, Any] = field(default_factory=dict)

    @property
    def cells(self) -> tuple[str, ...]:
        """A row of the table."""
        replicas, flow = self.status.get("replicas") or {}, self.status.get("throughput") or {}
        count = f"{replicas.get('ready', 0)}/{replicas.get('desired', 0)}"
        return (
            self.name,
            self._ready,
            count,
            self._observed("timeToFirstToken"),
            self._observed("interTokenLatency"),
            self.status.get("sloAttainment") or "-",
            flow.get("requestsPerSecond") or "-",
            flow.get("outputTokensPerSecond") or "-",
            flow.get("running") or "-",
            flow.get("waiting") or "-",
            self.offered or "-",
        )

    @property
    def line(self) -> str:
        """A line where there is no table."""
        _, ready, count, ttft, itl, attained, rate, *_, waiting, offered = self.cells
        return (
            f"{self.name:<10}  ready {ready}  replicas {count}  TTFT {ttft}  ITL {itl}  attained {attained}  "
            f"offered {offered}/s  done {rate}/s  waiting {waiting}"
        )

    @property
    def _ready(self) -> str:
        found = (item for item in self.status.get("conditions", []) if item["type"] == "Ready")
        ready = next(found, {"status": "-", "reason": ""})
        return "True" if ready["status"] == "True" else f"{ready['status']} {ready['reason']}"

    def _observed(self, objective: str) -> str:
        found = (item for item in self.status.get("slo", []) if item["objective"] == objective)
        item = next(found, {})
        return item.get("observed") or item.get("state") or "-"


COLUMNS = (
    "service",
    "ready",
    "replicas",
    "TTFT p95",
    "ITL p95",
    "attained 5m",
    "requests/s",
    "tokens/s",
    "running",
    "waiting",
    "offered/s",
)


class Screen:
    """Use as a context manager; `show` as often as there is news, `decided` once for each decision."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._decisions: list[str] = []
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None

    def __enter__(self) -> "Screen":
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def decided(self, line: str) -> None:
        """A scaling decision has been taken."""
        self._decisions.append(line)
        if not self._live:
            self._console.print(line, soft_wrap=True)

    def show(self, elapsed: float, samples: Sequence[Sample]) -> None:
        """The state now, `elapsed` seconds after the start."""
        if self._live:
            decisions = [Text(line) for line in self._decisions[-_DECISIONS:]]
            self._live.update(
                Group(_table(elapsed, samples), Text("decisions", style="bold"), *decisions), refresh=True
            )
        else:
            for sample in samples:
                self._console.print(f"{elapsed:5.0f} s  {sample.line}", soft_wrap=True)


def _table(elapsed: float, samples: Sequence[Sample]) -> Table:
    table = Table(title=f"{elapsed:.0f} s", title_justify="left")
    for column in COLUMNS:
        table.add_column(column, justify="left" if column in ("service", "ready") else "right")
    for sample in samples:
        table.add_row(*sample.cells)
    return table
