"""Durations, percentages and quantities as users write them."""

from datetime import timedelta
from decimal import Decimal

import pytest
from aifactory.api.meta import (
    format_duration,
    format_measured,
    format_percent,
    parse_duration,
    parse_int_or_percent,
    parse_percent,
    parse_quantity,
)
from hypothesis import given
from hypothesis import strategies as st


@given(st.integers(min_value=0, max_value=30 * 24 * 3_600_000))
def test_a_duration_survives_being_written_and_read(milliseconds: int) -> None:
    duration = timedelta(milliseconds=milliseconds)
    assert parse_duration(format_duration(duration)) == duration


@pytest.mark.parametrize(
    ("text", "seconds"), [("500ms", 0.5), ("30s", 30), ("1m30s", 90), ("2h", 7200), ("0s", 0), ("90m", 5400)]
)
def test_a_duration_is_read_as_kubernetes_reads_it(text: str, seconds: float) -> None:
    assert parse_duration(text).total_seconds() == seconds


@given(st.one_of(st.text(max_size=40).filter(lambda text: not text[-1:].isalpha()), st.integers(), st.floats()))
def test_anything_else_is_refused_as_a_duration_with_an_example(value: object) -> None:
    with pytest.raises(ValueError, match="such as 500ms"):
        parse_duration(value)


@pytest.mark.parametrize("text", ["1d", "1.5s", "-1s", "s", "1 s", "1s\n", "٣s", "9999999999h", "1s" * 9])
def test_a_near_miss_of_a_duration_is_refused_too(text: str) -> None:
    with pytest.raises(ValueError, match="such as 500ms"):
        parse_duration(text)


@given(st.decimals(min_value=0, max_value=1, places=5))
def test_a_percentage_survives_being_written_and_read(fraction: Decimal) -> None:
    assert parse_percent(format_percent(fraction)) == fraction


@pytest.mark.parametrize("value", ["101%", "99", 99, "-1%", "1e1%", "99.1234%", None])
def test_anything_else_is_refused_as_a_percentage_with_an_example(value: object) -> None:
    with pytest.raises(ValueError, match=r"such as \"99\.5%\""):
        parse_percent(value)


@pytest.mark.parametrize("value", ["500m", "4", 4, "16Gi", "1.5T", "0"])
def test_a_quantity_becomes_text(value: object) -> None:
    assert parse_quantity(value) == str(value)


@pytest.mark.parametrize("value", ["16GB", "-1", "1e3", "", "½", True, 1.5, None])
def test_anything_else_is_refused_as_a_quantity_with_an_example(value: object) -> None:
    with pytest.raises(ValueError, match="write for example 500m"):
        parse_quantity(value)


@pytest.mark.parametrize("value", [0, 3, "25%", "100%", "0%"])
def test_a_surge_is_a_number_or_a_percentage(value: int | str) -> None:
    assert parse_int_or_percent(value) == value


@pytest.mark.parametrize("value", [-1, "101%", "025%", "3", True, 0.5, None])
def test_anything_else_is_refused_as_a_surge(value: object) -> None:
    with pytest.raises(ValueError, match="neither a whole number"):
        parse_int_or_percent(value)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0ms"),
        (0.00463, "4.63ms"),
        (0.08341, "83.4ms"),
        (0.3124, "312ms"),
        (0.9999, "1s"),
        (7.051, "7.05s"),
        (59.97, "1m"),
        (143.2, "2m23s"),
        (4210.4, "1h10m10s"),
        (1e300, "1e+300s"),
    ],
)
def test_a_measured_time_has_no_more_figures_than_a_reader_needs(seconds: float, text: str) -> None:
    assert format_measured(seconds) == text
