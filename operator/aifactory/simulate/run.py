"""A scenario under several policies."""

from collections.abc import Iterable
from dataclasses import dataclass

from .capacity import Capacity, needed
from .record import Figures, Record, figures
from .registry import BIN_SECONDS, POLICIES
from .scenario import Scenario
from .world import World

# What a service that has been running has at the start of the trace: enough for its first five minutes.
_FIRST_BINS = 5


@dataclass(frozen=True, slots=True)
class Result:
    """One policy on one scenario."""

    policy: str
    record: Record
    figures: Figures


def run_policy(name: str, scenario: Scenario, capacity: Capacity) -> Result:
    """Run a policy from its own number of replicas, or that of the scenario, or what the first minutes take."""
    policy = POLICIES[name](scenario, capacity)
    initial = scenario.initial if policy.initial is None else policy.initial
    if initial is None:
        initial = max(needed(scenario, capacity, BIN_SECONDS, spread=scenario.within or 0.0)[:_FIRST_BINS])
    record = World(scenario, policy).run(initial)
    return Result(name, record, figures(record))


def run_policies(names: Iterable[str], scenario: Scenario, capacity: Capacity) -> dict[str, Result]:
    """By name, in order."""
    return {name: run_policy(name, scenario, capacity) for name in names}
