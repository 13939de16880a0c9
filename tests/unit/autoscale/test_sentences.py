"""Decisions in words: what a person has to know to believe them."""

import pytest
from aifactory.autoscale.decision import Answer, Cause, DecisionReason, Load, Recommendation
from aifactory.autoscale.sentences import by, message
from aifactory.signals.objectives import Signal
from aifactory.signals.readings import State

from tests.unit.autoscale.service import Service, Watch, readings, run, spec, steady

EXPECTED = Answer(2, Cause.EXPECTED_LOAD, Load(1013.0, 605.4, 18.2))
PRESENT = Answer(2, Cause.PRESENT_LOAD, Load(2000.0, 605.4))


def told(from_: int, to: int, reason: DecisionReason, answer: Answer | None, value: float = 0.083) -> str:
    """Of a service whose latency is so many seconds, of 500 ms that are allowed."""
    answers = (Recommendation(Signal.TTFT, State.OK, value, 0.5, value / 0.5, to),)
    return message(from_, to, reason, Signal.TTFT if to > from_ else None, answers, answer)


def test_replicas_that_are_added_for_load_are_explained_by_it_whatever_the_latency() -> None:
    load = "room is kept for 1010 tokens/s within 18s, one replica carries 605"
    assert told(1, 2, DecisionReason.SCALE_UP, EXPECTED) == (
        f"1 -> 2 replicas: {load}; timeToFirstToken 83ms against 500ms, ratio 0.17"
    )
    assert told(1, 2, DecisionReason.SCALE_UP, EXPECTED, 0.6).startswith(f"1 -> 2 replicas: {load};")


def test_replicas_that_are_added_for_a_missed_target_are_explained_by_its_ratio() -> None:
    assert told(1, 2, DecisionReason.SCALE_UP, Answer(2, Cause.TARGET_MISSED), 0.6) == (
        "1 -> 2 replicas: timeToFirstToken 600ms against 500ms, ratio 1.20; grown by the ratio, as the target is missed"
    )


def test_a_load_above_all_that_is_expected_counts() -> None:
    assert "-> 2 replicas: the load is 2000 tokens/s, one replica carries 605;" in told(
        1, 2, DecisionReason.SCALE_UP, PRESENT
    )


def test_replicas_that_are_removed_are_explained_by_the_load_as_well() -> None:
    assert told(3, 2, DecisionReason.SCALE_DOWN, EXPECTED) == (
        "3 -> 2 replicas: no signal has asked for so many for the whole stabilization window; "
        "room is kept for 1010 tokens/s within 18s, one replica carries 605"
    )


def test_what_only_follows_the_window_names_no_cause() -> None:
    assert told(3, 2, DecisionReason.SCALE_DOWN, None).endswith("for the whole stabilization window")


def test_where_all_is_well_only_what_keeps_replicas_is_told() -> None:
    assert told(2, 2, DecisionReason.WITHIN_TARGET, EXPECTED) == "2 replicas: every signal is where it should be"
    kept = Answer(2, Cause.TAKEN_BACK)
    assert told(2, 2, DecisionReason.WITHIN_TARGET, kept) == (
        "2 replicas: every signal is where it should be; as fewer had to be taken back under such a load"
    )


def test_a_replica_that_is_kept_names_the_load_and_what_fewer_would_carry() -> None:
    load = Answer(3, Cause.EXPECTED_LOAD, Load(1512.0, 605.4, 18.2))
    assert told(3, 3, DecisionReason.CONSOLIDATION_REFUSED, load) == (
        "3 replicas: the load would not fit on fewer replicas; "
        "room is kept for 1510 tokens/s within 18s, one replica carries 605, 2 would carry 1210"
    )
    assert told(2, 2, DecisionReason.CONSOLIDATION_REFUSED, EXPECTED).endswith("one replica carries 605")


def test_replicas_that_are_kept_for_want_of_proof_name_the_load_and_what_one_is_trusted_with() -> None:
    unproven = Answer(2, Cause.UNPROVEN, Load(1300.0, 605.4))
    assert told(2, 2, DecisionReason.WITHIN_TARGET, unproven) == (
        "2 replicas: every signal is where it should be; the load is 1300 tokens/s, one replica is trusted with 605; "
        "as fewer have not proven yet that they carry the load"
    )


def test_replicas_that_carry_nothing_are_not_told_as_load() -> None:
    lost = Answer(3, Cause.STAND_IN, Load(1013.0, 605.4, 18.2, lost=1))
    assert told(3, 3, DecisionReason.CONSOLIDATION_REFUSED, lost) == (
        "3 replicas: the load would not fit on fewer replicas; room is kept for 1010 tokens/s within 18s, "
        "one replica carries 605, not counting 1 stuck or not started; "
        "with those that stand in for others that are stuck or do not start"
    )


@pytest.mark.parametrize(
    ("value", "ratio", "shown"),
    [(0.62, 1.24, "1.24"), (0.62, 1.11, "1.11 (average)"), (1.24, 1.59, "1.59 (average, cut off at 2)")],
)
def test_a_ratio_that_is_not_that_of_the_value_beside_it_is_said_to_be_an_average(
    value: float, ratio: float, shown: str
) -> None:
    answers = (Recommendation(Signal.TTFT, State.OK, value, 0.5, ratio, 2),)
    assert message(1, 2, DecisionReason.SCALE_UP, Signal.TTFT, answers).endswith(f"against 500ms, ratio {shown}")


@pytest.mark.parametrize("cause", list(Cause))
def test_every_cause_has_words(cause: Cause) -> None:
    assert by(cause)
    assert told(1, 2, DecisionReason.SCALE_UP, Answer(2, cause))


def test_a_cause_of_another_version_has_none() -> None:
    assert by("MoonPhase") == ""


@pytest.mark.parametrize(("fullest", "by"), [(0.15, Signal.TTFT), (0.6, Signal.KV_CACHE_USAGE)])
def test_what_a_replica_carries_is_told_by_a_cache_only_where_that_is_not_far_from_full(
    fullest: float, by: Signal
) -> None:
    watch = Watch(steady(2), spec(max_replicas=20))
    for load in (0.2, 0.3, 0.4, 0.5):
        rates = {"completed": 10 * load, "tokens": 1000 * load, "prompts": 10_000 * load}
        seen = readings(pods=2, ttft=0.05 / (1 - load), waiting=0.0, running=8.0, kv=fullest * 8 * load**3, **rates)
        decision = watch.see(seen, 600)
    assert decision.capacity is not None
    assert decision.capacity.signal is by
    assert {one.signal for one in decision.rejected} == {by}


def test_a_number_of_replicas_is_rejected_once_with_all_that_is_known_of_it() -> None:
    decisions = run(Service(learns=True), spec(max_replicas=10), (900, 2.0), (900, 12.0), (1800, 6.0))
    for decision in decisions:
        numbers = [one.replicas for one in decision.rejected]
        assert len(set(numbers)) == len(numbers)
    rejected = [one for decision in decisions[60:] for one in decision.rejected]
    assert {one.signal for one in rejected} == {Signal.TTFT, Signal.KV_CACHE_USAGE}
    assert {one.reason for one in rejected} >= {
        DecisionReason.STABILIZATION_WINDOW,
        DecisionReason.CONSOLIDATION_REFUSED,
    }
