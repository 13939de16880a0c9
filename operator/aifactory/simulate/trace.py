"""Traces of load: who asks for how much, when."""

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from math import inf, isfinite
from pathlib import Path
from random import Random
from typing import TypeVar

Value = TypeVar("Value")
_REQUESTS = ("seconds", "input_tokens", "output_tokens")
_RATES = ("seconds", "requests_per_second")
_AZURE = ("TIMESTAMP", "ContextTokens", "GeneratedTokens")
_NAMES = {name.lower(): name for name in (*_REQUESTS, *_RATES, *_AZURE)}
# Copies of a request come this near to it (seconds): several users of one service do not click together, and busy
# minutes stay busy.
_APART_SECONDS = 15.0
MOST_TOKENS = 10_000_000
# So that a run takes minutes and a few GB at most.
_MOST_REQUESTS = 5_000_000
_LONGEST_SECONDS = 31 * 86_400.0


class TraceError(ValueError):
    """A trace that cannot be read; the message begins with file and line and says what would do."""


@dataclass(frozen=True, slots=True, order=True)
class Request:
    """One request, `at` seconds after the start of the trace; tokens of its prompt and of its answer."""

    at: float
    prompt_tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True)
class Lengths:
    """Tokens of the requests of a trace that has only rates."""

    prompt_tokens: int
    output_tokens: int


