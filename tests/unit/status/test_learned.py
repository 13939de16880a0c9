"""What was learned survives in the status, and costs next to no writes."""

from math import inf, nan

import pytest
from aifactory.api.scalingstatus import LEARNED, ScalingStatus
from aifactory.api.status import InferenceServiceStatus
from aifactory.status.learned import forgetting, news, recalled, written
from aifactory.status.report import dump, same
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.status.scene import SCALING, Life, decision, serving, workload

NUMBERS = st.dictionaries(st.text("abc.", min_size=1, max_size=8), st.floats(-1e14, 1e14), max_size=LEARNED)


def look(life: Life, **values: float) -> InferenceServiceStatus:
    return life.look(workload(1), *serving(), decision=decision(1, 1), learned=values)


def test_what_was_learned_is_written_with_four_figures() -> None:
    assert written({"base": 0.123456, "each": 4212.34, "none": 0.0}) == {"base": "0.1235", "each": "4212", "none": "0"}


@pytest.mark.parametrize("bad", [nan, inf, -inf, 1e16])
def test_what_is_no_sensible_number_is_neither_written_nor_read(bad: float) -> None:
    assert written({"bad": bad, "good": 1.0}) == {"good": "1"}
    assert recalled(ScalingStatus(learned={"bad": str(bad), "good": "1"})) == {"good": 1.0}


@pytest.mark.parametrize("text", ["", "many", "1,5", "0x10", "1e999", "None"])
def test_what_cannot_be_parsed_is_ignored(text: str) -> None:
    assert recalled(ScalingStatus(learned={"bad": text, "good": "2.5"})) == {"good": 2.5}


@pytest.mark.parametrize("bad", [{"rollout": {"step": "x"}}, {"slo": {}}, {"roles": [{"name": "other"}]}])
def test_what_another_version_wrote_elsewhere_in_the_status_makes_nothing_forgotten(bad: dict[str, object]) -> None:
    found = InferenceServiceStatus.of({"status": {"scaling": {"learned": {"good": "2.5"}}, **bad}})
    assert recalled(found.scaling) == {"good": 2.5}
    assert not found.roles
    assert found.rollout is None


@pytest.mark.parametrize("status", [None, [], "x", 5, {"scaling": []}, {"scaling": {"learned": {"a": None}}}])
def test_a_status_that_is_none_recalls_nothing(status: object) -> None:
    assert recalled(InferenceServiceStatus.of({"status": status}).scaling) == {}


def test_a_service_without_scaling_recalls_nothing() -> None:
    assert recalled(None) == {}


def test_it_is_bounded() -> None:
    assert len(written({f"n{number:03}": 1.0 for number in range(100)})) == LEARNED


@given(NUMBERS)
def test_what_is_read_again_is_written_alike(values: dict[str, float]) -> None:
    once = written(values)
    again = recalled(ScalingStatus(learned=once))
    assert written(again) == once
    assert again == pytest.approx(values, rel=1e-3)


def test_it_stays_in_the_status_until_signals_are_read() -> None:
    life = Life(**SCALING)
    before = look(life, base=0.123)
    after = life.look(workload(1), *serving())
    assert after.scaling.learned == before.scaling.learned == {"base": "0.123"}


@pytest.mark.parametrize(
    ("after", "worth"),
    [
        ({"base": 0.1}, False),
        ({"base": 0.109}, False),
        ({"base": 0.112}, True),
        ({"base": 0.08}, True),
        ({}, True),
        ({"base": 0.1, "each": 1.0}, True),
    ],
)
def test_only_a_tenth_of_change_is_worth_a_write(after: dict[str, float], worth: bool) -> None:
    life = Life(**SCALING)
    before = dump(look(life, base=0.1))
    assert news(before, dump(look(life, **after))) is worth


def test_apart_from_it_two_statuses_can_be_the_same() -> None:
    life = Life(**SCALING)
    one, other = dump(look(life, base=0.1)), dump(look(life, base=0.2))
    assert not same(one, other)
    assert same(forgetting(one), forgetting(other))
    assert same(forgetting({}), forgetting({}))


def test_each_role_counts() -> None:
    def stored(value: str) -> dict[str, object]:
        return {"roles": [{"name": "prefill"}, {"name": "decode", "scaling": {"learned": {"base": value}}}]}

    assert news(stored("1"), stored("2"))
    assert not news(stored("1"), stored("1.05"))
    assert forgetting(stored("1")) == forgetting(stored("2"))
