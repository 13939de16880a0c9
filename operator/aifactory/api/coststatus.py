"""What the status of an InferenceService says of money and power. Decimals are strings."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from .meta import FreeText, Model

_Amount = Annotated[str, Field(max_length=32)]


class CostBasis(StrEnum):
    """Where prices come from."""

    BUDGET = "Budget"  # scaling.budget.gpuCostPerHour of the service
    CATALOGUE = "Catalogue"  # spec.accelerators of the AIFactory
    MIXED = "Mixed"  # of some roles this, of others that


class CostStatus(Model):
    """What the service costs, in the currency of the prices.

    Amounts per tokens have three figures and stay as written until they are wrong by more than 5%.
    """

    basis: CostBasis | None = Field(
        default=None,
        description="Where the price of a GPU comes from: Budget (scaling.budget.gpuCostPerHour of the service), "
        "Catalogue (spec.accelerators of the AIFactory) or Mixed (some roles this, others that). None: no price known.",
    )
    gpus: int | None = Field(
        default=None,
        description="GPUs that its pods hold: of all roles and tracks, ready or not, those that are leaving included.",
    )
    price_per_hour: _Amount | None = Field(default=None, description="What these GPUs cost an hour.")
    per_million_tokens: _Amount | None = Field(
        default=None,
        description="What a million tokens, of prompts and of answers, cost at the rate of `window`. None while there "
        "are none, or the engine does not count both.",
    )
    output_per_million_tokens: _Amount | None = Field(
        default=None,
        description="The same where only tokens of answers count: all that the GPUs cost, for a million of them.",
    )
    window: _Amount | None = Field(default=None, description="How far back tokens were counted, such as 1m.")
    message: FreeText | None = Field(default=None, description="Without a price: what to set.")


class EnergyBasis(StrEnum):
    """Where watts come from."""

    MEASURED = "Measured"  # DCGM exporter
    RATED = "Rated"  # spec.accelerators of the AIFactory


class EnergyStatus(Model):
    """What power its GPUs draw, and what it makes of it.

    Numbers have three figures and stay as written until they are wrong by more than 5%.
    """

    basis: EnergyBasis = Field(
        description="Measured (mean over the metrics window of what DCGM exporter reports of each pod's GPUs) or Rated "
        "(wattsPerGPU of spec.accelerators of the AIFactory)."
    )
    watts: _Amount = Field(
        description="Watts of the GPUs that its pods hold, as status.cost counts them, without hosts."
    )
    tokens_per_watt: _Amount | None = Field(
        default=None,
        description="Tokens of prompts and answers per second for each watt, that is tokens per joule. None while "
        "there are none, or the engine does not count both.",
    )
