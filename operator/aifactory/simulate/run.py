"""A scenario under several policies."""

from collections.abc import Iterable
from dataclasses import dataclass

from .capacity import Capacity, needed
from .policies.base import Policy
from .record import Figures, Record, figures, slowest
from .registry import BIN_SECONDS, POLICIES
from .scenario import Scenario
from .world import World

# What a service that has been running has at the start of the trace: enough for its first five minutes.
_FIRST_BINS = 5


@dataclass(frozen=True, slots=True)
class Result:
    """One policy on one scenario; `slowest` are latencies over time, as of `record.slowest`."""

    policy: str
    record: Record
    figures: Figures
    slowest: tuple[list[float], list[float]]


def run_policy(name: str, scenario: Scenario, *capacities: Capacity) -> Result:
    """Run a policy from its own number of replicas, or that of the scenario, or what the first minutes take.

    There is a capacity for each part of the scenario.
    """
    policies = POLICIES[name](scenario, capacities)
    record = World(scenario, *policies).run(*map(_initial, policies, scenario.parts, capacities))
    return Result(name, record, figures(record), slowest(record))


def _initial(policy: Policy, part: Scenario, capacity: Capacity) -> int:
    initial = part.initial if policy.initial is None else policy.initial
    if initial is None:
        initial = max(needed(part, capacity, BIN_SECONDS)[:_FIRST_BINS])
    return initial


def run_policies(names: Iterable[str], scenario: Scenario, *capacities: Capacity) -> dict[str, Result]:
    """By name, in order; of their answers, millions in a day, nothing is left but the sums."""
    found = {}
    for name in names:
        found[name] = run_policy(name, scenario, *capacities)
        found[name].record.answers.clear()
    return found
