"""Bounds of the number of replicas: those of the spec, of schedules by the clock, and of a budget."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from aifactory.api.inferenceservice import InferenceService
from aifactory.api.scaling import ScalingSpec
from aifactory.api.schedule import DAYS, Schedule
from aifactory.autoscale import sentences
from aifactory.autoscale.bounds import Bounds, bounds, bounds_of, holds, spec_in_force
from aifactory.autoscale.decision import Decision, Recommendation
from aifactory.autoscale.decision import DecisionReason as R
from aifactory.autoscale.memory import Memory
from aifactory.autoscale.role import decide_role
from aifactory.observed import Group, Pod, Workload
from aifactory.runtimes import Role, roles
from aifactory.signals.objectives import Signal
from aifactory.signals.readings import State
from aifactory.signals.snapshot import Snapshot
from hypothesis import given
from hypothesis import strategies as st

HOUR = 3600.0
ZONES = (
    *("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "America/Santiago"),
    *("Africa/Cairo", "Pacific/Chatham", "America/Havana", "Asia/Tokyo"),
)
CLOCK = st.times(min_value=time(0), max_value=time(23, 59)).map(lambda clock: clock.strftime("%H:%M"))
MOMENTS = st.integers(
    int(datetime(2020, 1, 1, tzinfo=UTC).timestamp()), int(datetime(2035, 1, 1, tzinfo=UTC).timestamp())
)


def changes(zone: str) -> list[float]:
    """When the clocks of a zone are changed in 2026, to the hour."""
    hours = [at("2026-01-01") + HOUR * hour for hour in range(8760)]
    offsets = [datetime.fromtimestamp(hour, ZoneInfo(zone)).utcoffset() for hour in hours]
    return [hours[i] for i, (one, other) in enumerate(pairwise(offsets), 1) if one != other]


def at(text: str, zone: str = "UTC") -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


def schedule(start: str = "08:00", end: str = "20:00", zone: str = "UTC", **more: Any) -> Schedule:
    return Schedule(name="day", start=start, end=end, time_zone=zone, **({"min_replicas": 4} | more))


def scaling(*schedules: Schedule, low: int = 2, high: int = 10, **more: Any) -> ScalingSpec:
    return ScalingSpec(min_replicas=low, max_replicas=high, schedules=list(schedules) or None, **more)


NOON, MIDNIGHT = at("2026-06-03 12:00"), at("2026-06-03 00:00")


def test_a_spec_without_schedules_or_budget_has_its_own_bounds():
    assert bounds(scaling(), 1, NOON) == Bounds(2, 10)


def test_a_schedule_counts_from_its_beginning_to_its_end():
    day = schedule("08:00", "20:00")
    moments = ("07:59", "08:00", "19:59", "20:00")
    assert [holds(day, at(f"2026-06-03 {moment}")) for moment in moments] == [False, True, True, False]


def test_a_night_belongs_to_the_day_on_which_it_begins():
    friday = schedule("22:00", "06:00", days=["Fri"])
    held = [
        holds(friday, at(f"2026-06-{day} {moment}"))
        for day, moment in (
            ("05", "05:00"),
            ("05", "21:59"),
            ("05", "22:00"),
            ("06", "05:59"),
            ("06", "06:00"),
            ("06", "23:00"),
        )
    ]
    assert held == [False, False, True, True, False, False]


def test_the_same_time_twice_is_a_whole_day():
    sunday = schedule("12:00", "12:00", days=["Sun"])
    moments = ("2026-06-07 11:59", "2026-06-07 12:00", "2026-06-08 11:59", "2026-06-08 12:00")
    assert [holds(sunday, at(moment)) for moment in moments] == [False, True, True, False]


def test_times_are_those_of_the_zone_summer_and_winter():
    berlin = schedule("08:00", "20:00", "Europe/Berlin")
    for day, utc in (("2026-01-15", "07:00"), ("2026-07-15", "06:00")):
        begins = at(f"{day} {utc}")
        assert (holds(berlin, begins - 1), holds(berlin, begins)) == (False, True)


def test_a_night_in_which_clocks_change_is_one_stretch():
    for night in ("2026-03-28", "2026-10-24"):
        begins = at(f"{night} 22:00", "Europe/Berlin")
        held = [holds(schedule("22:00", "02:30", "Europe/Berlin"), begins + 60 * minute) for minute in range(-60, 480)]
        assert [one != other for one, other in pairwise(held)].count(True) == 2


@given(CLOCK, CLOCK, st.sets(st.sampled_from(DAYS), min_size=1), MOMENTS)
def test_in_utc_it_is_plain_arithmetic(start, end, days, now):
    day = schedule(start, end, days=sorted(days))
    found = False
    for back in (0, 1):
        midnight = datetime.fromtimestamp(now, UTC).replace(hour=0, minute=0, second=0) - timedelta(days=back)
        begins, ends = (timedelta(hours=int(text[:2]), minutes=int(text[3:])) for text in (start, end))
        ends += timedelta(days=end <= start)
        found |= (
            DAYS[midnight.weekday()] in days and midnight + begins <= datetime.fromtimestamp(now, UTC) < midnight + ends
        )
    assert holds(day, now) == found


@pytest.mark.parametrize(
    ("start", "end", "begins", "ends"),
    [
        ("01:00", "02:30", "2026-10-24 23:00", "2026-10-25 01:30"),  # 02:30 is shown at 00:30 and at 01:30 UTC
        ("02:30", "04:00", "2026-10-25 00:30", "2026-10-25 03:00"),
        ("01:00", "02:30", "2026-03-29 00:00", "2026-03-29 01:30"),  # 02:30 is skipped at 01:00 UTC
        ("02:30", "04:00", "2026-03-29 00:30", "2026-03-29 02:00"),
    ],
)
def test_a_time_that_is_shown_twice_or_not_at_all_is_read_in_favour_of_the_schedule(start, end, begins, ends):
    berlin = schedule(start, end, "Europe/Berlin")
    edges = (at(begins) - 1, at(begins), at(ends) - 1, at(ends))
    assert [holds(berlin, moment) for moment in edges] == [False, True, True, False]


CHANGES = [(zone, moment) for zone in ZONES for moment in changes(zone)]


@st.composite
def near_a_change(draw: st.DrawFn) -> tuple[str, str, str, float]:
    """A zone, two times of its clock and a moment, all within hours of a change of clocks."""
    zone, moment = draw(st.sampled_from(CHANGES))
    minutes = st.integers(-180, 180)
    clocks = [datetime.fromtimestamp(moment + 60 * draw(minutes), ZoneInfo(zone)).strftime("%H:%M") for _ in range(2)]
    return zone, *clocks, moment + 60 * draw(minutes)


@given(st.tuples(st.sampled_from(ZONES), CLOCK, CLOCK, MOMENTS) | near_a_change())
def test_it_is_never_shorter_than_the_clock_says_and_longer_only_where_clocks_change(case):
    zone, start, end, now = case
    clock = datetime.fromtimestamp(now, ZoneInfo(zone)).strftime("%H:%M")
    by_the_clock = start <= clock < end if start < end else clock >= start or clock < end
    held = holds(schedule(start, end, zone), now)
    assert held or not by_the_clock
    if held and not by_the_clock:
        shift = datetime.fromtimestamp(now - 2 * HOUR, ZoneInfo(zone)).utcoffset()
        assert shift != datetime.fromtimestamp(now + 2 * HOUR, ZoneInfo(zone)).utcoffset()


def test_a_schedule_replaces_the_bounds_that_it_names():
    raised = bounds(scaling(schedule(min_replicas=4)), 1, NOON)
    assert raised == Bounds(4, 10, low_by=R.SCHEDULED_MINIMUM, schedules=("day",))
    lowered = bounds(scaling(schedule(min_replicas=1, max_replicas=3)), 1, NOON)
    assert (lowered.low, lowered.high, lowered.high_by) == (1, 3, R.SCHEDULED_MAXIMUM)
    assert bounds(scaling(schedule()), 1, MIDNIGHT) == Bounds(2, 10)


def test_of_several_schedules_the_highest_minimum_and_the_lowest_maximum_count():
    several = [schedule(min_replicas=low, max_replicas=high) for low, high in ((3, 9), (4, 8), (2, 12))]
    found = bounds(scaling(*[one.model_copy(update={"name": f"s{i}"}) for i, one in enumerate(several)]), 1, NOON)
    assert (found.low, found.high, found.schedules) == (4, 8, ("s0", "s1", "s2"))


def test_schedules_that_contradict_each_other_keep_the_maximum():
    often = schedule(min_replicas=6).model_copy(update={"name": "busy"})
    found = bounds(scaling(often, schedule(min_replicas=1, max_replicas=3)), 1, NOON)
    assert (found.low, found.high, found.low_by) == (3, 3, R.SCHEDULED_MAXIMUM)


def budget(**fields: Any) -> dict[str, Any]:
    return {"budget": fields}


@pytest.mark.parametrize(
    ("spent", "most"),
    [
        ({"gpus": 16}, 4),
        ({"gpus": 19}, 4),
        ({"gpus": 1000}, 10),
        ({"costPerHour": "40", "gpuCostPerHour": "2.50"}, 4),
        ({"costPerHour": "39.99", "gpuCostPerHour": "2.50"}, 3),
        ({"costPerHour": "0.3", "gpuCostPerHour": "0.025"}, 3),
        ({"gpus": 8, "costPerHour": "40", "gpuCostPerHour": "2.50"}, 2),
    ],
)
def test_a_budget_is_as_many_replicas_as_it_is_enough_for(spent, most):
    found = bounds(scaling(low=1, **budget(**spent)), 4, NOON)
    assert (found.low, found.high, found.unaffordable) == (1, most, None)
    assert found.high_by is (R.BUDGET if most < 10 else R.AT_MAXIMUM)


def test_a_budget_comes_before_the_minimum_which_is_told():
    found = bounds(scaling(low=5, **budget(gpus=12)), 4, NOON)
    assert (found.low, found.high, found.low_by, found.unaffordable) == (3, 3, R.BUDGET, 5)


def test_a_budget_that_is_just_enough_for_the_minimum_is_enough():
    found = bounds(scaling(low=3, **budget(gpus=12)), 4, NOON)
    assert (found.low, found.high, found.low_by, found.unaffordable) == (3, 3, R.AT_MINIMUM, None)


def test_a_budget_for_less_than_one_replica_leaves_one():
    found = bounds(scaling(low=1, **budget(gpus=4)), 8, NOON)
    assert (found.low, found.high, found.unaffordable) == (1, 1, 1)


def test_pods_without_gpus_cost_nothing():
    assert bounds(scaling(**budget(gpus=1)), 0, NOON) == Bounds(2, 10)


BOUND = st.integers(1, 50)
SCHEDULES = st.lists(st.tuples(CLOCK, CLOCK, st.sampled_from(ZONES), BOUND, BOUND), max_size=5)


@given(BOUND, BOUND, SCHEDULES, st.none() | st.integers(1, 200), st.integers(0, 16), MOMENTS)
def test_bounds_always_leave_a_number_of_replicas(one, other, schedules, gpus, each, now):
    found = bounds(
        scaling(
            *(
                Schedule(
                    name=f"s{i}", start=start, end=end, time_zone=zone, min_replicas=min(pair), max_replicas=max(pair)
                )
                for i, (start, end, zone, *pair) in enumerate(schedules)
            ),
            low=min(one, other),
            high=max(one, other),
            **(budget(gpus=gpus) if gpus else {}),
        ),
        each,
        now,
    )
    assert 1 <= found.low <= found.high
    if gpus and each:
        assert found.high * each <= gpus or found.high == 1


def role(**spec: Any) -> Role:
    manifest = {
        "metadata": {"name": "llama", "namespace": "chat"},
        "spec": {"model": {"name": "m"}, "runtime": {"engine": "vllm"}, "accelerator": {"count": 4}, "scaling": spec},
    }
    return roles(InferenceService.model_validate(manifest))[0]


DAY = {"name": "day", "start": "08:00", "end": "20:00", "minReplicas": 4, "maxReplicas": 6}


def group(replicas: int) -> Group:
    pods = tuple(Pod(name=f"pod-{number}", created_at=0.0, ready=True) for number in range(replicas))
    return Group(Workload(replicas=replicas), pods)


def decided(of: Role, replicas: int, now: float, memory: Memory = Memory()):  # noqa: B008
    return decide_role(of, (), Snapshot(now, 60.0), group(replicas), memory, now)


def test_replicas_follow_a_schedule_and_say_so():
    found = decided(role(maxReplicas=10, schedules=[DAY]), 1, NOON).decision
    assert (found.from_, found.to, found.reason, found.limited_by) == (1, 4, R.BOUNDS_CHANGED, R.SCHEDULED_MINIMUM)
    assert found.message.endswith("; schedule day")
    fewer = decided(role(maxReplicas=10, schedules=[DAY]), 9, NOON).decision
    assert (fewer.to, fewer.limited_by) == (6, R.SCHEDULED_MAXIMUM)


def test_a_budget_lowers_replicas_and_says_so():
    found = decided(role(maxReplicas=10, budget={"gpus": 8}), 5, NOON).decision
    assert (found.to, found.reason, found.limited_by) == (2, R.BOUNDS_CHANGED, R.BUDGET)


def test_bounds_of_the_spec_are_no_limit_worth_a_word():
    found = decided(role(minReplicas=3, maxReplicas=10), 1, NOON).decision
    assert (found.to, found.reason, found.limited_by) == (3, R.BOUNDS_CHANGED, None)


@pytest.mark.parametrize(
    ("spec", "reason", "said"),
    [
        ({"maxReplicas": 3}, R.AT_MAXIMUM, "3 replicas: timeToFirstToken; maxReplicas is reached"),
        (
            {"maxReplicas": 9, "schedules": [{**DAY, "minReplicas": 1, "maxReplicas": 3}]},
            R.SCHEDULED_MAXIMUM,
            "3 replicas: timeToFirstToken; maxReplicas of a schedule is reached; schedule day",
        ),
        ({"maxReplicas": 9, "budget": {"gpus": 12}}, R.BUDGET, "3 replicas: timeToFirstToken; the budget is used up"),
    ],
)
def test_a_service_that_wants_more_says_what_is_in_the_way(spec, reason, said):
    recommendation = Recommendation(Signal.TTFT, State.OK)
    message = sentences.message(3, 3, R.AT_MAXIMUM, Signal.TTFT, (recommendation,))
    refused = Decision(3, 3, R.AT_MAXIMUM, message, Signal.TTFT, R.AT_MAXIMUM, (recommendation,))
    found = bounds_of(role(**spec), NOON).explained(refused)
    assert (found.reason, found.limited_by, found.message) == (reason, reason, said)


def test_a_step_that_a_schedule_cuts_short_names_it():
    up = Decision(1, 3, R.SCALE_UP, "1 -> 3 replicas", limited_by=R.AT_MAXIMUM)
    found = bounds_of(role(maxReplicas=9, schedules=[{**DAY, "minReplicas": 1, "maxReplicas": 3}]), NOON).explained(up)
    assert (found.reason, found.limited_by, found.message) == (
        *(R.SCALE_UP, R.SCHEDULED_MAXIMUM),
        "1 -> 3 replicas; schedule day",
    )


def test_the_beginning_of_a_schedule_begins_no_new_watch_and_a_changed_one_does():
    one = role(maxReplicas=10, schedules=[{**DAY, "minReplicas": 1}])
    memory = decided(one, 3, at("2026-06-03 07:59:45")).memory
    watched = memory.watched_since
    memory = decided(one, 3, at("2026-06-03 08:00"), memory).memory
    assert memory.watched_since == watched
    changed = role(maxReplicas=10, schedules=[{**DAY, "minReplicas": 2}])
    assert decided(changed, 3, at("2026-06-03 08:00:15"), memory).memory.watched_since > watched


def test_the_spec_in_force_is_the_one_of_the_moment():
    one = role(maxReplicas=10, schedules=[DAY])
    assert spec_in_force(one, NOON).initial_replicas == 4
    assert spec_in_force(one, MIDNIGHT) is one.spec
    assert spec_in_force(replace(one, accelerated=False), MIDNIGHT) is one.spec
