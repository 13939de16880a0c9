"""What power the GPUs of a service draw."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal

from aifactory.api.coststatus import EnergyBasis
from aifactory.api.factory import AIFactorySpec

from .holdings import Holding
from .rates import made


@dataclass(frozen=True, slots=True)
class Power:
    """Watts of all GPUs that are held."""

    watts: Decimal
    basis: EnergyBasis


def power(held: Collection[Holding], measured: Mapping[str, float], factory: AIFactorySpec) -> Power | None:
    """Power of pods with GPUs: measured, by pod, if it is of all of them, or else rated; None where neither is known.

    Parts of both would be comparable with neither.
    """
    if not held:
        return None
    if all(measured.get(one.pod) for one in held):
        return Power(Decimal(sum(measured[one.pod] for one in held)), EnergyBasis.MEASURED)
    rated = 0
    for one in held:
        entry = factory.accelerator(one.product)
        if entry is None or entry.watts_per_gpu is None:
            return None
        rated += one.gpus * entry.watts_per_gpu
    return Power(Decimal(rated), EnergyBasis.RATED)


def tokens_per_watt(watts: Decimal, tokens_per_second: float | None) -> Decimal | None:
    """Tokens per second for each watt, which is tokens per joule; None while there are no tokens."""
    rate = made(tokens_per_second)
    return None if rate is None else Decimal(rate) / watts
