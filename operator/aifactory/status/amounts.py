"""Amounts that live numbers go into: three figures, and no other text while they are nearly the same."""

from decimal import Decimal

from .outlook import parsed

_FIGURES = 3
# An amount stays as written while it is this near to it, as a share of it.
_WOBBLE = Decimal("0.05")
_CENTS = Decimal("0.01")


def steadied(value: Decimal | None, before: str | None) -> str | None:
    """A positive amount with three figures, such as `0.0123`, `1.20` or `4570`; `before` while that is within 5%."""
    if value is None:
        return None
    written = Decimal(parsed(before) or 0)
    return before if before and abs(value - written) <= _WOBBLE * written else figures(value)


def figures(value: Decimal) -> str:
    """Three figures, never with an exponent."""
    if not value:
        return "0"
    rounded = value.quantize(Decimal(1).scaleb(value.adjusted() - _FIGURES + 1))
    return f"{rounded:f}"


def money(value: Decimal) -> str:
    """An exact sum of prices, with two decimals or as many as it needs."""
    return f"{value.quantize(_CENTS):f}" if value == value.quantize(_CENTS) else f"{value.normalize():f}"
