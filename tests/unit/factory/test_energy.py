"""What power a service draws: measured of all its GPUs, or rated of all, never a part."""

from decimal import Decimal
from typing import Any

import pytest
from aifactory.api.coststatus import EnergyBasis
from aifactory.factory.energy import Power, power, tokens_per_watt
from aifactory.factory.holdings import holdings

from tests.unit.factory.scene import B200, CATALOGUE, H100, holding, parts, pod


def drawn(*pods: Any, product: str | None = H100, **measured: float) -> Power | None:
    return power(holdings(parts(product), holding(*pods)), measured, CATALOGUE)


def test_measured_power_is_that_of_its_own_pods() -> None:
    assert drawn(pod("a"), pod("b"), a=400.0, b=350.5, other=700.0) == Power(Decimal("750.5"), EnergyBasis.MEASURED)


def test_power_is_rated_while_a_pod_is_not_measured() -> None:
    assert drawn(pod("a", 2), pod("b", 1), a=900.0) == Power(Decimal(2100), EnergyBasis.RATED)


def test_a_gpu_that_draws_nothing_is_not_measured() -> None:
    assert drawn(pod("a"), a=0.0) == Power(Decimal(700), EnergyBasis.RATED)


def test_each_pod_has_the_rated_power_of_its_product() -> None:
    assert drawn(pod("a", 2), pod("b", 1, product=B200)) == Power(Decimal(2400), EnergyBasis.RATED)


def test_one_gpu_of_unknown_power_makes_the_whole_unknown() -> None:
    assert drawn(pod("a"), pod("b", product="NVIDIA-L4")) is None


def test_measured_power_needs_no_catalogue() -> None:
    assert drawn(pod("a", product=""), product=None, a=300.0) == Power(Decimal(300), EnergyBasis.MEASURED)


def test_no_gpus_draw_no_power() -> None:
    assert drawn(pod("waits", devices=())) is None


def test_tokens_per_watt_are_tokens_per_joule() -> None:
    assert tokens_per_watt(Decimal(500), 1000.0) == 2


@pytest.mark.parametrize("rate", [None, 0.0])
def test_without_tokens_there_are_none_per_watt(rate: float | None) -> None:
    assert tokens_per_watt(Decimal(500), rate) is None
