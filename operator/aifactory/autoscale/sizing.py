"""How many replicas a signal asks for: the formulas of the law."""

from math import ceil, inf, sqrt

from .fleet import Fleet
from .ratios import Thresholds

MOST_REPLICAS = 10_000


def fitting(load: float, each: float) -> int:
    """Replicas for a load when each carries `each`, in the same unit; at least 1, which is enough for none."""
    if load <= 0:
        return 1
    return max(1, rounded_up(load / each)) if each > 0 else MOST_REPLICAS


def grown(fleet: Fleet, ratio: float, threshold: float) -> int:
    """Replicas that bring `ratio` down to `threshold`, never fewer than now.

    Replicas still loading do not lower the ratio yet, although they were asked for because of it: the ready share of
    the expected capacity is credited.
    """
    expected = fleet.ready + fleet.pending
    credit = fleet.ready / expected if expected else 1.0
    return max(fleet.replicas, rounded_up(fleet.replicas * ratio * credit / threshold))


def draining(fleet: Fleet, waiting: float, allowed: float, completed: float, growth: float, seconds: float) -> int:
    """Replicas that work off a queue within `seconds`, never fewer than now.

    `waiting` requests of which `allowed` may stay; `completed` requests per second by the ready replicas (at least 1);
    the queue grows by `growth` requests per second. Without completions nothing tells how many help: one more.
    """
    each = completed / fleet.ready * seconds
    if each <= 0:
        return max(fleet.replicas, fleet.ready + 1)
    return max(
        fleet.replicas, fleet.ready + rounded_up((max(0.0, waiting - allowed) + max(0.0, growth) * seconds) / each)
    )


def fewest(fleet: Fleet, ratio: float, limits: Thresholds, base: float | None) -> int:
    """The consolidation test: the fewest replicas that the load of the ready ones fits on, beside those that are stuck.

    The ratio is predicted for load x ready/fewer and must stay at or below the middle of the thresholds. In proportion
    to load for signals without a `base`; a latency's part above its base grows with the square, as a queue's does at
    half load and more.
    """
    if base is None:
        most_load = limits.middle / ratio if ratio > 0 else inf
    else:
        above = ratio - base
        most_load = sqrt((limits.middle - base) / above) if above > 0 else inf
    return min(fleet.ready, max(1, rounded_up(fleet.ready / most_load))) + fleet.stuck


def rounded_up(replicas: float) -> int:
    """Round up, but not for the last bits of a float."""
    return ceil(min(replicas, float(MOST_REPLICAS)) - 1e-9)
