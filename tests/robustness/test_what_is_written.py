"""The status from tick to tick, as the API server would keep it."""

import json
from functools import cache
from itertools import pairwise

import pytest
from aifactory.api.status import InferenceServiceStatus
from aifactory.explain import explain
from aifactory.status.report import dump, steady

from tests.robustness import faults
from tests.robustness.loads import MINUTE, steps
from tests.robustness.loop import Run, Tick, run
from tests.robustness.prometheus_api import Fault

# Up, an outage at the top, and down again.
BEGINS, ENDS = 24 * MINUTE, 29 * MINUTE
LOAD = steps((20, 0.5), (10, 4.0), (40, 0.4))
MOST_BYTES = 16_384
Written = tuple[Tick, InferenceServiceStatus]


@cache
def life() -> tuple[Run, list[Written]]:
    found = run(LOAD, Fault(BEGINS, ENDS, faults.refused), replicas=1)
    status, written = InferenceServiceStatus(), list[Written]()
    for tick in found.ticks:
        status = InferenceServiceStatus.of({"status": dump(tick.status_after(status))})
        written.append((tick, status))
    return found, written


def told(tick: Tick, status: InferenceServiceStatus) -> str:
    service = tick.scenario.role.service
    stored = service.model_dump(mode="json", by_alias=True, exclude_none=True)
    return explain({**stored, "status": dump(status)}, tick.clock)


def test_the_last_ten_changes_are_those_that_were_made() -> None:
    found, written = life()
    assert len(found.actions()) > 10
    for tick, status in written[1:]:
        assert status.scaling is not None
        made = [(before, after) for _, before, after in found.actions(end=tick.time + 0.1)]
        kept = [(one.from_, one.to) for one in reversed(status.scaling.history)]
        assert kept == made[-10:]


def test_each_change_begins_where_the_one_before_ended() -> None:
    for _, status in life()[1][1:]:
        assert status.scaling is not None
        assert all(newer.from_ == older.to for newer, older in pairwise(status.scaling.history))


def test_a_status_is_bounded_and_rarely_has_news() -> None:
    """Writes at once are those of changes and conditions; numbers alone wait for the next one."""
    found, written = life()
    assert max(len(json.dumps(dump(status))) for _, status in written) < MOST_BYTES
    news = sum(one != other for one, other in pairwise(steady(dump(status)) for _, status in written))
    assert news <= 4 * len(found.actions()) + 8


@pytest.mark.parametrize("minute", [22, 27, 31, 65])
def test_the_numbers_that_are_told_agree_with_each_other(minute: int) -> None:
    """Room is kept for no less than what is expected; the decision is what the highest answer or a limit says."""
    tick, status = next((tick, status) for tick, status in life()[1] if tick.time >= minute * MINUTE)
    scaling = status.scaling
    assert scaling is not None
    assert scaling.decision is not None
    text = told(tick, status)
    assert f"{scaling.decision.reason}, since" in text
    if scaling.forecast is not None:
        assert float(scaling.forecast.upper) >= float(scaling.forecast.expected)
        assert f"Room is kept for {scaling.forecast.upper} tokens/s" in text
    answers = [one.replicas for one in scaling.recommendations if one.replicas is not None]
    if scaling.decision.limited_by is None and answers and scaling.decision.cause != "TakenBack":
        assert scaling.decision.to == max(*answers, tick.scenario.scaling.min_replicas)
    if not answers:
        assert scaling.decision.reason == "MetricsError"