def read(path: Path, lengths: Lengths | None, seed: int) -> list[Request]:
    """The requests of a trace in order, counted from the first line.

    Three kinds of CSV, told by their header, in small or capital letters and with other columns beside:
    `seconds,input_tokens,output_tokens`; `seconds,requests_per_second`, each rate holding until the next line and the
    last for as long as the one before, which makes a Poisson process of it with requests of `lengths`;
    `TIMESTAMP,ContextTokens,GeneratedTokens` as the Azure Public Dataset has them. It ends with its last request.

    Raises:
        TraceError: if it is none of these, has tokens beside `lengths`, a line is wrong, or there is no request in it,
            or are too many.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            found = _requests(path, csv.DictReader(file, skipinitialspace=True), lengths, Random(seed))
    except OSError as error:
        raise TraceError(f"{path}: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise TraceError(f"{path}: not a CSV file of UTF-8 text: {error}") from error
    if not found:
        raise TraceError(f"{path}: no requests; give at least one line after the header, of rates one above 0")
    if found[-1].at > _LONGEST_SECONDS:
        days, most = found[-1].at / 86_400, _LONGEST_SECONDS / 86_400
        raise TraceError(f"{path}: lasts for {days:,.0f} days; give at most {most:.0f}, with times in seconds")
    return found


def scaled(requests: Sequence[Request], factor: float, seed: int) -> list[Request]:
    """The same load `factor` times as strong over the same time: each request as often, its copies near to it.

    Raises:
        TraceError: if these are too many requests, or none.
    """
    if factor == 1:
        return list(requests)
    if factor * len(requests) > _MOST_REQUESTS:
        raise TraceError(f"--rate-scale {factor:g} makes {_too_many(factor * len(requests))}: lower it")
    rng, end = Random(seed), requests[-1].at
    found: list[Request] = []
    for request in requests:
        copies = int(factor) + (rng.random() < factor % 1)
        for copy in range(copies):
            at = request.at + (rng.uniform(-_APART_SECONDS, _APART_SECONDS) if copy else 0.0)
            found.append(Request(min(max(at, 0.0), end), request.prompt_tokens, request.output_tokens))
    if not found:
        raise TraceError(f"--rate-scale {factor:g} leaves none of {len(requests):,} requests: raise it")
    return sorted(found)


def _too_many(requests: float) -> str:
    return f"{requests:,.0f} requests, above the {_MOST_REQUESTS:,} that can be simulated"


def _requests(path: Path, rows: "csv.DictReader[str]", lengths: Lengths | None, rng: Random) -> list[Request]:
    named = rows.fieldnames or ()
    rows.fieldnames = [_NAMES.get(name.strip().lower(), name) for name in named]
    header = set(rows.fieldnames)
    for columns, seconds in ((_REQUESTS, _number), (_AZURE, _timestamp)):
        if set(columns) <= header:
            if lengths is not None:
                raise TraceError(f"{path}: has tokens of each request: leave out --input-tokens and --output-tokens")
            return _counted_from_first(sorted(_each(path, rows, columns, seconds)))
    if set(_RATES) <= header:
        if lengths is None:
            raise TraceError(f"{path}:1: a trace of rates needs --input-tokens and --output-tokens")
        steps = list(_steps(path, rows))
        expected = sum(rate * (end - start) for start, end, rate in _constant(steps))
        if expected > _MOST_REQUESTS:
            raise TraceError(f"{path}: {_too_many(expected)}: lower the rates or shorten the trace")
        return list(_poisson(steps, lengths, rng))
    known = " or ".join(",".join(columns) for columns in (_REQUESTS, _RATES, _AZURE))
    raise TraceError(f"{path}:1: the header is {','.join(named)!r}; it must be {known}")


def _each(
    path: Path, rows: "csv.DictReader[str]", columns: Sequence[str], seconds: Callable[[str], float]
) -> Iterator[Request]:
    tokens = "a whole number of tokens"
    for count, row in enumerate(rows):
        if count == _MOST_REQUESTS:
            raise TraceError(f"{path}:{rows.line_num}: more than {_MOST_REQUESTS:,} requests: shorten the trace")
        at = _read(path, rows.line_num, columns[0], row, seconds, "a time")
        prompt, output = (_read(path, rows.line_num, column, row, _tokens, tokens) for column in columns[1:])
        yield Request(at, max(1, prompt), max(1, output))


def _steps(path: Path, rows: "csv.DictReader[str]") -> Iterator[tuple[float, float]]:
    before = -inf
    for row in rows:
        at = _read(path, rows.line_num, _RATES[0], row, _number, "a time in seconds")
        if at <= before:
            raise TraceError(
                f"{path}:{rows.line_num}: seconds must rise from line to line, {at:g} is not after {before:g}"
            )
        before = at
        yield at, _read(path, rows.line_num, _RATES[1], row, _rate, "a rate of 0 or more")


def _poisson(steps: Sequence[tuple[float, float]], lengths: Lengths, rng: Random) -> Iterator[Request]:
    for start, end, rate in _constant(steps):
        at = start
        while rate > 0 and (at := at + rng.expovariate(rate)) < end:
            yield Request(at - steps[0][0], lengths.prompt_tokens, lengths.output_tokens)


def _constant(steps: Sequence[tuple[float, float]]) -> Iterator[tuple[float, float, float]]:
    """(seconds from, seconds to, rate)."""
    last = steps[-1][0] - steps[-2][0] if len(steps) > 1 else 60.0
    ends = [*steps, (steps[-1][0] + last, 0.0)] if steps else []
    for (start, rate), (end, _) in pairwise(ends):
        yield start, end, rate


def _counted_from_first(requests: list[Request]) -> list[Request]:
    start = requests[0].at if requests else 0.0
    return [Request(request.at - start, request.prompt_tokens, request.output_tokens) for request in requests]


def _read(
    path: Path, line: int, column: str, row: dict[str, str], parse: Callable[[str], Value], expected: str
) -> Value:
    text: str | None = row[column]
    if text is None:
        raise TraceError(f"{path}:{line}: {column} is missing; it must be {expected}")
    try:
        return parse(text.strip())
    except OverflowError as error:
        raise TraceError(f"{path}:{line}: {column} must be at most {error}, not {text}") from error
    except ValueError as error:
        raise TraceError(f"{path}:{line}: {column} must be {expected}, not {text!r}") from error


def _number(text: str) -> float:
    value = float(text)
    if not isfinite(value):
        raise ValueError(text)
    return value


def _rate(text: str) -> float:
    value = _number(text)
    if value < 0:
        raise ValueError(text)
    return value


def _tokens(text: str) -> int:
    value = int(text)
    if value < 0:
        raise ValueError(text)
    if value > MOST_TOKENS:
        raise OverflowError(f"{MOST_TOKENS:,}")
    return value


def _timestamp(text: str) -> float:
    """Azure writes seven decimals of a second, datetime reads six; without a zone it is UTC."""
    return datetime.fromisoformat(text[:26]).replace(tzinfo=UTC).timestamp()
