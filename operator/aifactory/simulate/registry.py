"""Every policy by name, and how it is made for a scenario."""

from collections.abc import Callable, Mapping
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

BIN_SECONDS = 60.0
ORACLE = "oracle"


def _peak(scenario: Scenario, capacity: Capacity) -> Policy:
    """Always as many replicas as the busiest minute takes, or the busiest time that requests may wait."""
    return Fixed([(0.0, max(needed(scenario, capacity, BIN_SECONDS, spread=scenario.within or 0.0)))])


def _mean(scenario: Scenario, capacity: Capacity) -> Policy:
    """Always as many replicas as the mean load takes."""
    return Fixed([(0.0, ceil(fmean(demand(scenario, BIN_SECONDS)) / capacity.rate))])


def _oracle(scenario: Scenario, capacity: Capacity) -> Policy:
    return Fixed(oracle.timetable(scenario, capacity))


LATENCY_POLICIES = ("keda-slo", "dynamo")
"""Those that follow latency objectives, which an offline service does not have."""
POLICIES: Mapping[str, Callable[[Scenario, Capacity], Policy]] = {
    "aifactory": lambda scenario, _: Operator(scenario),
    "hpa-queue": lambda _, __: hpa.on_queue(),
    "hpa-kv": lambda _, __: hpa.on_kv_cache(),
    "kpa": lambda _, capacity: KPA(capacity.in_flight),
    "keda-slo": lambda scenario, _: KedaSLO(scenario.targets),
    "dynamo": lambda scenario, _: Dynamo(scenario),
    "static-peak": _peak,
    "static-mean": _mean,
    ORACLE: _oracle,
}
