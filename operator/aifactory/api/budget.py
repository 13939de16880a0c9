"""`spec.scaling.budget`: the most that replicas may take."""

import re
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

from .checks import Check
from .meta import CheckedModel

_PATTERN = r"^[0-9]{1,9}(\.[0-9]{1,4})?$"


def parse_money(value: Any) -> Decimal:
    """Read `12` or `2.50`.

    Raises:
        ValueError: if the text is not a decimal number with at most four decimals.
    """
    if isinstance(value, Decimal):
        return value
    if not isinstance(value, str) or not re.fullmatch(_PATTERN, value):
        raise ValueError(f'{value!r} is not an amount; write a number in quotes, such as "2.50"')
    return Decimal(value)


_POSITIVE = Check(cel="double(self) > 0.0", holds=lambda amount: amount > 0, message="must be above 0")
Money = Annotated[
    Decimal,
    BeforeValidator(parse_money),
    PlainSerializer(lambda amount: f"{amount:f}", return_type=str),
    WithJsonSchema({"type": "string", "pattern": _PATTERN, "maxLength": 14}),
    _POSITIVE,
]


class Budget(CheckedModel):
    """The most that all replicas together may take; where both are given, the smaller one counts."""

    checks = (
        Check(
            cel="has(self.gpus) || has(self.costPerHour)",
            holds=lambda budget: budget.gpus is not None or budget.cost_per_hour is not None,
            message="is required, or costPerHour: a budget without either limits nothing",
            field="gpus",
        ),
        Check(
            cel="has(self.costPerHour) == has(self.gpuCostPerHour)",
            holds=lambda budget: (budget.cost_per_hour is None) == (budget.gpu_cost_per_hour is None),
            message="belongs to costPerHour: set both or neither",
            field="gpuCostPerHour",
        ),
    )
    gpus: int | None = Field(default=None, ge=1, le=100_000, description="Most GPUs.")
    cost_per_hour: Money | None = Field(default=None, description='Most that an hour may cost, such as "40".')
    gpu_cost_per_hour: Money | None = Field(
        default=None, description='What a GPU costs an hour, in the same currency, such as "2.50".'
    )
