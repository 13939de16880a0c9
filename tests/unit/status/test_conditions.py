"""Conditions keep their history as every Kubernetes tool expects it."""

from aifactory.api.conditions import ConditionType, Reason
from aifactory.api.status import Condition
from aifactory.status.conditions import MESSAGE_LIMIT, Verdict, merge
from hypothesis import given
from hypothesis import strategies as st

BEFORE, NOW = "2026-01-01T00:00:00Z", "2026-01-01T00:05:00Z"


def verdict(status: bool | None, reason: Reason = Reason.AVAILABLE, message: str = "") -> Verdict:
    return Verdict(ConditionType.READY, status, reason, message)


def before(status: str) -> list[Condition]:
    return [Condition(type="Ready", status=status, reason="Creating", last_transition_time=BEFORE)]


def test_a_new_condition_starts_now():
    (merged,) = merge([], [verdict(None)], generation=3, now=NOW)
    assert (merged.type, merged.status, merged.reason) == ("Ready", "Unknown", "Available")
    assert (merged.observed_generation, merged.last_transition_time) == (3, NOW)


def test_a_changed_status_moves_the_time():
    (merged,) = merge(before("False"), [verdict(True)], 1, NOW)
    assert (merged.status, merged.last_transition_time) == ("True", NOW)


def test_a_changed_reason_or_message_does_not():
    (merged,) = merge(before("True"), [verdict(True, Reason.SCALED_TO_ZERO, "news")], 4, NOW)
    assert (merged.reason, merged.message, merged.last_transition_time) == ("ScaledToZero", "news", BEFORE)
    assert merged.observed_generation == 4


def test_a_condition_that_is_over_disappears():
    assert merge(before("True"), [], 1, NOW) == ()


def test_a_message_of_any_length_can_be_stored():
    (merged,) = merge([], [verdict(False, message="x" * 100_000)], 1, NOW)
    assert len(merged.message) == MESSAGE_LIMIT


STATUSES = st.lists(st.sampled_from([True, False, None]), min_size=1, max_size=20)


@given(STATUSES)
def test_the_time_is_always_that_of_the_first_report_of_the_present_status(statuses):
    known: tuple[Condition, ...] = ()
    since = 0
    for minute, status in enumerate(statuses):
        if minute and status != statuses[minute - 1]:
            since = minute
        known = merge(known, [verdict(status)], 1, f"minute {minute}")
        assert known[0].last_transition_time == f"minute {since}"
