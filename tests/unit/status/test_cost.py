"""What a status says of cost: amounts a person can read, written as rarely as they change."""

from decimal import Decimal
from typing import Any

import pytest
from aifactory.api.coststatus import CostStatus
from aifactory.api.factory import AIFactorySpec
from aifactory.signals.readings import Reading, State
from aifactory.status.amounts import figures, money, steadied
from aifactory.status.report import dump, steady
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.factory.scene import CATALOGUE, GPU, H100
from tests.unit.status.scene import Life, pod, readings, serving, workload

SERVICE = {"accelerator": {"product": H100, "count": 2}}
HELD = {"devices": ((GPU, 2),), "product": H100}
POSITIVE = st.decimals("0.00001", "999999999", allow_nan=False, allow_infinity=False)


def rates(prompt: float | None, output: float | None) -> Any:
    """What Prometheus says of tokens per second."""
    return readings(
        prompt_tokens=Reading(prompt, State.OK if prompt is not None else State.UNSUPPORTED),
        generation_tokens=Reading(output, State.OK if output is not None else State.MISSING),
    )


def seen(life: Life, *pods: Any, **more: Any) -> CostStatus:
    found = life.look(workload(1), *(pods or serving(**HELD)), factory=more.pop("factory", CATALOGUE), **more).cost
    assert found is not None
    return found


def test_the_price_of_an_hour_and_of_tokens_with_what_they_go_by() -> None:
    assert dump(seen(Life(**SERVICE), readings=rates(2000.0, 500.0))) == {
        "basis": "Catalogue",
        "gpus": 2,
        "pricePerHour": "5.00",
        "perMillionTokens": "0.556",
        "outputPerMillionTokens": "2.78",
        "window": "1m",
    }


def test_a_service_without_requests_costs_by_the_hour_alone() -> None:
    found = seen(Life(**SERVICE), readings=rates(0.0, 0.0))
    assert (found.price_per_hour, found.per_million_tokens, found.window) == ("5.00", None, None)


def test_an_engine_that_does_not_count_prompts_has_a_price_of_answers() -> None:
    found = seen(Life(**SERVICE), readings=rates(None, 500.0))
    assert (found.per_million_tokens, found.output_per_million_tokens) == (None, "2.78")


def test_gpus_that_load_a_model_cost_without_any_token() -> None:
    found = seen(Life(**SERVICE), pod(**HELD), readings=rates(2000.0, 500.0))
    assert (found.price_per_hour, found.per_million_tokens) == ("5.00", None)


def test_a_service_without_pods_costs_nothing() -> None:
    found = Life(**SERVICE).look(workload(0), factory=CATALOGUE).cost
    assert found is not None
    assert (found.gpus, found.price_per_hour) == (0, "0.00")


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        (
            SERVICE,
            f"give {H100} a pricePerGPUHour in spec.accelerators of the AIFactory default, or set gpuCostPerHour",
        ),
        ({}, "set accelerator.product, and its pricePerGPUHour in spec.accelerators of the AIFactory default"),
    ],
)
def test_without_a_price_the_status_says_what_to_set(spec: dict[str, Any], says: str) -> None:
    found = Life(**spec).look(workload(1), *serving(devices=((GPU, 2),))).cost
    assert found is not None
    assert says in found.message
    assert (found.basis, found.price_per_hour) == (None, None)


def test_noise_writes_nothing_and_a_change_is_written() -> None:
    life = Life(**SERVICE)
    before = dump(seen(life, readings=rates(2000.0, 500.0)))
    assert dump(seen(life, readings=rates(2060.0, 485.0))) == before
    assert seen(life, readings=rates(2300.0, 500.0)).per_million_tokens == "0.496"


def test_what_tokens_cost_follows_the_number_of_gpus_at_once() -> None:
    life = Life(**SERVICE)
    seen(life, *serving("a", **HELD), readings=rates(2000.0, 500.0))
    found = seen(life, *serving("a", "b", **HELD), readings=rates(2000.0, 500.0))
    assert (found.gpus, found.price_per_hour, found.per_million_tokens) == (4, "10.00", "1.11")


def test_a_price_that_changes_by_little_is_no_noise() -> None:
    life = Life(**SERVICE)
    seen(life, readings=rates(2000.0, 500.0))
    entry = {"product": H100, "pricePerGPUHour": "2.55"}
    found = seen(life, readings=rates(2000.0, 500.0), factory=AIFactorySpec.model_validate({"accelerators": [entry]}))
    assert (found.price_per_hour, found.per_million_tokens) == ("5.10", "0.567")


def test_a_restart_of_the_operator_keeps_what_was_seen() -> None:
    life = Life(**SERVICE)
    before = seen(life, readings=rates(2000.0, 500.0))
    assert seen(life) == before


def test_cost_is_a_live_number() -> None:
    life = Life(**SERVICE)
    seen(life, readings=rates(2000.0, 500.0))
    before = steady(dump(life.status))
    seen(life, readings=rates(9000.0, 500.0))
    assert steady(dump(life.status)) == before


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("0", "0.00"),
        ("5", "5.00"),
        ("2.5", "2.50"),
        ("0.1234", "0.1234"),
        ("1000.125", "1000.125"),
        ("40000", "40000.00"),
    ],
)
def test_sums_of_prices_are_exact(amount: str, text: str) -> None:
    assert money(Decimal(amount)) == text


@pytest.mark.parametrize(
    ("amount", "text"),
    [("0.0012345", "0.00123"), ("1.2", "1.20"), ("12.345", "12.3"), ("4567.8", "4570"), ("1234567", "1230000")],
)
def test_other_amounts_have_three_figures(amount: str, text: str) -> None:
    assert figures(Decimal(amount)) == text


@given(POSITIVE, POSITIVE)
def test_what_is_written_is_never_wrong_by_more_than_a_twentieth(before: Decimal, now: Decimal) -> None:
    text = steadied(now, figures(before))
    assert text is not None
    assert "E" not in text
    assert abs(Decimal(text) - now) <= Decimal("0.06") * now


@given(POSITIVE)
def test_the_same_amount_is_written_the_same(amount: Decimal) -> None:
    once = steadied(amount, None)
    assert steadied(amount, once) == once


def test_an_amount_that_is_none_is_replaced() -> None:
    assert steadied(Decimal("1.5"), "a lot") == "1.50"
