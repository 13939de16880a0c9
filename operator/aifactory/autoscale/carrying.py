"""Replicas that carry a load, by what was learned of one replica."""

from aifactory.signals.readings import ServiceReadings

from . import sizing
from .demand import Expectation
from .fleet import Fleet
from .knowledge import Knowledge
from .ratios import Measure

# Below this share of its target a latency tells too little of where it will be reached to add replicas in advance.
_FAR = 0.25


def replicas(
    one: Measure, readings: ServiceReadings, fleet: Fleet, knowledge: Knowledge, expected: Expectation
) -> int | None:
    """Those that carry the load that there is or may come; None where the latency does not depend on load.

    Replicas are added by what is known, and removed by what is trusted, which is less. Those that do not start in time
    carry nothing.
    """
    now, each = knowledge.load or 0.0, (readings.tokens or 0.0) / fleet.ready
    limit, line = knowledge.limit(one, each), knowledge.line(one, each)
    if limit is None or line is None:
        return None
    load = max(now, expected.upper)
    foreseen = knowledge.curves[one.signal].known and (one.ratio or 0.0) >= _FAR
    more = sizing.fitting(load if foreseen else now, line)
    fewer = sizing.fitting(load, limit)
    return max(more, min(fewer, fleet.replicas)) + fleet.lost


def awaited(one: Measure, readings: ServiceReadings, fleet: Fleet, knowledge: Knowledge) -> bool:
    """A latency that misses its target tells nothing new while replicas are starting, if what one carries is known.

    Nor does it when they have just started: for a window it is that of fewer replicas.
    """
    known = knowledge.curves[one.signal].known and not knowledge.doubtful(fleet)
    return known and (fleet.pending > 0 or not knowledge.settled(readings, fleet))
