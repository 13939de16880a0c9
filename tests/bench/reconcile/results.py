"""All numbers of one run, and what they are held against."""

from dataclasses import asdict, dataclass, field
from typing import Any

from .scenarios import Creation, Rest, Restart, Tick


@dataclass(frozen=True)
class AtOnce:
    """Services created at once, as medians over the rounds; `limit` is the rate of the control plane alone."""

    limit: float
    operator: Creation

    @property
    def ratio(self) -> float:
        """Share of the limit that the operator reaches."""
        return self.operator.rate / self.limit


@dataclass(frozen=True)
class Results:
    """One run on one machine."""

    date: str
    machine: str
    hundred: AtOnce
    thousand: AtOnce
    offered: Creation
    restart: Restart
    rest: Rest
    tick: Tick


@dataclass(frozen=True)
class Row:
    """A measure, its target, and what NVIDIA's NIM operator takes for its own children on such a machine."""

    measure: str
    value: float
    unit: str
    target: float | None = None
    at_least: bool = False
    nim: float | None = None
    detail: str = ""

    @property
    def met(self) -> bool:
        """On the right side of the target, and of the NIM operator's figure."""
        limits = [limit for limit in (self.target, self.nim) if limit is not None]
        return all(self.value >= limit if self.at_least else self.value <= limit for limit in limits)


@dataclass(frozen=True)
class Peer:
    """The NIM operator, measured on the same kind of control plane: 2 cores, etcd in memory, no kubelet."""

    rate: dict[int, float] = field(default_factory=lambda: {100: 9.2, 1000: 7.4})
    p99: dict[int, float] = field(default_factory=lambda: {100: 10.0, 1000: 127.0})
    cpu_ms: dict[int, float] = field(default_factory=lambda: {100: 51.0, 1000: 61.0})
    peak_mib: dict[int, float] = field(default_factory=lambda: {100: 97.0, 1000: 227.0})
    rest_writes_per_second: float = 1174 / 30


NIM = Peer()


def rows(results: Results) -> list[Row]:
    """Everything that has a target."""
    return [
        *_at_once(results.hundred),
        *_at_once(results.thousand),
        Row("10 services/s: p99, service to Deployment", results.offered.p99, "s", 2),
        Row("restart over 1,000: writes to children", results.restart.child_writes, "", 0),
        Row("restart over 1,000: time until done", results.restart.seconds, "s", 20),
        Row("restart over 1,000: peak memory", results.restart.peak_mib, "MiB", 200),
        Row("at rest with 1,000: writes", results.rest.writes_per_second, "/s", 1, nim=NIM.rest_writes_per_second),
        Row("scaling tick over 1,000: CPU", results.tick.quiet_cpu, "s", 1),
        Row("meanwhile, counting to ten million in Python: CPU", results.tick.reference, "s"),
    ]


def as_json(results: Results) -> dict[str, Any]:
    """Machine-readable."""
    ratios = {"hundred": results.hundred.ratio, "thousand": results.thousand.ratio}
    met = {row.measure: row.met for row in rows(results)}
    return {**asdict(results), "ratio": ratios, "nim_operator": asdict(NIM), "met": met}


def _at_once(found: AtOnce) -> list[Row]:
    made = found.operator
    count, title = made.services, f"{made.services:,} at once"
    detail = f"{made.rate:.1f}/s of {found.limit:.1f}/s"
    return [
        Row(f"{title}: share of the control plane's limit", found.ratio * 100, "%", 75, at_least=True, detail=detail),
        Row(f"{title}: rate", made.rate, "/s", at_least=True, nim=NIM.rate[count]),
        Row(f"{title}: p99, service to Deployment", made.p99, "s", nim=NIM.p99[count]),
        Row(f"{title}: writes per service", made.writes_per_service, "", 8),
        Row(f"{title}: CPU per service", made.cpu_ms, "ms", nim=NIM.cpu_ms[count]),
        Row(f"{title}: peak memory", made.peak_mib, "MiB", 200, nim=NIM.peak_mib[count]),
    ]
