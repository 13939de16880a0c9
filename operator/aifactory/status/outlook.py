"""What scaling has learned and expects, as text that a wobbling last digit does not change."""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from math import isfinite

from aifactory.api.meta import format_duration, format_figures, parse_duration
from aifactory.api.scalingstatus import AlternativeStatus, CapacityStatus, ForecastStatus
from aifactory.autoscale.decision import Alternative, Capacity, DecisionReason, Forecast
from aifactory.autoscale.sentences import by, why

REJECTED = 8
# A number stays as written while it is this near to it: a share of it, or one token per second or percentage point.
_WOBBLE = 0.05
_LEAST_CHANGE = 1.0
_RATIO_CHANGE = 0.05
# How far beyond its limit something would be no longer matters.
_FAR_BEYOND = 10


def capacity(found: Capacity | None, before: CapacityStatus | None) -> CapacityStatus | None:
    """What one replica carries; None where that is not known."""
    if found is None or not all(map(isfinite, (found.per_replica, found.load, found.confidence))):
        return None
    known = dict(before) if before and before.signal == found.signal else {}
    return CapacityStatus(
        tokens_per_second_per_replica=_number(found.per_replica, known.get("tokens_per_second_per_replica")),
        estimated_tokens_per_second_per_replica=_estimate(found, known.get("estimated_tokens_per_second_per_replica")),
        tokens_per_second=_number(found.load, known.get("tokens_per_second")),
        confidence=_points(found.confidence, known.get("confidence")),
        signal=found.signal,
    )


def _estimate(found: Capacity, before: str | None) -> str | None:
    known = found.estimated is not None and isfinite(found.estimated)
    return _number(found.estimated or 0.0, before) if known else None


def forecast(found: Forecast | None, before: ForecastStatus | None) -> ForecastStatus | None:
    """What is expected; None without a forecast."""
    numbers = (found.horizon_seconds, found.value, found.upper, found.error) if found else ()
    if found is None or not all(map(isfinite, numbers)):
        return None
    known = dict(before) if before and before.model == found.model else {}
    return ForecastStatus(
        model=found.model,
        horizon=_horizon(found.horizon_seconds, known.get("horizon")),
        expected=_number(found.value, known.get("expected")),
        upper=_number(found.upper, known.get("upper")),
        error=_points(found.error, known.get("error")),
        replicas=found.replicas,
    )


def rejected(found: Iterable[Alternative], before: Iterable[AlternativeStatus]) -> list[AlternativeStatus]:
    """What was not chosen, as the law has it first; bounded."""
    known = {_name(one): one for one in before}
    return [_alternative(one, known.get(_name(one))) for one in tuple(found)[:REJECTED]]


def _name(one: Alternative | AlternativeStatus) -> tuple[int, str, str | None, str | None]:
    return one.replicas, one.reason, one.signal, one.cause


def parsed(text: str | None) -> float | None:
    """A number of a status, without its percent sign; None if it is none."""
    try:
        value = float((text or "").removesuffix("%"))
    except ValueError:
        return None
    return value if isfinite(value) else None


def _alternative(one: Alternative, before: AlternativeStatus | None) -> AlternativeStatus:
    ratio = one.ratio if one.ratio is not None and isfinite(one.ratio) else None
    if before and _near(ratio, parsed(before.predicted)):
        return before
    return AlternativeStatus(
        replicas=one.replicas,
        reason=one.reason,
        signal=one.signal,
        predicted=None if ratio is None else f"{ratio:.2f}",
        cause=one.cause,
        message="; ".join(_grounds(one, ratio)),
    )


def _grounds(one: Alternative, ratio: float | None) -> Iterator[str]:
    """What would become of a signal, and what stood in the way if that did not."""
    predicted = ratio is not None and one.signal is not None
    if not (predicted and one.reason is DecisionReason.CONSOLIDATION_REFUSED):
        yield why(one.reason)
    if ratio is not None and one.signal is not None:
        share = f"{ratio:.0%} of" if ratio < _FAR_BEYOND else f"more than {_FAR_BEYOND} times"
        yield f"{one.signal} would come to {share} its limit"
    if one.cause is not None:
        yield f"more are wanted, {by(one.cause)}"


def _near(one: float | None, other: float | None) -> bool:
    return one is other if one is None or other is None else abs(one - other) < _RATIO_CHANGE


def _number(value: float, before: str | None) -> str:
    """Three figures."""
    return _kept(value, before) or format_figures(value)


def _points(share: float, before: str | None) -> str:
    """A share as a whole percentage."""
    return _kept(share * 100, before) or f"{share:.0%}"


def _kept(value: float, before: str | None) -> str | None:
    """What is written, while it is nearly true."""
    written = parsed(before)
    near = written is not None and abs(value - written) <= max(_LEAST_CHANGE, _WOBBLE * abs(written))
    return before if near else None


def _horizon(seconds: float, before: str | None) -> str:
    try:
        written = parse_duration(before).total_seconds()
    except ValueError:
        written = -1.0
    near = abs(seconds - written) <= max(_LEAST_CHANGE, _WOBBLE * written)
    return before if before and near else format_duration(timedelta(seconds=round(seconds)))
