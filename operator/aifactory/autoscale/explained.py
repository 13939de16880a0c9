"""What a decision says about what was learned: capacity, forecast and the numbers of replicas that were rejected."""

from collections.abc import Iterator

from aifactory.signals.objectives import Signal
from aifactory.signals.readings import ServiceReadings

from .decision import Alternative, Capacity, DecisionReason, Forecast
from .demand import Expectation
from .knowledge import Knowledge
from .ratios import Measure
from .sizing import fitting

_HIGHEST_PREDICTED = 100.0


def capacity(measures: tuple[Measure, ...], readings: ServiceReadings | None, knowledge: Knowledge) -> Capacity | None:
    """What one replica carries by the signal that limits it most; None before anything was learned."""
    limits = _limits(measures, knowledge)
    if not limits or readings is None or knowledge.load is None:
        return None
    limit, one = min(limits, key=lambda found: found[0])
    return Capacity(limit, knowledge.load, knowledge.curves[one.signal].confidence, one.signal)


def forecast(measures: tuple[Measure, ...], knowledge: Knowledge, expected: Expectation | None) -> Forecast | None:
    """The load to provide for, and what that takes; None before anything was learned."""
    limits = _limits(measures, knowledge)
    if not limits or expected is None:
        return None
    return Forecast(
        model=expected.model,
        horizon_seconds=knowledge.horizon_seconds,
        value=expected.value,
        upper=expected.upper,
        error=expected.shortfall / expected.value if expected.value else 0.0,
        replicas=fitting(expected.upper, min(limit for limit, _ in limits)),
    )


def rejected(
    chosen: int,
    wanted: int,
    limited_by: DecisionReason | None,
    fewest: int,
    measures: tuple[Measure, ...],
    expected: Expectation | None,
    knowledge: Knowledge,
) -> Iterator[Alternative]:
    """What all signals wanted, if something stood in the way, and one replica fewer, with what either would lead to."""
    if limited_by is not None and wanted != chosen:
        yield Alternative(wanted, limited_by, *_worst(measures, expected, knowledge, wanted))
        if wanted < chosen:
            return
    fewer = chosen - 1
    signal, ratio = _worst(measures, expected, knowledge, fewer)
    if fewer >= max(fewest, 1) and signal is not None:
        yield Alternative(fewer, DecisionReason.CONSOLIDATION_REFUSED, signal, ratio)


def _worst(
    measures: tuple[Measure, ...], expected: Expectation | None, knowledge: Knowledge, replicas: int
) -> tuple[Signal | None, float | None]:
    """The signal that would be nearest to its limit with so many replicas, and what it would be."""
    if expected is None or not replicas:
        return None, None
    found = [(one.signal, _predicted(one, expected.upper / replicas, knowledge)) for one in _known(measures, knowledge)]
    return max(found, key=lambda item: item[1], default=(None, None))


def _known(measures: tuple[Measure, ...], knowledge: Knowledge) -> list[Measure]:
    return [one for one in measures if one.signal in knowledge.curves and one.target]


def _limits(measures: tuple[Measure, ...], knowledge: Knowledge) -> list[tuple[float, Measure]]:
    found = ((knowledge.limit(one), one) for one in _known(measures, knowledge))
    return [(limit, one) for limit, one in found if limit]


def _predicted(one: Measure, load: float, knowledge: Knowledge) -> float:
    """Latency / target under another load; far beyond what a replica carries it has no sensible value."""
    return min(_HIGHEST_PREDICTED, knowledge.curves[one.signal].latency_at(load) / (one.target or 1.0))
