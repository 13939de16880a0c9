"""What has to be read, so that queries ask for no more."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from aifactory.runtimes import ENGINE_DIALECTS
from aifactory.runtimes.base import MetricDialect

from .answers import Service
from .objectives import LATENCIES, Objective, Signal
from .tracks import window_within


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the services of a cluster need to have read.

    `latencies` that objectives are about. `dialects` in use: with the services whose specs brought them, as the metrics
    may mean something else elsewhere, or None for the dialect of an engine. `canaries`: services that have one, by the
    window in seconds over which their tracks are compared.
    """

    latencies: frozenset[Signal]
    dialects: Mapping[MetricDialect, frozenset[Service] | None]
    canaries: Mapping[int, frozenset[Service]] = field(default_factory=dict)


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


def compared(measured_since: Iterable[tuple[Service, float]], now: float) -> Mapping[int, frozenset[Service]]:
    """`Wanted.canaries` of services whose canary has been measured since a time (epoch seconds)."""
    found: dict[int, frozenset[Service]] = {}
    for service, since in measured_since:
        window = window_within(now - since)
        if window is not None:
            found[window] = found.get(window, frozenset()) | {service}
    return found


def both(one: Wanted, other: Wanted) -> Wanted:
    """Everything that either wants; canaries are those of the latter."""
    return Wanted(one.latencies | other.latencies, {**one.dialects, **other.dialects}, other.canaries)
