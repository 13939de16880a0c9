"""What has to be read, so that queries ask for no more."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from aifactory.runtimes import ENGINE_DIALECTS
from aifactory.runtimes.base import MetricDialect

from .answers import Service
from .objectives import LATENCIES, Objective, Signal


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the services of a cluster need to have read.

    `latencies` that objectives are about. `dialects` in use: with the services whose specs brought them, as the metrics
    may mean something else elsewhere, or None for the dialect of an engine.
    """

    latencies: frozenset[Signal]
    dialects: Mapping[MetricDialect, frozenset[Service] | None]


EVERYTHING = Wanted(frozenset(LATENCIES), dict.fromkeys(ENGINE_DIALECTS))
"""What services that nobody has looked at yet may want."""


def wanted(services: Iterable[tuple[Service, Iterable[Objective], Iterable[MetricDialect]]]) -> Wanted:
    """What these services want: each with its objectives and the dialects that its pods may speak."""
    latencies: set[Signal] = set()
    dialects: dict[MetricDialect, frozenset[Service] | None] = {}
    for service, objectives, spoken in services:
        latencies |= {objective.signal for objective in objectives}
        for dialect in spoken:
            others = dialects.get(dialect) or frozenset()
            dialects[dialect] = None if dialect in ENGINE_DIALECTS else others | {service}
    return Wanted(frozenset(latencies & set(LATENCIES)), dialects)


def both(one: Wanted, other: Wanted) -> Wanted:
    """Everything that either wants."""
    return Wanted(one.latencies | other.latencies, {**one.dialects, **other.dialects})
