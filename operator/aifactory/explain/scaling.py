"""Why a role has the replicas that it has."""

from collections.abc import Iterator, Mapping
from datetime import timedelta

from aifactory.api.meta import format_duration, format_figures, format_percent
from aifactory.api.scalingstatus import (
    AlternativeStatus,
    CapacityStatus,
    DecisionStatus,
    ForecastStatus,
    RecommendationStatus,
    ScalingStatus,
)
from aifactory.api.spec import InferenceServiceSpec, Mode
from aifactory.autoscale.backlog import Promise
from aifactory.autoscale.bounds import Bounds
from aifactory.autoscale.decision import DecisionReason
from aifactory.autoscale.sentences import ROOM, by, why
from aifactory.autoscale.track import PRIOR_BINS
from aifactory.signals.objectives import LATENCIES, Signal
from aifactory.signals.readings import State
from aifactory.status.outlook import parsed

from .knobs import knobs
from .words import ago, counted, unread

_HALF = 50.0
_HARDLY_ANY = 0.05  # of a replica, which would be rounded to none


def scaling(
    title: str, spec: InferenceServiceSpec, bounds: Bounds, status: ScalingStatus | None, now: float
) -> Iterator[str]:
    """Decision, its grounds, what else could have been, and what went before; `now` is epoch seconds.

    `spec` is that of the role.
    """
    schedules = f" by schedule {', '.join(bounds.schedules)}" if bounds.schedules else ""
    budget = ", as far as the budget goes" if bounds.high_by is DecisionReason.BUDGET else ""
    yield f"{title}: {bounds.low} to {counted(bounds.high, 'replica')}{schedules}{budget}, {_mode(spec)}"
    if status is None or status.decision is None:
        yield "  Nothing has been decided yet: no signals have been read."
        return
    yield from _decision(status.decision, spec, now)
    if status.recommendations:
        yield f"  Each signal alone would choose{_legend(spec, status.recommendations)}:"
        yield from (f"    {one.signal}: {_answer(one)}" for one in status.recommendations)
    if status.capacity is not None:
        yield from _capacity(status.capacity, status.decision.to, status.learned)
    if status.forecast is not None:
        yield from _forecast(status.forecast, status.learned)
    if status.rejected:
        yield "  Not chosen:"
        yield from (f"    {_alternative(one, status.forecast)}" for one in status.rejected)
    yield from _history(status.history, now)


def _mode(spec: InferenceServiceSpec) -> str:
    """That of the whole service, unless it leaves scaling its own."""
    if spec.mode is not Mode.ACTIVE or spec.scaling is None:
        return f"spec.mode {spec.mode}"
    return f"mode {spec.scaling.mode}"


def _decision(decision: DecisionStatus, spec: InferenceServiceSpec, now: float) -> Iterator[str]:
    yield f"  {decision.reason}, since {decision.time} ({ago(decision.time, now)}): {decision.message.rstrip('.')}."
    if decision.limited_by and decision.limited_by != decision.reason:
        reason = why(decision.limited_by)
        yield f"  What limited it: {decision.limited_by}{f', {reason}' * bool(reason)}."
    if spec.scaling and (found := knobs(decision.limited_by or decision.reason, spec.scaling)):
        yield f"  That is set in {found}."


def _legend(spec: InferenceServiceSpec, answers: list[RecommendationStatus]) -> str:
    """What ratios and latencies are, where there are any."""
    late = any(one.ratio and one.signal == Signal.BACKLOG for one in answers)
    told = ["ratio: value / limit, averaged"] * any(one.ratio and one.signal != Signal.BACKLOG for one in answers)
    told += [_lateness(promise)] * late if (promise := Promise.of(spec)) else []
    measured = any(one.signal in LATENCIES and one.value for one in answers)
    promised = f"latencies: those of the promised {format_percent(spec.slo.attainment)} of requests"
    told += [f"{promised}, or of an objective's percentile where that is higher"] * measured
    return f" ({'; '.join(told)})" * bool(told)


def _lateness(promise: Promise) -> str:
    """What the ratio of a backlog is."""
    planned = format_duration(timedelta(seconds=promise.aimed))
    return (
        "ratio of the backlog: replicas that are needed / ready ones, or time of the longest queue / time that is "
        f"planned for, whichever is higher; {planned}, {promise.aimed / promise.within:.0%} of slo.completeWithin, is "
        "planned for, as queues are unequal"
    )


def _answer(one: RecommendationStatus) -> str:
    answer = "no number of replicas changes it" if one.replicas is None else counted(one.replicas, "replica")
    if one.signal == Signal.BACKLOG and one.value is None and one.state == State.OK:
        return f"not known before requests have waited in every replica for a while: {answer}"
    if one.cause and (rule := by(one.cause)):
        answer += f", {rule} ({one.cause})"
    if one.value is None or one.state != State.OK:
        return unread(one.state) if one.replicas is None else f"{unread(one.state)}: {answer}"
    against = f"{one.value} against {one.target}"
    if one.signal == Signal.THROUGHPUT:
        against = f"{one.value} tokens/s of at least {one.target} while requests wait"
    return f"{against}{_ratio(one)}: {answer}"


