"""Value types shared by every kind: durations, percentages, quantities, names."""

import re
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel

DURATION_PATTERN = r"^([0-9]+(ms|s|m|h))+$"
PERCENT_PATTERN = r"^(100|[0-9]{1,2}(\.[0-9]{1,3})?)%$"
_UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_UNIT_MILLISECONDS = {"h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}


class Model(BaseModel):
    """Immutable object with camelCase field names; unknown fields are ignored when read from the cluster."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, alias_generator=to_camel, extra="ignore")


def parse_duration(value: Any) -> timedelta:
    """Read `500ms`, `30s`, `1m30s` or `2h`.

    Raises:
        ValueError: if the text is not a sequence of whole numbers with the units ms, s, m, h.
    """
    if isinstance(value, timedelta):
        return value
    if not isinstance(value, str) or not re.fullmatch(DURATION_PATTERN, value):
        raise ValueError(f"{value!r} is not a duration; write whole numbers with ms, s, m or h, such as 500ms or 1m30s")
    parts = re.findall(r"([0-9]+)(ms|s|m|h)", value)
    return timedelta(seconds=sum(int(number) * _UNIT_SECONDS[unit] for number, unit in parts))


def format_duration(value: timedelta) -> str:
    """Write a duration in its largest units, such as `1m30s`; zero is `0s`."""
    rest = round(value / timedelta(milliseconds=1))
    text = ""
    for unit, size in _UNIT_MILLISECONDS.items():
        count, rest = divmod(rest, size)
        text += f"{count}{unit}" if count else ""
    return text or "0s"


def parse_percent(value: Any) -> Decimal:
    """Read `99%` or `99.9%` as a fraction between 0 and 1.

    Raises:
        ValueError: if the text is not a number from 0 to 100 followed by `%`.
    """
    if isinstance(value, Decimal):
        return value
    if not isinstance(value, str) or not re.fullmatch(PERCENT_PATTERN, value):
        raise ValueError(f'{value!r} is not a percentage; write a number from 0 to 100 and a %, such as "99.5%"')
    return Decimal(value.removesuffix("%")) / 100


def format_percent(value: Decimal) -> str:
    """Write a fraction between 0 and 1 as a percentage with at most three decimals."""
    return f"{(value * 100).quantize(Decimal('0.001')).normalize():f}%"


def _check_quantity(value: Any) -> str:
    text = str(value)
    if not re.fullmatch(r"[0-9]+(\.[0-9]+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?", text):
        raise ValueError(f"{text!r} is not a Kubernetes quantity; write for example 500m, 4, 16Gi")
    return text


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema({"type": "string", "pattern": DURATION_PATTERN, "maxLength": 16}),
]
Percent = Annotated[
    Decimal,
    BeforeValidator(parse_percent),
    PlainSerializer(format_percent, return_type=str),
    WithJsonSchema({"type": "string", "pattern": PERCENT_PATTERN, "maxLength": 8}),
]
Quantity = Annotated[
    str,
    BeforeValidator(_check_quantity),
    WithJsonSchema({"x-kubernetes-int-or-string": True}),
]


def int_or_percent(value: int | str) -> int | str:
    """Check a `maxSurge`-like value: a whole number or a percentage.

    Raises:
        ValueError: if it is neither.
    """
    if isinstance(value, int) or re.fullmatch(r"[0-9]{1,3}%", value):
        return value
    raise ValueError(f'{value!r} is neither a whole number nor a percentage such as "25%"')


IntOrPercent = Annotated[
    int | str, AfterValidator(int_or_percent), WithJsonSchema({"x-kubernetes-int-or-string": True})
]
ObjectName = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", min_length=1, max_length=253)
]
LabelKey = Annotated[str, StringConstraints(max_length=317)]
LabelValue = Annotated[str, StringConstraints(pattern=r"^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$", max_length=63)]
FreeText = Annotated[str, StringConstraints(max_length=4096)]
UserId = Annotated[int, Field(ge=1, le=4294967294)]


def rules(*checks: tuple[str, str]) -> dict[str, Any]:
    """JSON schema extension with CEL checks, each an expression and the message shown when it is false."""
    return {"x-kubernetes-validations": [{"rule": rule, "message": message} for rule, message in checks]}
