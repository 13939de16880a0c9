"""Replicas that carry a load, by what was learned of one replica."""

from dataclasses import replace

from aifactory.signals.readings import ServiceReadings

from . import sizing
from .curve import Curve
from .decision import Answer, Cause, Load
from .demand import Expectation
from .fleet import Fleet
from .knowledge import Knowledge
from .ratios import Measure

# Below this share of its target a latency tells too little of where it will be reached to add replicas in advance, and
# below the second one while most of its slope is assumed.
_FAR = 0.25
_NEAR = 0.5
# Below this share it tells nothing at all of what a replica carries while most of its slope is assumed.
_NOTHING = 0.05


def tells(one: Measure, knowledge: Knowledge) -> bool:
    """Something was learned of a signal that counts: of a cache only while it is not far from full."""
    curve = knowledge.curves.get(one.signal)
    return curve is not None and (one.latency or _near(one, curve))


def _near(one: Measure, curve: Curve) -> bool:
    return (one.ratio or 0.0) >= (_FAR if curve.known else _NEAR)


def carried(
    one: Measure, readings: ServiceReadings, fleet: Fleet, knowledge: Knowledge, expected: Expectation
) -> Answer | None:
    """Those that carry the load that there is or may come; None where the latency does not depend on load.

    Replicas are added by what is estimated, and removed by what is trusted, which is less. Those that do not start in
    time carry nothing.
    """
    now, each = knowledge.load or 0.0, (readings.tokens or 0.0) / fleet.ready
    trusted, estimated = knowledge.limit(one, each), knowledge.line(one, each)
    if trusted is None or estimated is None:
        return None
    ahead = knowledge.horizon_seconds if expected.upper > now else None
    load = max(now, expected.upper)
    curve = knowledge.curves[one.signal]
    adding = Load(load, estimated, ahead) if _near(one, curve) else Load(now, estimated)
    keeping = Load(load, trusted, ahead)
    more, fewer = (sizing.fitting(found.tokens, found.each) for found in (adding, keeping))
    if more > fleet.replicas and (curve.known or (one.ratio or 0.0) >= _NOTHING):
        return _answer(more, adding, fleet)
    if fewer > fleet.replicas:
        return _answer(fleet.replicas, keeping, fleet, Cause.UNPROVEN)
    return _answer(fewer, keeping, fleet)


def _answer(replicas: int, load: Load, fleet: Fleet, cause: Cause | None = None) -> Answer:
    load = replace(load, lost=fleet.lost)
    if fleet.lost and replicas <= fleet.replicas <= replicas + fleet.lost:
        return Answer(replicas + fleet.lost, Cause.STAND_IN, load)
    by_load = Cause.PRESENT_LOAD if load.horizon_seconds is None else Cause.EXPECTED_LOAD
    return Answer(replicas + fleet.lost, cause or by_load, load)


def awaited(one: Measure, readings: ServiceReadings, fleet: Fleet, knowledge: Knowledge) -> bool:
    """A latency that misses its target tells nothing new while replicas are starting, if what one carries is known.

    Nor does it when they have just started: for a window it is that of fewer replicas, and as long as their queue is
    worked off.
    """
    if knowledge.relieved(readings, fleet):
        return True
    known = knowledge.curves[one.signal].known and not knowledge.doubtful(fleet)
    return known and (fleet.pending > 0 or not knowledge.settled(readings, fleet))