def _ratio(one: RecommendationStatus) -> str:
    if not one.ratio:
        return ""
    inverse = ", here limit / value" * (one.signal == Signal.THROUGHPUT)
    room = f" {ROOM}" * (one.signal == Signal.BACKLOG)
    return f", ratio {one.ratio}{inverse}{room}{_thresholds(one)}"


def _thresholds(one: RecommendationStatus) -> str:
    known = one.adds_above and one.removes_below
    return f" (more above {one.adds_above}, fewer below {one.removes_below})" if known else ""


def _limit_of(signal: str, learned: Mapping[str, str]) -> str:
    """What the law keeps a latency to: its target, or what replicas can do where that is out of their reach."""
    if f"unloaded.{signal}" in learned:
        return "takes twice as long as without any load: its target is out of reach"
    return "comes to its limit"


def _capacity(found: CapacityStatus, replicas: int, learned: Mapping[str, str]) -> Iterator[str]:
    load, each = parsed(found.tokens_per_second), parsed(found.tokens_per_second_per_replica)
    full = found.signal == Signal.BACKLOG
    yield (
        f"  One replica carries {found.tokens_per_second_per_replica} tokens/s of prompts and answers; "
        f"then {'it is full' if full else f'{found.signal} {_limit_of(found.signal, learned)}'}."
    )
    estimated = found.estimated_tokens_per_second_per_replica
    if estimated is not None and estimated != found.tokens_per_second_per_replica:
        yield f"  By estimate it carries {estimated}: replicas are added by that, and removed by what is trusted."
    confidence = parsed(found.confidence)
    assumed = ", as more is assumed than was seen" if confidence is not None and confidence < _HALF else ""
    yield f"  Confidence in that is {found.confidence}{assumed}."
    if load:
        yield f"  The load is {found.tokens_per_second} tokens/s{_fits(load / each) if each else ''}."
    if not full and each:
        yield from _together(replicas, each, parsed(estimated))


def _fits(replicas: float) -> str:
    if replicas < _HARDLY_ANY:
        return ": hardly any of what one replica carries"
    return f": as much as {replicas:.1f} replicas carry"


def _together(replicas: int, trusted: float, estimated: float | None) -> Iterator[str]:
    """What the chosen replicas carry, and what one fewer would; `trusted` and `estimated` are tokens/s of each."""
    if replicas < 2:
        return
    more = format_figures(replicas * (estimated or trusted))
    by_estimate = f" ({more} by estimate)" * (more != format_figures(replicas * trusted))
    yield (
        f"  {replicas} replicas carry {format_figures(replicas * trusted)} tokens/s{by_estimate}, "
        f"{replicas - 1} would carry {format_figures((replicas - 1) * trusted)}."
    )


def _forecast(found: ForecastStatus, learned: Mapping[str, str]) -> Iterator[str]:
    judged = parsed(learned.get(f"forecast.{found.model}.weight")) or 0.0
    error = f"were short by {found.error} of the load as a rule"
    if judged < PRIOR_BINS:
        error = f"are taken to be short by {found.error} of the load, as more of that is assumed than was seen"
    yield (
        f"  Within {found.horizon} up to {found.expected} tokens/s are expected. Forecasts of this kind "
        f"({found.model}) {error}."
    )
    if parsed(found.upper):
        yield (
            f"  Room is kept for {found.upper} tokens/s, as forecasts may be short; for more while the error budget "
            f"runs short. By load, latencies ask for {counted(found.replicas, 'replica')}."
        )


def _alternative(one: AlternativeStatus, forecast: ForecastStatus | None) -> str:
    """With the load of each replica, where that is what the prediction is about."""
    upper = parsed(forecast.upper) if forecast and one.predicted and one.signal in LATENCIES else None
    load = f", {format_figures(upper / one.replicas)} tokens/s each" if upper and one.replicas else ""
    return f"{counted(one.replicas, 'replica')}{load} ({one.reason}){f': {one.message}' * bool(one.message)}"


def _history(history: list[DecisionStatus], now: float) -> Iterator[str]:
    if not history:
        yield "  The operator has changed no replicas yet."
        return
    yield "  Last changes, newest first:"
    yield from (f"    {one.time} ({ago(one.time, now)}) {one.reason}: {one.message}{_limit(one)}" for one in history)


def _limit(one: DecisionStatus) -> str:
    return f" (limited by {one.limited_by})" * bool(one.limited_by)
