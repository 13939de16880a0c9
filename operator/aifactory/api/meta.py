"""Value types shared by every kind: durations, percentages, quantities, names."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    PlainSerializer,
    PlainValidator,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from .checks import EXTENSION, Check, verify

DURATION_PATTERN = r"^([0-9]{1,9}(ms|s|m|h))+$"
PERCENT_PATTERN = r"^(100|[0-9]{1,2}(\.[0-9]{1,3})?)%$"
QUANTITY_PATTERN = r"^[0-9]{1,15}(\.[0-9]{1,9})?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$"
INT_OR_PERCENT_PATTERN = r"^(100|[1-9]?[0-9])%$"
LABEL_KEY_PATTERN = r"^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$"
OWN_LABEL_PREFIX = "aifactory.dev/"
_SENSIBLE = 1e9  # seconds
_UNIT_MILLISECONDS = {"h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}


class Model(BaseModel):
    """Immutable object with camelCase field names; unknown fields are ignored when read from the cluster."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, alias_generator=to_camel, extra="ignore")


class StatusModel(Model):
    """A whole status, which earlier and later versions of the operator read and write as well."""

    @classmethod
    def of(cls, obj: Mapping[str, Any]) -> Self:
        """The status of an object as stored; fields that cannot be read, as of another version, count as absent."""
        stored = obj.get("status") or {}
        try:
            return cls.model_validate(stored)
        except ValidationError as error:
            broken = {wrong["loc"][0] for wrong in error.errors() if wrong["loc"]}
            return cls.model_validate({name: stored[name] for name in stored.keys() - broken} if broken else {})


STORED = "stored"
"""The context in which objects of a cluster are validated, which the API server has let in."""


class CheckedModel(Model):
    """With rules between its fields, which become CEL rules of the schema."""

    checks: ClassVar[tuple[Check, ...]] = ()

    @model_validator(mode="after")
    def _verify(self, info: ValidationInfo) -> Self:
        stored = info.context == STORED
        return verify(self, tuple(check for check in self.checks if not (stored and check.admission)))

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = handler(core)
        handler.resolve_ref_schema(schema)[EXTENSION] = [check.rule() for check in cls.checks]
        return schema


def parse_duration(value: Any) -> timedelta:
    """Read `500ms`, `30s`, `1m30s` or `2h`.

    Raises:
        ValueError: if the text is not a sequence of whole numbers with the units ms, s, m, h.
    """
    if isinstance(value, timedelta):
        return value
    if not isinstance(value, str) or len(value) > 16 or not re.fullmatch(DURATION_PATTERN, value):
        raise ValueError(f"{value!r} is not a duration; write whole numbers with ms, s, m or h, such as 500ms or 1m30s")
    parts = re.findall(r"([0-9]+)(ms|s|m|h)", value)
    return timedelta(milliseconds=sum(int(number) * _UNIT_MILLISECONDS[unit] for number, unit in parts))


def format_duration(value: timedelta) -> str:
    """Write a duration in its largest units, such as `1m30s`; zero is `0s`."""
    rest = round(value / timedelta(milliseconds=1))
    text = ""
    for unit, size in _UNIT_MILLISECONDS.items():
        count, rest = divmod(rest, size)
        text += f"{count}{unit}" if count else ""
    return text or "0s"


def format_measured(seconds: float) -> str:
    """A measured time in about three figures: `25.3ms`, `7.05s`, `2m23s`; what no clock shows is still written."""
    if round(seconds, 3) < 1:
        return f"{format_figures(seconds * 1000)}ms"
    brief = f"{seconds:.3g}"
    return format_duration(timedelta(seconds=round(seconds))) if 60 <= float(brief) < _SENSIBLE else f"{brief}s"


def format_figures(value: float) -> str:
    """Write a number in three figures, such as `1090` or `65.4`, never with an exponent."""
    return f"{Decimal(f'{value:.3g}'):f}"


