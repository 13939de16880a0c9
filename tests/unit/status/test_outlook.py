"""What was learned, is expected and was rejected, as a person reads it, and as rarely as it can be written."""

from dataclasses import replace
from math import inf, nan

import pytest
from aifactory.api.scalingstatus import ScalingStatus
from aifactory.autoscale.decision import Capacity, Cause, DecisionReason, Forecast
from aifactory.signals.objectives import Signal
from aifactory.status.outlook import REJECTED
from aifactory.status.report import dump

from tests.unit.status.scene import SCALING, Life, alternative, capacity, decision, forecast, serving, workload

REFUSED = DecisionReason.CONSOLIDATION_REFUSED


def shown(life: Life | None = None, **more: object) -> ScalingStatus:
    status = (life or Life(**SCALING)).look(workload(3), *serving(), decision=decision(3, 3, **more))
    assert status.scaling is not None
    return status.scaling


def test_capacity_is_shown_in_three_figures():
    found = shown(capacity=capacity()).capacity
    assert (found.tokens_per_second_per_replica, found.tokens_per_second) == ("4210", "9140")
    assert (found.confidence, found.signal) == ("84%", "interTokenLatency")


def test_what_a_replica_carries_by_estimate_is_shown_where_that_has_an_end():
    assert (
        shown(capacity=replace(capacity(), estimated=5104.0)).capacity.estimated_tokens_per_second_per_replica == "5100"
    )
    assert shown(capacity=replace(capacity(), estimated=inf)).capacity.estimated_tokens_per_second_per_replica is None


def test_a_forecast_is_shown_with_its_usual_error():
    found = shown(forecast=forecast()).forecast
    assert (found.model, found.horizon, found.expected, found.upper) == ("trend", "1m45s", "11000", "12500")
    assert (found.error, found.replicas) == ("8%", 4)


def test_what_was_rejected_says_what_would_have_happened():
    (found,) = shown(rejected=(alternative(),)).rejected
    assert (found.replicas, found.reason, found.signal, found.predicted) == (
        2,
        "ConsolidationRefused",
        "interTokenLatency",
        "1.13",
    )
    assert found.message == "interTokenLatency would come to 113% of its limit"
    (without,) = shown(rejected=(alternative(ratio=None),)).rejected
    assert without.predicted is None
    assert without.message == "the load would not fit on fewer replicas"


def test_fewer_replicas_that_would_keep_the_limit_say_what_asks_for_more():
    life = Life(**SCALING)
    one = alternative(ratio=0.6)
    kept, queue = replace(one, cause=Cause.TAKEN_BACK), replace(one, cause=Cause.QUEUE)
    (found,) = shown(life, rejected=(kept,)).rejected
    assert (found.cause, found.message) == (
        "TakenBack",
        "interTokenLatency would come to 60% of its limit; "
        "more are wanted, as fewer had to be taken back under such a load",
    )
    (found,) = shown(life, rejected=(queue,)).rejected
    assert (found.cause, found.message.split("; ")[1]) == ("Queue", "more are wanted, to work off the queue")


def test_rejections_are_bounded():
    many = tuple(alternative(replicas) for replicas in range(1, 30))
    assert [one.replicas for one in shown(rejected=many).rejected] == list(range(1, REJECTED + 1))


def test_what_is_not_known_is_not_shown():
    found = shown()
    assert (found.capacity, found.forecast, found.rejected) == (None, None, [])


@pytest.mark.parametrize("bad", [nan, inf, -inf])
def test_what_is_no_number_is_not_shown(bad):
    found = shown(capacity=capacity(bad), forecast=forecast(bad), rejected=(alternative(ratio=bad),))
    assert (found.capacity, found.forecast, found.rejected[0].predicted) == (None, None, None)


def test_numbers_that_wobble_leave_the_status_as_it_was():
    life = Life(**SCALING)
    now = {"capacity": capacity(), "forecast": forecast(), "rejected": (alternative(), alternative(1, None))}
    before = dump(shown(life, **now))
    wobbled = {
        "capacity": capacity(4300.0, 9000.0, 0.852),
        "forecast": forecast(11_300.0, 12_100.0, 0.089, 107),
        "rejected": (alternative(ratio=1.16), alternative(1, None)),
    }
    assert dump(shown(life, **wobbled)) == before


def test_numbers_are_those_of_the_moment_whenever_the_decision_says_others():
    life = Life(**SCALING)
    shown(life, message="room is kept for 12500 tokens/s", capacity=capacity(), forecast=forecast())
    now = {"capacity": capacity(4300.0), "forecast": forecast(upper=12_600.0), "rejected": (alternative(ratio=1.16),)}
    found = shown(life, message="room is kept for 12600 tokens/s", **now)
    assert (found.capacity.tokens_per_second_per_replica, found.forecast.upper) == ("4300", "12600")
    assert found.rejected[0].predicted == "1.16"


def test_a_load_that_fades_away_comes_to_rest():
    life = Life(**SCALING)
    loads = [shown(life, capacity=capacity(load=0.9**step)).capacity.tokens_per_second for step in range(60)]
    assert set(loads) == {"1"}


def test_numbers_that_move_are_written():
    life = Life(**SCALING)
    shown(life, capacity=capacity(), forecast=forecast(), rejected=(alternative(),))
    moved = shown(
        life, capacity=capacity(3000.0), forecast=forecast(upper=20_000.0), rejected=(alternative(ratio=2.0),)
    )
    assert moved.capacity.tokens_per_second_per_replica == "3000"
    assert (moved.forecast.expected, moved.forecast.upper) == ("11000", "20000")
    assert moved.rejected[0].predicted == "2.00"


def test_another_limit_or_model_is_written_at_once():
    life = Life(**SCALING)
    shown(life, capacity=capacity(), forecast=forecast())
    other = shown(
        life, capacity=Capacity(4250.0, 9144.0, 0.84, Signal.TTFT), forecast=Forecast("daily", 105, 11e3, 12e3, 0.1, 4)
    )
    assert (other.capacity.signal, other.capacity.tokens_per_second_per_replica) == ("timeToFirstToken", "4250")
    assert other.forecast.model == "daily"
