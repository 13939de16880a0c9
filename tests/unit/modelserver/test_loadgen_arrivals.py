"""Shapes of rates and recorded traces become arrival times."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loadgen.arrivals import Arrival, LoadError, Step, parse_shape, poisson, rate_at
from loadgen.trace import read_trace


def test_a_shape_is_a_list_of_rates_and_durations() -> None:
    assert parse_shape("2@20s, 8.5@60s") == [Step(2, 2, 20), Step(8.5, 8.5, 60)]


def test_a_ramp_begins_each_step_at_the_rate_before_it() -> None:
    steps = parse_shape("2@20s,8@60s,2@40s", ramp=True)

    assert steps == [Step(2, 2, 20), Step(2, 8, 60), Step(8, 2, 40)]
    assert rate_at(steps, 50.0) == pytest.approx(5.0)


@pytest.mark.parametrize("text", ["", "8", "8@60", "@60s", "8@0s", "-1@5s", "8@60s,"])
def test_a_shape_that_cannot_be_read_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(LoadError, match="write for example 2@20s,8@60s"):
        parse_shape(text)


def test_arrivals_come_at_the_rate_of_each_step() -> None:
    times = list(poisson(parse_shape("2@500s,8@500s"), seed=1))

    assert sum(at < 500 for at in times) / 500 == pytest.approx(2, rel=0.15)
    assert sum(at >= 500 for at in times) / 500 == pytest.approx(8, rel=0.15)


def test_nothing_arrives_in_a_pause() -> None:
    times = list(poisson(parse_shape("5@10s,0@100s,5@10s"), seed=1))

    assert not [at for at in times if 10 <= at < 110]
    assert [at for at in times if at >= 110]


@given(seed=st.integers(0, 1000), rate=st.floats(0.5, 50))
def test_arrivals_are_in_order_within_the_shape_and_the_same_for_a_seed(seed: int, rate: float) -> None:
    steps = [Step(0, rate, 5), Step(rate, 1, 5)]

    times = list(poisson(steps, seed))

    assert times == sorted(times)
    assert all(0 <= at < 10 for at in times)
    assert times == list(poisson(steps, seed))


def test_a_plain_trace_is_read() -> None:
    lines = ["seconds,input_tokens,output_tokens", "3.5,10,20", "5,1,0"]

    assert list(read_trace(lines)) == [Arrival(0, 10, 20), Arrival(1.5, 1, 1)]


def test_azure_files_are_read_as_they_are(recordings: Path) -> None:
    lines = (recordings / "azure-llm-2023-conv-10min.csv").read_text().splitlines()

    arrivals = list(read_trace(lines))

    assert len(arrivals) == 2868
    assert arrivals[0] == Arrival(0, 374, 44)
    assert arrivals[1].at == pytest.approx(4.314579, abs=1e-5)
    assert 599 < arrivals[-1].at < 600.5


def test_a_rate_scale_sends_the_same_requests_in_less_time() -> None:
    lines = ["seconds,input_tokens,output_tokens", "0,1,1", "10,1,1"]

    assert [arrival.at for arrival in read_trace(lines, rate_scale=4)] == [0, 2.5]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["a,b,c", "1,2,3"], "must have seconds, input_tokens, output_tokens or TIMESTAMP"),
        (["seconds,input_tokens,output_tokens", "soon,1,1"], "line 2: seconds 'soon' is not a time"),
        (["seconds,input_tokens,output_tokens", "1,1,many"], "line 2: output_tokens 'many' is not a number"),
    ],
)
def test_a_trace_that_cannot_be_read_is_refused_with_the_line(lines: list[str], message: str) -> None:
    with pytest.raises(LoadError, match=message):
        list(read_trace(lines))
