import math
from typing import Any

import pytest
from aifactory.signals import answers
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.signals.vectors import buckets, sample

SERVICE = ("chat", "llama")


def test_services_and_pods_are_told_apart() -> None:
    vector = [sample("1", pod="a"), sample("2", pod="b"), sample("3", pod="a", namespace="other")]
    assert answers.by_pod(vector) == {SERVICE: {"a": 1.0, "b": 2.0}, ("other", "llama"): {"a": 3.0}}


@pytest.mark.parametrize("value", ["NaN", "+Inf", "-Inf", "-1", "", "many"])
def test_a_gauge_that_is_no_count_is_missing(value: str) -> None:
    assert answers.by_pod([sample(value, pod="a")]) == {}


@pytest.mark.parametrize("value", ["NaN", "+Inf", "-Inf", "", "many"])
def test_a_rate_that_is_no_number_is_missing(value: str) -> None:
    assert answers.numbers([sample(value)]) == {}


@pytest.mark.parametrize("value", ["NaN", "+Inf", "-1"])
def test_a_histogram_with_a_bucket_that_is_no_count_is_missing(value: str) -> None:
    vector = buckets({"0.5": value, "+Inf": "3"}) + buckets({"0.5": "1", "+Inf": "3"}, namespace="other")
    assert list(answers.histograms(vector)) == [("other", "llama")]


def test_a_bucket_that_comes_twice_counts_once() -> None:
    vector = buckets({"0.5": "1", "+Inf": "2"})
    assert answers.histograms(vector + vector) == answers.histograms(vector)


def test_two_spellings_of_an_edge_add_up() -> None:
    found = answers.histograms(buckets({"1": "2", "1.0": "3", "+Inf": "5"}))
    assert found[SERVICE].counts == (5.0,)


def test_pods_with_edges_of_their_own_are_not_taken_for_slow_ones() -> None:
    """As while a service is given histograms with edges at its objectives, and for an hour afterwards."""
    before = buckets({"0.25": "90", "0.5": "99", "1": "100", "+Inf": "100"}, pod_template_hash="a")
    after = buckets({"0.15": "60", "0.3": "94", "0.6": "100", "+Inf": "100"}, pod_template_hash="b")
    found = answers.histograms(before + after)[SERVICE]
    assert found.share_within(0.3) == (90 + 94) / 200
    assert 0.3 <= (found.quantile(0.95) or 0.0) <= 0.6
    assert found.share_within(1.0) == 1.0


def test_samples_without_identity_are_left_out() -> None:
    bare: list[dict[str, Any]] = [{"metric": {"le": "1"}, "value": [0, "1"]}, {"value": [0, "1"]}, {}]
    assert answers.numbers(bare) == {}


@pytest.mark.parametrize("answer", [None, {}, "<html>", 5])
def test_an_answer_that_is_no_list_is_an_error(answer: object) -> None:
    for parse in (answers.histograms, answers.numbers, answers.by_pod):
        with pytest.raises(ValueError, match="list of samples"):
            parse(answer)


anything = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5) | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
odd_samples = st.fixed_dictionaries(
    {
        "metric": st.fixed_dictionaries(
            {
                "namespace": st.sampled_from(["a", "b"]) | anything,
                "inferenceservice": st.sampled_from(["x", "y"]) | anything,
                "le": st.sampled_from(["0.5", "1", "1.0", "+Inf", "NaN", "1e300"]) | anything,
                "pod": st.sampled_from(["p", "q"]) | anything,
            }
        ),
        "value": st.tuples(st.just(0), st.sampled_from(["0", "1", "1e9", "NaN", "-Inf", "-3"]) | anything) | anything,
    }
)


@settings(max_examples=50)
@given(st.lists(odd_samples | anything, max_size=20))
def test_whatever_the_samples_only_sensible_numbers_come_out(vector: list[Any]) -> None:
    for histogram in answers.histograms(vector).values():
        assert all(math.isfinite(number) and number >= 0 for number in (*histogram.counts, histogram.total))
        assert list(histogram.edges) == sorted(set(histogram.edges))
        quantile = histogram.quantile(0.95)
        assert quantile is None or math.isfinite(quantile)
    assert all(math.isfinite(number) for number in answers.numbers(vector).values())
    assert all(0 <= number < math.inf for pods in answers.by_pod(vector).values() for number in pods.values())
