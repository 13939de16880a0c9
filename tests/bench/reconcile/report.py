"""The results as a table on the terminal and as Markdown."""

from rich.table import Table

from .results import Results, Row, rows

_HEADER = ("measure", "operator", "target", "NIM operator")


def table(results: Results) -> Table:
    """For the terminal."""
    shown = Table(*_HEADER, title=f"{results.machine}, {results.date}")
    for row in rows(results):
        shown.add_row(*_cells(row), style=None if row.met else "red")
    return shown


def markdown(results: Results) -> str:
    """For the README."""
    lines = [_HEADER, ("---",) * len(_HEADER), *map(_cells, rows(results))]
    text = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    return f"{results.machine}, {results.date}.\n\n{text}\n"


def _cells(row: Row) -> tuple[str, str, str, str]:
    value = _number(row.value, row.unit) + (f" ({row.detail})" if row.detail else "")
    target = "" if row.target is None else f"{'>=' if row.at_least else '<='} {_number(row.target, row.unit)}"
    return row.measure, value, target, "" if row.nim is None else _number(row.nim, row.unit)


def _number(value: float, unit: str) -> str:
    digits = 0 if value == round(value) or value >= 100 else 1 if value >= 1 else 2
    text = f"{value:,.{digits}f}"
    return f"{text}{unit}" if unit in ("%", "/s") else f"{text} {unit}".strip()
