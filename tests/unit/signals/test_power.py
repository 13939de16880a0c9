"""Power of pods, as Prometheus answers it."""

import pytest
from aifactory.signals.power import watts

from tests.unit.signals.vectors import sample


def test_watts_belong_to_a_pod_of_a_namespace() -> None:
    answer = [sample("412.5", pod="a"), sample("90", pod="a", namespace="other"), sample("0", pod="b")]
    assert watts(answer) == {"chat": {"a": 412.5, "b": 0.0}, "other": {"a": 90.0}}


@pytest.mark.parametrize("value", ["NaN", "+Inf", "-3", "much", "140737488355328"])
def test_what_is_no_power_is_left_out(value: str) -> None:
    assert watts([sample(value, pod="a"), sample("5", pod="b"), {"metric": {}}, "sample"]) == {"chat": {"b": 5.0}}


def test_an_answer_that_is_none_is_an_error() -> None:
    with pytest.raises(ValueError, match="list of samples"):
        watts({})