def parse_percent(value: Any) -> Decimal:
    """Read `99%` or `99.9%` as a fraction between 0 and 1.

    Raises:
        ValueError: if the text is not a number from 0 to 100 followed by `%`.
    """
    if isinstance(value, Decimal):
        return value
    if not isinstance(value, str) or not re.fullmatch(PERCENT_PATTERN, value):
        raise ValueError(
            f"{value!r} is not a percentage; write a number from 0 to 100, with at most three decimals, and a %, "
            'such as "99.5%"'
        )
    return Decimal(value.removesuffix("%")) / 100


def format_percent(value: Decimal) -> str:
    """Write a fraction between 0 and 1 as a percentage with at most three decimals."""
    return f"{(value * 100).quantize(Decimal('0.001')).normalize():f}%"


def parse_quantity(value: Any) -> str:
    """Check a Kubernetes quantity such as `500m`, `4` or `16Gi`; a bare whole number becomes text.

    Raises:
        ValueError: if it is not a number that is at least 0, or has an unknown unit.
    """
    text = str(value)
    if isinstance(value, bool) or not isinstance(value, int | str) or not re.fullmatch(QUANTITY_PATTERN, text):
        raise ValueError(f"{value!r} is not a Kubernetes quantity; write for example 500m, 4 or 16Gi")
    return text


def parse_int_or_percent(value: Any) -> int | str:
    """Check a `maxSurge`-like value: a whole number of at least 0, or a percentage such as `25%`.

    Raises:
        ValueError: if it is neither.
    """
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, str) and re.fullmatch(INT_OR_PERCENT_PATTERN, value):
        return value
    raise ValueError(f'{value!r} is neither a whole number of at least 0 nor a percentage such as "25%"')


def within(low: str, high: str) -> Check:
    """Bounds of a `Duration`, both included."""
    least, most = parse_duration(low), parse_duration(high)
    return Check(
        cel=f"duration(self) >= duration('{low}') && duration(self) <= duration('{high}')",
        holds=lambda value: least <= value <= most,
        message=f"must be from {low} to {high}",
    )


def between(low: str, high: str) -> Check:
    """Bounds of a `Percent`, both included."""
    least, most = parse_percent(low), parse_percent(high)
    number = "double(self.replace('%', ''))"
    return Check(
        cel=f"{number} >= {float(least * 100)} && {number} <= {float(most * 100)}",
        holds=lambda value: least <= value <= most,
        message=f"must be from {low} to {high}",
    )


def _zoned(text: str) -> str:
    if datetime.fromisoformat(text).tzinfo is None:
        raise ValueError("must have a time zone")
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
    PlainValidator(parse_quantity),
    WithJsonSchema({"x-kubernetes-int-or-string": True, "pattern": QUANTITY_PATTERN, "minimum": 0, "maxLength": 28}),
]
IntOrPercent = Annotated[
    int | str,
    PlainValidator(parse_int_or_percent),
    WithJsonSchema(
        {"x-kubernetes-int-or-string": True, "pattern": INT_OR_PERCENT_PATTERN, "minimum": 0, "maxLength": 4}
    ),
]
ObjectName = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", min_length=1, max_length=253)
]
LabelKey = Annotated[str, StringConstraints(pattern=LABEL_KEY_PATTERN, max_length=317)]
LabelValue = Annotated[str, StringConstraints(pattern=r"^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$", max_length=63)]
FreeText = Annotated[str, StringConstraints(max_length=4096)]
Text = Annotated[str, StringConstraints(max_length=512)]
Time = Annotated[Text, AfterValidator(_zoned)]
Image = Annotated[str, StringConstraints(pattern=r"^[^\s]+$", max_length=512)]
UserId = Annotated[int, Field(ge=1, le=2147483647)]

LABEL_KEYS = Check(
    cel=f"self.all(key, key.matches('{LABEL_KEY_PATTERN}'))",
    holds=lambda labels: all(re.fullmatch(LABEL_KEY_PATTERN, key) for key in labels),
    message="keys must be label keys such as team or example.com/team",
)
FOREIGN_KEYS = Check(
    cel=f"self.all(key, !key.startsWith('{OWN_LABEL_PREFIX}'))",
    holds=lambda labels: not any(key.startswith(OWN_LABEL_PREFIX) for key in labels),
    message=f"keys that start with {OWN_LABEL_PREFIX} belong to the operator",
)
