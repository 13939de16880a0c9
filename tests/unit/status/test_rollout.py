"""What a user reads of a canary, and what the next process remembers from it."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from aifactory.api.rollout import CanarySpec, RolloutPhase, RolloutStatus
from aifactory.canary import Rollout, Split, Staged
from aifactory.canary.judgement import Comparison
from aifactory.signals.objectives import Signal
from aifactory.signals.tracks import Tally
from aifactory.status.report import dump, steady
from aifactory.status.rollout import events, recalled, told

from .scene import NO_GPUS, NOON, Life, condition, serving, without_node, workload

P = RolloutPhase
SPEC = CanarySpec()
AT = Rollout(
    P.PROGRESSING,
    "0123",
    step=1,
    since=NOON,
    message="is measured for 10m",
    requests=(900, 100),
    compared=(Comparison(Signal.TTFT, Tally(899, 900), Tally(97, 100)),),
)


def tell(at: Rollout | None = AT, before: RolloutStatus | None = None) -> RolloutStatus:
    found = told(SPEC, Staged(Split(5, 5), at, exists=True), before)
    assert found is not None
    return found


def look(phase: RolloutPhase, message: str = "", **life: Any) -> Life:
    """A service whose replicas serve while its canary is there."""
    one = Life(**life)
    one.look(workload(), *serving(), rollout=tell(replace(AT, phase=phase, message=message)))
    return one


def test_the_status_has_step_share_counts_and_attainment() -> None:
    assert tell().model_dump(mode="json", by_alias=True, exclude_none=True) == {
        "phase": "Progressing",
        "template": "0123",
        "step": 2,
        "of": 2,
        "share": "50%",
        "since": "2026-01-01T12:00:00Z",
        "replicas": {"stable": 5, "canary": 5},
        "requests": {"stable": 900, "canary": 100},
        "attainment": [{"objective": "timeToFirstToken", "stable": "99.9%", "canary": "97.0%"}],
        "message": "is measured for 10m",
    }


@pytest.mark.parametrize("phase", RolloutPhase)
def test_what_matters_is_remembered_by_the_status_alone(phase: RolloutPhase) -> None:
    step = AT.step if phase in (P.PROGRESSING, P.ROLLED_BACK) else 0
    at = replace(AT, phase=phase, step=step, finished=NOON + 60)
    assert recalled(tell(at)) == replace(at, requests=None, compared=())


def test_a_step_is_never_remembered_as_begun_earlier_than_it_was() -> None:
    found = recalled(tell(replace(AT, since=NOON + 0.4)))
    assert found is not None
    assert found.since == NOON + 1


def test_what_was_seen_stays_while_nothing_newer_is_read_and_goes_with_the_step() -> None:
    blank = replace(AT, requests=None, compared=())
    assert tell(blank, before=tell()).attainment == tell().attainment
    assert tell(blank, before=tell()).requests == tell().requests
    assert tell(replace(blank, step=0), before=tell()).attainment == []


def test_a_canary_that_was_taken_back_keeps_what_it_was_judged_by() -> None:
    back = tell(replace(AT, phase=P.ROLLED_BACK, finished=NOON))
    after = tell(recalled(back), before=back)
    assert after == back


@pytest.mark.parametrize(
    ("phase", "ready", "kstatus"),
    [
        (P.PROGRESSING, ("Unknown", "CanaryProgressing"), "Reconciling"),
        (P.PROMOTING, ("Unknown", "CanaryPromoting"), "Reconciling"),
        (P.WITHDRAWN, ("Unknown", "CanaryWithdrawn"), "Reconciling"),
        (P.ROLLED_BACK, ("False", "CanaryRolledBack"), "Stalled"),
    ],
)
def test_ready_says_that_not_all_replicas_run_the_spec(
    phase: RolloutPhase, ready: tuple[str, str], kstatus: str
) -> None:
    life = look(phase)
    assert life.ready() == ready
    found = condition(life.status, kstatus)
    assert found is not None
    assert found.reason == ready[1]


def test_ready_says_so_until_all_do() -> None:
    life = look(P.PROMOTED)
    assert life.ready() == ("True", "Available")
    assert condition(life.status, "Reconciling") is None


def test_a_message_says_which_step_and_what_it_waits_for() -> None:
    life = look(P.PROGRESSING, "waits for requests: the canary has answered 3 of 100")
    found = condition(life.status, "Ready")
    assert found is not None
    assert found.message == ("canary step 2 of 2 (50%): waits for requests: the canary has answered 3 of 100")


def test_a_paused_service_says_that_and_not_where_its_canary_is() -> None:
    assert look(P.PROGRESSING, mode="Paused").ready() == ("True", "Paused")


def test_trouble_of_the_stable_replicas_comes_first() -> None:
    life = Life()
    stuck = without_node(message=NO_GPUS)
    life.look(
        workload(1, 0), replace(stuck, unschedulable_since=None, waiting_reason="ImagePullBackOff"), rollout=tell()
    )
    assert life.ready() == ("False", "ImagePullFailed")


def test_each_change_is_told_once() -> None:
    begun = tell(replace(AT, step=0))
    states = [
        None,
        begun,
        begun,
        tell(),
        tell(replace(AT, message="waits")),
        tell(replace(AT, phase=P.PROMOTING, step=0)),
    ]
    states += [tell(replace(AT, phase=P.PROMOTED, step=0)), None]
    reasons = [event.reason for before, after in pairwise(states) for event in events(before, after)]
    assert reasons == ["CanaryStarted", "CanaryStep", "CanaryPromoting", "CanaryPromoted"]


def test_a_canary_that_is_taken_back_is_a_warning() -> None:
    (event,) = events(tell(), tell(replace(AT, phase=P.ROLLED_BACK, message="slow; change the spec to try again")))
    assert (event.type, event.reason) == ("Warning", "CanaryRolledBack")
    assert event.message.startswith("the spec from before serves; the canary was taken back: slow")


def test_counts_of_a_step_are_no_news_and_another_step_is() -> None:
    def text(at: Rollout) -> str:
        life = Life()
        return steady(dump(life.look(workload(), *serving(), rollout=tell(at))))

    assert text(AT) == text(replace(AT, requests=(9000, 1000), compared=(), message="waits for requests"))
    assert text(AT) != text(replace(AT, since=NOON + 5))
    assert text(AT) != text(replace(AT, step=0))
