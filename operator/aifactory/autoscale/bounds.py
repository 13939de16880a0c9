"""The bounds of the number of replicas that are in force: those of the spec, its schedules and its budget."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from aifactory.api.budget import Budget
from aifactory.api.scaling import ScalingSpec
from aifactory.api.schedule import DAYS, Schedule
from aifactory.api.spec import InferenceServiceSpec
from aifactory.runtimes import Role

from . import sentences
from .decision import Decision, DecisionReason

R = DecisionReason
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Bounds:
    """Fewest and most replicas (low <= high, high at least 1), what each comes from, and schedules by name.

    `unaffordable` is the minimum that the budget is too small for, and `asked_by` what it comes from.
    """

    low: int
    high: int
    low_by: DecisionReason = R.AT_MINIMUM
    high_by: DecisionReason = R.AT_MAXIMUM
    schedules: tuple[str, ...] = ()
    unaffordable: int | None = None
    asked_by: DecisionReason = R.AT_MINIMUM

    def applied(self, scaling: ScalingSpec) -> ScalingSpec:
        """The spec with these bounds."""
        if (self.low, self.high) == (scaling.min_replicas, scaling.max_replicas):
            return scaling
        return scaling.model_copy(update={"min_replicas": self.low, "max_replicas": self.high})

    def explained(self, decision: Decision) -> Decision:
        """A decision that was taken within these bounds, with where they come from."""
        causes = {R.AT_MINIMUM: self.low_by, R.AT_MAXIMUM: self.high_by}
        reason = causes.get(decision.reason, decision.reason)
        limit = causes.get(decision.limited_by, decision.limited_by) if decision.limited_by else None
        if decision.reason is R.BOUNDS_CHANGED:
            limit = self.low_by if decision.to > decision.from_ else self.high_by
            limit = None if limit in causes else limit
        if (reason, limit) == (decision.reason, decision.limited_by):
            return decision
        message = decision.message
        if reason is not decision.reason:
            message = sentences.message(
                decision.from_, decision.to, reason, decision.signal, decision.recommendations, decision.answer
            )
        if limit in SCHEDULED or reason in SCHEDULED:
            message += f"; schedule {', '.join(self.schedules)}"
        return replace(decision, reason=reason, limited_by=limit, message=message)


SCHEDULED = {R.SCHEDULED_MINIMUM: "minReplicas", R.SCHEDULED_MAXIMUM: "maxReplicas"}
"""Bounds that are those of a schedule, and its field."""


def bounds(scaling: ScalingSpec, gpus: int, now: float) -> Bounds:
    """What counts at `now` (epoch seconds) where a replica has `gpus` GPUs.

    Of schedules that hold at the same time, the highest minimum and the lowest maximum count, and a maximum before a
    minimum above it. A budget is kept before any minimum, but one replica stays.
    """
    if not scaling.schedules and scaling.budget is None:
        return Bounds(scaling.min_replicas, scaling.max_replicas)
    active = [one for one in scaling.schedules or () if holds(one, now)]
    lows = [one.min_replicas for one in active if one.min_replicas is not None]
    highs = [one.max_replicas for one in active if one.max_replicas is not None]
    found = Bounds(
        max(lows, default=scaling.min_replicas),
        min(highs, default=scaling.max_replicas),
        R.SCHEDULED_MINIMUM if lows else R.AT_MINIMUM,
        R.SCHEDULED_MAXIMUM if highs else R.AT_MAXIMUM,
        tuple(one.name for one in active),
    )
    if found.low > found.high:
        found = replace(found, low=found.high, low_by=found.high_by)
    most = affordable(scaling.budget, gpus) if scaling.budget and gpus else None
    return found if most is None or most >= found.high else _afforded(found, most)


def _afforded(found: Bounds, most: int) -> Bounds:
    fewest = max(1, found.low)
    if most >= fewest:
        return replace(found, high=most, high_by=R.BUDGET)
    kept = max(1, most)
    low, by = (kept, R.BUDGET) if found.low > kept else (found.low, found.low_by)
    asked = replace(found, unaffordable=fewest, asked_by=found.low_by)
    return replace(asked, low=low, high=kept, low_by=by, high_by=R.BUDGET)


def affordable(budget: Budget, gpus: int) -> int | None:
    """Replicas of `gpus` GPUs (at least 1) that a budget is enough for."""
    limits = [] if budget.gpus is None else [budget.gpus // gpus]
    if budget.cost_per_hour is not None and budget.gpu_cost_per_hour is not None:
        limits.append(int(budget.cost_per_hour // (budget.gpu_cost_per_hour * gpus)))
    return min(limits, default=None)


def bounds_of(role: Role, now: float) -> Bounds | None:
    """What counts for a role; None where its size is fixed."""
    scaling, gpus = role.spec.scaling, role.spec.accelerator.gpus if role.accelerated else 0
    return None if scaling is None else bounds(scaling, gpus, now)


def spec_in_force(role: Role, now: float) -> InferenceServiceSpec:
    """The spec of a role with the bounds that count at `now`."""
    spec, found = role.spec, bounds_of(role, now)
    if spec.scaling is None or found is None:
        return spec
    scaling = found.applied(spec.scaling)
    return spec if scaling is spec.scaling else spec.model_copy(update={"scaling": scaling})


def holds(schedule: Schedule, now: float) -> bool:
    """Whether it is the time of a schedule.

    Each day's time is one stretch. On the day that clocks are changed, a beginning or end that the clock shows twice or
    skips is taken as early or late as it can be read, so that the stretch may be longer and is never shorter.
    """
    zone = ZoneInfo(schedule.time_zone)
    today = datetime.fromtimestamp(now, zone).date()
    return any(_within(schedule, day, zone, now) for day in (today - _DAY, today))


def _within(schedule: Schedule, day: date, zone: ZoneInfo, now: float) -> bool:
    if DAYS[day.weekday()] not in schedule.days:
        return False
    last = day if schedule.ends > schedule.begins else day + _DAY
    return min(_readings(day, schedule.begins, zone)) <= now < max(_readings(last, schedule.ends, zone))


def _readings(day: date, clock: time, zone: ZoneInfo) -> Iterable[float]:
    """Epoch seconds that a time of the clock can mean."""
    return (datetime.combine(day, clock.replace(fold=fold), zone).timestamp() for fold in (0, 1))
