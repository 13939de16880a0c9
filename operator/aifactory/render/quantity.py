"""Kubernetes quantities in a spelling that the API server keeps as it is: desired and live objects compare equal.

The rules are those of k8s.io/apimachinery/pkg/api/resource: the largest suffix that leaves a whole number; binary
suffixes only for whole numbers from 1024 to 2^63-1; and that of container resources: rounded up to thousandths.
"""

import math
import re
from fractions import Fraction

_DECIMAL = ("m", "", "k", "M", "G", "T", "P", "E")
_BINARY = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
_MAX_BINARY = 2**63 - 1
_UNITS = {suffix: Fraction(1000) ** (power - 1) for power, suffix in enumerate(_DECIMAL)} | {
    suffix: Fraction(1024) ** power for power, suffix in enumerate(_BINARY)
}


def canonical(text: str) -> str:
    """Spell a quantity as the API server does: `0.5` is `500m`, `1024Mi` is `1Gi`.

    Raises:
        ValueError: if the text is not a quantity.
    """
    number, suffix = _parsed(text)
    thousandths = math.ceil(number * 1000)
    units, rest = divmod(thousandths, 1000)
    if suffix.endswith("i") and rest == 0 and units >= 1024:
        return _largest_suffix(min(units, _MAX_BINARY), 1024, _BINARY)
    return _largest_suffix(thousandths, 1000, _DECIMAL) if thousandths else "0"


def whole(text: str) -> int:
    """The number that a quantity means, rounded up: `1Ki` is 1024.

    Raises:
        ValueError: if the text is not a quantity.
    """
    return math.ceil(_parsed(text)[0])


def _parsed(text: str) -> tuple[Fraction, str]:
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)([a-zA-Z]*)", text)
    if match is None or match[2] not in _UNITS:
        raise ValueError(f"{text!r} is not a Kubernetes quantity; write for example 500m, 4, 16Gi")
    return Fraction(match[1]) * _UNITS[match[2]], match[2]


def _largest_suffix(mantissa: int, base: int, suffixes: tuple[str, ...]) -> str:
    power = 0
    while mantissa % base == 0 and power < len(suffixes) - 1:
        mantissa //= base
        power += 1
    return f"{mantissa}{suffixes[power]}"
