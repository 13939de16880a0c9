"""From a changed template to its promotion or its end."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from itertools import cycle, islice
from typing import Any

import pytest
from aifactory.api.rollout import CanarySpec, Pace, RolloutPhase, Track
from aifactory.canary.rollout import Deployed, Rollout, Seen, advance, goal, pursued
from aifactory.canary.split import Side, Split, shift
from aifactory.signals.objectives import Signal
from aifactory.signals.readings import State
from aifactory.signals.tracks import Tally, TrackObjective, TrackReadings
from hypothesis import given
from hypothesis import strategies as st

P = RolloutPhase
SPEC = CanarySpec(
    steps=[Decimal("0.1"), Decimal("0.5")], step_duration=timedelta(seconds=60), tolerance=Decimal("0.01")
)
START = 1000.0
GOOD = Tally(100, 100)


def stable(template: str = "old", replicas: int = 10, ready: int | None = None, settled: bool = True) -> Deployed:
    return Deployed(template, Side(replicas, replicas if ready is None else ready), settled)


def canary(template: str = "new", replicas: int = 1, ready: int | None = None, settled: bool = True) -> Deployed:
    return stable(template, replicas, ready, settled)


def seen(**changes: Any) -> Seen:
    """Ten replicas of the old template; the spec asks for a new one."""
    return replace(Seen("new", 10, stable()), **changes)


def tracks(now: float, canary: Tally = GOOD, state: State = State.OK, requests: float | None = None) -> TrackReadings:
    """What the last minute says, of a thousand good requests on the stable replicas."""
    objective = TrackObjective(Signal.TTFT, state, Tally(1000, 1000), canary)
    answered = {Track.STABLE: 1000.0, Track.CANARY: canary.total if requests is None else requests}
    return TrackReadings(now, 60, (objective,), answered)


def at(step: int = 0, since: float | None = None, phase: RolloutPhase = P.PROGRESSING) -> Rollout:
    return Rollout(phase, "new", step, since)


def go(before: Rollout | None, now: float = START, spec: CanarySpec | None = SPEC, **changes: Any) -> Rollout:
    after = advance(spec, before, seen(**changes), now)
    assert after is not None
    return after


def test_without_a_canary_in_the_spec_a_new_template_is_rolled_out_at_once() -> None:
    assert advance(None, None, seen(), START) is None


def test_a_new_template_begins_with_the_first_step() -> None:
    begun = go(None)
    assert (begun.phase, begun.step, begun.since) == (P.PROGRESSING, 0, None)
    assert goal(SPEC, begun, seen()) == Split(9, 1)


@pytest.mark.parametrize("there", [{"total": 0}, {"stable": stable(ready=0)}])
def test_where_nothing_serves_there_is_nothing_to_compare_with(there: dict[str, Any]) -> None:
    assert advance(SPEC, None, seen(**there), START) is None


@pytest.mark.parametrize(
    "track", [None, canary(ready=0), canary("earlier"), canary(settled=False)], ids=["absent", "loads", "old", "rolls"]
)
def test_a_step_is_not_measured_before_its_replicas_serve(track: Deployed | None) -> None:
    assert go(at(), canary=track).since is None


def test_a_step_is_measured_from_when_its_replicas_serve() -> None:
    assert go(at(), canary=canary()).since == START


def test_a_step_lasts_as_long_as_the_spec_says() -> None:
    good = tracks(START + 60)
    assert go(at(since=START), START + 59, canary=canary(), readings=good).step == 0
    assert go(at(since=START), START + 60, canary=canary(), readings=good).step == 1


def test_the_next_step_is_measured_anew() -> None:
    after = go(at(since=START), START + 60, canary=canary(), readings=tracks(START + 60))
    assert (after.since, after.requests, after.compared) == (None, None, ())
    old = tracks(START + 61)
    waiting = go(replace(after, since=START + 61), START + 500, canary=canary(replicas=5), readings=old)
    assert waiting.step == 1
    assert "Prometheus has not answered" in waiting.message


def test_after_the_last_step_all_replicas_get_the_template() -> None:
    after = go(at(step=1, since=START), START + 60, canary=canary(replicas=5), readings=tracks(START + 60))
    assert after.phase is P.PROMOTING


def test_a_canary_that_misses_by_far_is_not_kept_until_the_step_ends() -> None:
    back = go(at(since=START), START + 60, canary=canary(), readings=tracks(START + 60, Tally(10, 200)))
    assert back.phase is P.ROLLED_BACK
    assert goal(SPEC, back, seen(canary=canary())) == Split(10, 0)
    early = go(
        at(since=START), START + 61, SPEC.model_copy(update={"step_duration": timedelta(hours=1)}),
        canary=canary(), readings=tracks(START + 60, Tally(10, 200)),
    )  # fmt: skip
    assert early.phase is P.ROLLED_BACK


def test_a_canary_within_the_tolerance_goes_on() -> None:
    lenient = SPEC.model_copy(update={"tolerance": Decimal("0.1")})
    bad = tracks(START + 60, Tally(950, 1000))
    assert go(at(since=START), START + 60, canary=canary(), readings=bad).phase is P.ROLLED_BACK
    assert go(at(since=START), START + 60, lenient, canary=canary(), readings=bad).step == 1


def test_few_requests_are_waited_for_however_bad_they_are() -> None:
    after = go(at(since=START), START + 9000, canary=canary(), readings=tracks(START + 9000, Tally(0, 99)))
    assert (after.phase, after.step) == (P.PROGRESSING, 0)
    assert after.message == "waits for requests: the canary has answered 99 of 100"


def test_without_an_objective_that_both_sides_have_met_or_missed_it_waits() -> None:
    unseen = tracks(START + 60, Tally(), requests=200)
    after = go(at(since=START), START + 60, canary=canary(), readings=unseen)
    assert after.step == 0
    assert "no objective was observed on both" in after.message


def test_without_signals_it_waits() -> None:
    silent = tracks(START + 9000, Tally(), State.ERROR)
    for readings in (None, silent):
        after = go(at(since=START), START + 9000, canary=canary(), readings=readings)
        assert (after.phase, after.step) == (P.PROGRESSING, 0)
        assert "waits for signals" in after.message


def test_an_engine_that_measures_nothing_is_judged_by_readiness_and_says_so() -> None:
    blind = tracks(START + 60, Tally(), State.UNSUPPORTED, requests=0)
    during = go(
        at(since=START), START + 30, canary=canary(), readings=replace(blind, window_seconds=30, time=START + 30)
    )
    assert "by readiness and restarts alone" in during.message
    assert go(at(since=START), START + 60, canary=canary(), readings=blind).step == 1
    assert go(at(since=START), START + 60, canary=canary(ready=0), readings=blind).step == 0


def test_a_canary_that_cannot_serve_is_taken_back_at_once() -> None:
    back = go(at(), canary=canary(ready=0), failure="pod a: image not found")
    assert (back.phase, back.finished) == (P.ROLLED_BACK, START)
    assert back.message.startswith("pod a: image not found; change the spec to try again")


def test_a_canary_without_a_node_waits_and_says_so() -> None:
    after = go(at(), START + 90_000, canary=canary(ready=0), shortage="Insufficient nvidia.com/gpu")
    assert (after.phase, after.message) == (P.PROGRESSING, "waits for a node: Insufficient nvidia.com/gpu")


def test_a_template_that_was_taken_back_stays_so_and_another_is_tried() -> None:
    back = at(phase=P.ROLLED_BACK)
    assert go(back, canary=canary()) is back
    assert go(back) is back
    assert go(back, wanted="newer").phase is P.PROGRESSING


def test_another_template_begins_from_the_first_step() -> None:
    after = go(at(step=1, since=START), wanted="newer", canary=canary(replicas=5))
    assert (after.template, after.step, after.since) == ("newer", 0, None)


def test_the_template_of_the_stable_replicas_ends_a_canary() -> None:
    ends = go(at(since=START), wanted="old", canary=canary())
    assert ends.phase is P.WITHDRAWN
    assert goal(SPEC, ends, seen(wanted="old", canary=canary())) == Split(10, 0)
    assert advance(SPEC, ends, seen(wanted="old"), START) is None


def test_the_canary_serves_on_until_the_others_are_replaced() -> None:
    half = {"stable": stable("new", replicas=5, settled=False), "canary": canary(replicas=5)}
    assert go(at(phase=P.PROMOTING), **half).phase is P.PROMOTING
    assert goal(SPEC, at(phase=P.PROMOTING), seen(**half)) == Split(5, 5)
    done = {"stable": stable("new", replicas=5), "canary": canary(replicas=5)}
    assert go(at(phase=P.PROMOTING), **done) == go(at(phase=P.PROMOTING), **half), "a message that does not alternate"
    assert goal(SPEC, at(phase=P.PROMOTING), seen(**done)) == Split(10, 0)


def test_it_is_promoted_when_the_canary_has_gone_and_remembered_as_such() -> None:
    done = go(at(phase=P.PROMOTING), stable=stable("new"))
    assert (done.phase, done.finished) == (P.PROMOTED, START)
    assert go(done, START + 9, stable=stable("new")) is done
    assert go(at(phase=P.PROMOTING), stable=stable("new", settled=False)).phase is P.PROMOTING
    assert go(at(phase=P.PROMOTING), stable=stable("new", ready=9)).phase is P.PROMOTING


def test_taking_the_canary_out_of_the_spec_promotes_it_without_losing_replicas() -> None:
    after = go(at(since=START), spec=None, canary=canary(replicas=5), stable=stable(replicas=5))
    assert after.phase is P.PROMOTING
    assert goal(None, after, seen(canary=canary(replicas=5), stable=stable(replicas=5))) == Split(5, 5)
    assert goal(None, after, seen(canary=canary(replicas=5, ready=2), stable=stable(replicas=8))) == Split(8, 2)


LOADS = {"total": 1, "wanted": "newer", "stable": stable("new", 1, ready=0, settled=False), "canary": canary()}


def test_a_promotion_that_goes_on_while_the_canary_serves_alone_says_that_the_next_spec_is_tried_afterwards() -> None:
    before = at(phase=P.PROMOTING)
    there = pursued(SPEC, before, seen(**LOADS))
    after = advance(SPEC, before, there, START)
    assert there.overtaken
    assert after is not None
    assert (after.phase, after.template) == (P.PROMOTING, "new")
    assert after.message.endswith("then it goes; the spec that has changed since is tried after that")


@pytest.mark.parametrize("spec", [None, SPEC], ids=["no canary in the spec", "the replica cannot start"])
def test_a_promotion_that_does_not_end_or_need_not_keeps_no_other_spec_back(spec: CanarySpec | None) -> None:
    there = seen(**LOADS, stuck=spec is not None)
    assert pursued(spec, at(phase=P.PROMOTING), there) is there
    after = go(at(phase=P.PROMOTING), spec=spec, **LOADS)
    assert (after.phase, after.template) == (P.PROMOTING, "newer")
    assert after.message.startswith("the changed spec is not tried")


def test_steps_that_the_spec_no_longer_has_are_the_last_one() -> None:
    one = SPEC.model_copy(update={"steps": [Decimal("0.2")]})
    after = go(at(step=1, since=START), spec=one, canary=canary(replicas=5))
    assert after.step == 0
    assert goal(one, after, seen()) == Split(8, 2)


OBSERVED = st.builds(
    seen,
    wanted=st.sampled_from(["old", "new", "newer"]),
    total=st.integers(0, 20),
    stable=st.builds(stable, st.sampled_from(["old", "new"]), st.integers(0, 20), settled=st.booleans()),
    canary=st.none()
    | st.builds(canary, st.sampled_from(["old", "new", "newer"]), st.integers(0, 20), settled=st.booleans()),
    failure=st.sampled_from(["", "", "", "crashes"]),
    readings=st.none() | st.builds(tracks, st.floats(0, 1e6), st.builds(Tally, st.just(90), st.integers(90, 300))),
)


@given(st.lists(st.tuples(OBSERVED, st.floats(0, 600))))
def test_whatever_happens_somebody_is_asked_to_serve_and_steps_only_rise(history: list[tuple[Seen, float]]) -> None:
    now, before = START, None
    for there, seconds in history:
        now += seconds
        after = advance(SPEC, before, there, now)
        split = goal(SPEC, after, there)
        stands_in = there.total == split.canary == 1 and there.canary is not None
        assert split.stable > 0 or there.total == 0 or stands_in
        assert there.total <= split.stable + split.canary
        if after is None or after.phase is not P.PROMOTING:
            assert split.stable + split.canary <= max(there.total, 2 * min(1, there.total))
        same = before is not None and after is not None and before.template == after.template
        if same and before and after and before.phase is after.phase is P.PROGRESSING:
            assert before.step <= after.step <= before.step + 1
        if before and before.phase is P.ROLLED_BACK and there.wanted == before.template != there.stable.template:
            assert after is before or there.total == 0
        before = after


@given(
    st.integers(1, 6),
    st.integers(1, 3),
    st.integers(0, 3),
    st.lists(st.booleans(), min_size=1, max_size=5).filter(any),
    st.booleans(),
)
def test_every_canary_ends_without_going_back_and_forth(
    total: int, count: int, surge: int, loads: list[bool], good: bool
) -> None:
    """Pods become ready one by one, whenever they like; the Deployment replaces its pods likewise."""
    steps = [Decimal(step) / 10 for step in range(1, count + 1)]
    spec, pace = SPEC.model_copy(update={"steps": steps}), Pace(surge, 0 if surge else 1)
    old, new, trial = Side(total, total), Side(0, 0), Side(0, 0)
    before: Rollout | None = None
    now, history = START, []
    for pod_loads in islice(cycle(loads), 100 * total):
        now += 61
        promoting = before is not None and before.phase in (P.PROMOTING, P.PROMOTED)
        if promoting and old.replicas:
            old, new = _replaced(old, new)
        there = Seen(
            "new",
            total,
            Deployed("new" if promoting else "old", _sum(old, new), not (promoting and old.replicas)),
            Deployed("new", trial, settled=True) if trial.replicas else None,
            readings=tracks(now, GOOD if good else Tally(10, 100)),
        )
        before = advance(spec, before, there, now)
        assert before is not None
        split = shift(goal(spec, before, there), there.stable.side, trial, total, pace)
        history.append((before.phase, split))
        grown = split.stable - old.replicas - new.replicas
        old, new = (old, _resized(new, grown)) if promoting and grown > 0 else (_resized(old, grown), new)
        trial = _resized(trial, split.canary - trial.replicas)
        old, new, trial = (_one_ready(side, pod_loads) for side in (old, new, trial))
        if before.phase is P.PROMOTED or (before.phase is P.ROLLED_BACK and not trial.replicas):
            break
    assert before is not None
    assert before.phase is (P.PROMOTED if good else P.ROLLED_BACK)
    for phase in (P.PROMOTING, P.ROLLED_BACK):
        way = [split for at, split in history if at is phase]
        assert [split.stable for split in way] == sorted(split.stable for split in way)
        assert [split.canary for split in way] == sorted((split.canary for split in way), reverse=True)


def _sum(one: Side, other: Side) -> Side:
    return Side(one.replicas + other.replicas, one.ready + other.ready)


def _replaced(old: Side, new: Side) -> tuple[Side, Side]:
    """One pod of the old template gives way to one of the new."""
    return _resized(old, -1), _resized(new, 1)


def _resized(side: Side, by: int) -> Side:
    replicas = side.replicas + by
    return Side(replicas, min(side.ready, replicas))


def _one_ready(side: Side, happens: bool) -> Side:
    return Side(side.replicas, min(side.replicas, side.ready + happens))
