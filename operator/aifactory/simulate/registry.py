"""Every policy by name, and how it is made for a scenario."""

from collections.abc import Callable, Mapping, Sequence
from math import ceil
from statistics import fmean

from . import oracle
from .capacity import Capacity, demand, needed
from .policies import hpa
from .policies.base import Policy
from .policies.dynamo import Dynamo
from .policies.fixed import Fixed
from .policies.keda import KedaSLO
from .policies.kpa import KPA
from .policies.operator import Operator
from .scenario import Scenario

Make = Callable[[Scenario, Sequence[Capacity]], list[Policy]]

BIN_SECONDS = 60.0
ORACLE = "oracle"


def _peak(scenario: Scenario, capacity: Capacity) -> Policy:
    """Always as many replicas as the busiest minute takes, or the busiest time that requests may wait."""
    return Fixed([(0.0, max(needed(scenario, capacity, BIN_SECONDS)))])


def _mean(scenario: Scenario, capacity: Capacity) -> Policy:
    """Always as many replicas as the mean load takes."""
    return Fixed([(0.0, ceil(fmean(demand(scenario, BIN_SECONDS)) / capacity.rate))])


def _oracle(scenario: Scenario, capacities: Sequence[Capacity]) -> list[Policy]:
    return [Fixed(table) for table in oracle.timetables(scenario, capacities)]


def _each(make: Callable[[Scenario, Capacity], Policy]) -> Make:
    """One for each part of the scenario."""
    return lambda scenario, capacities: list(map(make, scenario.parts, capacities))


LATENCY_POLICIES = ("keda-slo", "dynamo")
"""Those that follow latency objectives, which an offline service does not have."""
WHOLE_POLICIES = ("hpa-queue", "hpa-kv", "kpa", "keda-slo")
"""Those whose published form is for replicas that prefill and decode."""
POLICIES: Mapping[str, Make] = {
    "aifactory": _each(lambda scenario, _: Operator(scenario)),
    "hpa-queue": _each(lambda _, __: hpa.on_queue()),
    "hpa-kv": _each(lambda _, __: hpa.on_kv_cache()),
    "kpa": _each(lambda _, capacity: KPA(capacity.in_flight)),
    "keda-slo": _each(lambda scenario, _: KedaSLO(scenario.targets)),
    "dynamo": _each(lambda scenario, _: Dynamo(scenario)),
    "static-peak": _each(_peak),
    "static-mean": _each(_mean),
    ORACLE: _oracle,
}
