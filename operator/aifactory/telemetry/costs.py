"""Gauges of what services cost, and of the power that they draw."""

from collections.abc import Iterator, Mapping
from typing import Any

from .statuses import Gauges, Sample

# Name after `aifactory_service_`: help, further labels.
COST_GAUGES: Gauges = {
    "gpus": ("GPUs that the pods hold, as status.cost counts them.", ()),
    "cost_per_hour": ("What they cost, in the currency of the prices.", ()),
    "cost_per_million_tokens": (
        "What a million tokens cost: all, of prompts and answers, or output, where only those of answers count.",
        ("kind",),
    ),
    "watts": ("Power of the GPUs that the pods hold, by its basis: Measured or Rated.", ("basis",)),
    "tokens_per_watt": ("Prompt and output tokens per second for each watt, that is tokens per joule.", ()),
}
_COST = {
    "gpus": ("gpus", ()),
    "pricePerHour": ("cost_per_hour", ()),
    "perMillionTokens": ("cost_per_million_tokens", ("all",)),
    "outputPerMillionTokens": ("cost_per_million_tokens", ("output",)),
}


def cost(seen: Mapping[str, Any]) -> Iterator[Sample]:
    """Samples of `status.cost`."""
    for field, (name, labels) in _COST.items():
        if field in seen:
            yield name, labels, float(seen[field])


def energy(seen: Mapping[str, Any]) -> Iterator[Sample]:
    """Samples of `status.energy`."""
    if seen:
        yield "watts", (seen["basis"],), float(seen["watts"])
    if "tokensPerWatt" in seen:
        yield "tokens_per_watt", (), float(seen["tokensPerWatt"])
