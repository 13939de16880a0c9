"""Rates of tokens that something can be divided by."""

# Tokens per second. Fewer are none: a status shows 0.0.
_LEAST = 0.05


def made(tokens_per_second: float | None) -> float | None:
    """A rate; None while nothing is made."""
    return tokens_per_second if tokens_per_second is not None and tokens_per_second >= _LEAST else None
