"""Traces in three formats, and what is said about bad ones."""

from pathlib import Path

import pytest
from aifactory.simulate.trace import Lengths, Request, TraceError, read, scaled

LENGTHS = Lengths(100, 10)


def written(folder: Path, text: str) -> Path:
    path = folder / "trace.csv"
    path.write_text(text)
    return path


def test_requests_are_counted_from_the_first(tmp_path: Path) -> None:
    path = written(tmp_path, "seconds,input_tokens,output_tokens\n100.5,7,3\n101,8,1\n")
    assert read(path, None, 0) == [Request(0.0, 7, 3), Request(0.5, 8, 1)]


@pytest.mark.parametrize(
    "header",
    [
        "Seconds,Input_Tokens,Output_Tokens",
        " seconds , input_tokens , output_tokens ",
        "\ufeffseconds,input_tokens,output_tokens",
        '"seconds","input_tokens","output_tokens"',
    ],
)
def test_a_header_may_have_capitals_spaces_and_quotes(tmp_path: Path, header: str) -> None:
    assert read(written(tmp_path, f"{header}\n5, 7 ,3\n6,8,1\n"), None, 0) == [Request(0.0, 7, 3), Request(1.0, 8, 1)]


def test_columns_may_come_in_any_order_with_others_between(tmp_path: Path) -> None:
    path = written(tmp_path, "model,output_tokens,seconds,input_tokens\nm,3,5,7\nm,1,6,8\n")
    assert read(path, None, 0) == [Request(0.0, 7, 3), Request(1.0, 8, 1)]


def test_a_trace_of_azure_is_read_as_it_is(tmp_path: Path) -> None:
    lines = ("2023-11-16 18:17:03.9799600,4808,10", "2023-11-16 18:17:04.0319600,3180,8")
    found = read(written(tmp_path, "\n".join(("TIMESTAMP,ContextTokens,GeneratedTokens", *lines))), None, 0)
    assert [(request.prompt_tokens, request.output_tokens) for request in found] == [(4808, 10), (3180, 8)]
    assert found[1].at == pytest.approx(0.052)


def test_a_request_has_at_least_one_token_each_way(tmp_path: Path) -> None:
    path = written(tmp_path, "seconds,input_tokens,output_tokens\n0,0,0\n")
    assert read(path, None, 0) == [Request(0.0, 1, 1)]


def test_rates_become_a_poisson_process_and_hold_until_the_next_line(tmp_path: Path) -> None:
    path = written(tmp_path, "seconds,requests_per_second\n0,2\n1000,0\n2000,8\n")
    found = read(path, LENGTHS, 3)
    counts = [sum(start <= request.at < start + 1000 for request in found) for start in (0, 1000, 2000)]
    assert counts[0] == pytest.approx(2000, rel=0.1)
    assert counts[1] == 0
    assert counts[2] == pytest.approx(8000, rel=0.1)
    assert found[-1].at <= 3000
    assert {(request.prompt_tokens, request.output_tokens) for request in found} == {(100, 10)}


def test_the_seed_decides_about_a_trace_of_rates(tmp_path: Path) -> None:
    path = written(tmp_path, "seconds,requests_per_second\n0,2\n")
    assert read(path, LENGTHS, 1) == read(path, LENGTHS, 1)
    assert read(path, LENGTHS, 1) != read(path, LENGTHS, 2)


@pytest.mark.parametrize("factor", [0.25, 1.0, 2.5, 4.0])
def test_a_scaled_trace_has_more_load_and_lasts_as_long(factor: float) -> None:
    requests = [Request(float(second), 100 + second, 10) for second in range(2000)]
    found = scaled(requests, factor, 1)
    assert len(found) == pytest.approx(2000 * factor, rel=0.1)
    assert found == sorted(found)
    assert found[0].at >= 0
    assert found[-1].at <= 1999
    assert all(abs(request.at - (request.prompt_tokens - 100)) <= 15 for request in found)


@pytest.mark.parametrize(("factor", "said"), [(1e-9, "leaves none of 3 requests: raise it"), (1e9, "lower it")])
def test_a_factor_that_leaves_nothing_or_too_much_is_refused(factor: float, said: str) -> None:
    with pytest.raises(TraceError, match=rf"--rate-scale \S+ .*{said}"):
        scaled([Request(float(second), 1, 1) for second in range(3)], factor, 0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("time,tokens\n1,2\n", r"trace.csv:1: the header is 'time,tokens'; it must be seconds,input_tokens"),
        ("", r"trace.csv:1: the header is ''; it must be"),
        ("seconds,input_tokens,output_tokens\n", r"trace.csv: no requests; give at least one line"),
        ("seconds,input_tokens,output_tokens\n0,1,1\n1,x,1\n", r"trace.csv:3: input_tokens must be a whole number"),
        ("seconds,input_tokens,output_tokens\n0,1,-1\n", r"trace.csv:2: output_tokens must be a whole number of"),
        ("seconds,input_tokens,output_tokens\n0,1\n", r"trace.csv:2: output_tokens is missing; it must be a whole"),
        (
            "seconds,input_tokens,output_tokens\n0,1,99999999999\n",
            r"trace.csv:2: output_tokens must be at most 10,000,000, not 99999999999",
        ),
        ("seconds,input_tokens,output_tokens\n0,1,1\n1e12,1,1\n", r"trace.csv: lasts for .* days; give at most 31"),
        ("seconds,requests_per_second\n0,0\n60,0\n", r"trace.csv: no requests; give .* of rates one above 0"),
        ("seconds,requests_per_second\n0,1e12\n", r"trace.csv: 60,000,000,000,000 requests, above the 5,000,000 that"),
        ("seconds,requests_per_second\n0,1\n1e12,0\n", r"requests, .*: lower the rates or shorten the trace"),
        ("seconds,input_tokens,output_tokens\nnan,1,1\n", r"trace.csv:2: seconds must be a time, not 'nan'"),
        ("TIMESTAMP,ContextTokens,GeneratedTokens\nyesterday,1,1\n", r"trace.csv:2: TIMESTAMP must be a time"),
        ("seconds,requests_per_second\n0,-1\n", r"trace.csv:2: requests_per_second must be a rate of 0 or more"),
        ("seconds,requests_per_second\n5,1\n5,2\n", r"trace.csv:3: seconds must rise from line to line"),
    ],
)
def test_a_bad_trace_is_refused_with_file_line_and_fix(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(TraceError, match=said):
        read(written(tmp_path, text), LENGTHS if "requests_per_second" in text else None, 0)


def test_a_trace_of_rates_needs_lengths(tmp_path: Path) -> None:
    path = written(tmp_path, "seconds,requests_per_second\n0,1\n")
    with pytest.raises(TraceError, match="needs --input-tokens and --output-tokens"):
        read(path, None, 0)


def test_a_file_that_is_not_there_or_not_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match=r"none.csv: No such file"):
        read(tmp_path / "none.csv", None, 0)
    (tmp_path / "trace.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(TraceError, match="not a CSV file of UTF-8 text"):
        read(tmp_path / "trace.csv", None, 0)
