"""What a decision says of its grounds: each signal's answer, capacity, forecast, and what was rejected."""

from collections.abc import Iterator, Mapping
from math import isfinite

from aifactory.signals.objectives import Signal

from . import carrying
from .decision import Alternative, Answer, Capacity, Cause, DecisionReason, Forecast, Recommendation
from .knowledge import Knowledge
from .ratios import HIGHEST_RATIO, Measure
from .tick import Tick

_HIGHEST_PREDICTED = 100.0
# Rules that compare a ratio with the thresholds.
_BY_RATIO = (Cause.ABOVE_THRESHOLD, Cause.WITHIN_THRESHOLDS, Cause.CONSOLIDATION, Cause.QUEUE)


def recommendations(tick: Tick, answers: Mapping[Signal, Answer]) -> tuple[Recommendation, ...]:
    """What each signal alone would choose."""
    return tuple(_recommendation(tick, one, answers.get(one.signal)) for one in tick.measures)


def _recommendation(tick: Tick, one: Measure, answer: Answer | None) -> Recommendation:
    average, limit = tick.memory.averages.ratios.get(one.signal), _ratio_of_limit(tick, one)
    ratio = None if average is None else _of_limit(average, limit)
    if answer is None:
        return Recommendation(one.signal, one.state, one.value, one.target, ratio)
    bounds = tick.bounds(one) if answer.cause in _BY_RATIO else None
    return Recommendation(
        one.signal,
        one.state,
        one.value,
        one.target,
        ratio,
        answer.replicas,
        answer.cause,
        adds_above=bounds.up / limit if bounds else None,
        removes_below=bounds.down / limit if bounds else None,
    )


def _of_limit(average: float, limit: float) -> float:
    """Value / limit, cut off where that of a latency is."""
    return average if limit == 1 else min(HIGHEST_RATIO, average / limit)


def _ratio_of_limit(tick: Tick, one: Measure) -> float:
    """The ratio that the law gives to a signal at its limit: those that grow with load are scaled."""
    scaled = not one.latency and one.signal is not Signal.BACKLOG
    return float(tick.scaling.behavior.scale_up.threshold) if scaled else 1.0


def capacity(tick: Tick) -> Capacity | None:
    """What one replica carries by the signal that limits it most; None before anything was learned."""
    knowledge, limits = tick.memory.knowledge, _limits(tick)
    if not limits or tick.readings is None or knowledge.load is None:
        return None
    limit, one = min(limits, key=lambda found: found[0])
    line = knowledge.line(one, _each(tick))
    estimated = line if line is not None and isfinite(line) else None
    return Capacity(limit, knowledge.load, knowledge.curves[one.signal].confidence, one.signal, estimated)


def forecast(tick: Tick) -> Forecast | None:
    """The load to provide for, and what is asked for because of it; None before anything was learned."""
    expected, replicas = tick.expected, tick.by_load()
    if expected is None or replicas is None:
        return None
    return Forecast(
        model=expected.model,
        horizon_seconds=tick.memory.knowledge.horizon_seconds,
        value=expected.value,
        upper=expected.upper,
        error=expected.error,
        replicas=replicas,
    )


def rejected(
    tick: Tick, chosen: int, wanted: int, limited_by: DecisionReason | None, answer: Answer | None
) -> Iterator[Alternative]:
    """What all signals wanted, if something stood in the way, and one replica fewer, with what either would lead to.

    `answer` is what the decision goes by.
    """
    if limited_by is not None and wanted != chosen:
        yield Alternative(wanted, limited_by, *_worst(tick, wanted))
        if wanted < chosen:
            return
    fewer = chosen - 1
    signal, ratio = _worst(tick, fewer)
    if fewer >= max(tick.scaling.min_replicas, 1) and signal is not None:
        fits = ratio is not None and ratio < 1 and answer is not None and answer.replicas >= chosen
        cause = answer.cause if answer is not None and fits else None
        yield Alternative(fewer, DecisionReason.CONSOLIDATION_REFUSED, signal, ratio, cause)


def _worst(tick: Tick, replicas: int) -> tuple[Signal | None, float | None]:
    """The signal that would be nearest to its limit with so many replicas, and what it would be.

    Those that no number of replicas keeps say nothing of one.
    """
    expected, knowledge = tick.expected, tick.memory.knowledge
    if expected is None or not replicas:
        return None, None
    found = [
        (one.signal, _predicted(one, expected.upper / replicas, knowledge))
        for one in _known(tick)
        if not knowledge.unreachable(one)
    ]
    return max(found, key=lambda item: item[1], default=(None, None))


def _known(tick: Tick) -> list[Measure]:
    return [one for one in tick.measures if one.target and carrying.tells(one, tick.memory.knowledge)]


def _limits(tick: Tick) -> list[tuple[float, Measure]]:
    """What a replica may be trusted with by each signal, as `carrying` removes replicas."""
    found = ((tick.memory.knowledge.limit(one, _each(tick)), one) for one in _known(tick))
    return [(limit, one) for limit, one in found if limit]


def _each(tick: Tick) -> float:
    """Tokens per second of one replica now."""
    tokens = tick.readings.tokens if tick.readings else None
    return (tokens or 0.0) / tick.fleet.ready if tick.fleet.ready else 0.0


def _predicted(one: Measure, load: float, knowledge: Knowledge) -> float:
    """Latency / target under another load; far beyond what a replica carries it has no sensible value."""
    return min(_HIGHEST_PREDICTED, knowledge.curves[one.signal].at(load) / (one.target or 1.0))
