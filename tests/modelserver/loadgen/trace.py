"""Recorded traces: seconds,input_tokens,output_tokens, or Azure's TIMESTAMP,ContextTokens,GeneratedTokens."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from .arrivals import Arrival, LoadError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

AZURE = ("TIMESTAMP", "ContextTokens", "GeneratedTokens")
PLAIN = ("seconds", "input_tokens", "output_tokens")


def read_trace(lines: Iterable[str], rate_scale: float = 1.0) -> Iterator[Arrival]:
    """Arrivals counted from the first request; `rate_scale` 2 sends the same requests in half the time.

    Raises LoadError naming the line and the column.
    """
    rows = csv.DictReader(lines)
    columns = next((known for known in (PLAIN, AZURE) if set(known) <= set(rows.fieldnames or ())), None)
    if columns is None:
        raise LoadError(
            f"the trace's header is {rows.fieldnames}: it must have {', '.join(PLAIN)} or {', '.join(AZURE)}"
        )
    first: float | None = None
    for row in rows:
        at = _seconds(row[columns[0]], columns[0], rows.line_num)
        first = at if first is None else first
        prompt, output = (_count(row[column], column, rows.line_num) for column in columns[1:])
        yield Arrival((at - first) / rate_scale, prompt, output)


def _seconds(text: str, column: str, line: int) -> float:
    try:
        # Azure writes seven decimals of a second, datetime reads six.
        return float(text) if column == PLAIN[0] else datetime.fromisoformat(text[:26]).replace(tzinfo=UTC).timestamp()
    except ValueError as error:
        raise LoadError(f"line {line}: {column} {text!r} is not a time") from error


def _count(text: str, column: str, line: int) -> int:
    if not text or not text.isdecimal():
        raise LoadError(f"line {line}: {column} {text!r} is not a number of tokens")
    return max(1, int(text))
