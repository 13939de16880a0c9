"""What a service costs: the GPUs that its pods hold, by the right price, and no others."""

from decimal import Decimal
from typing import Any

import pytest
from aifactory.api.coststatus import CostBasis
from aifactory.api.factory import NOTHING, AIFactorySpec
from aifactory.api.role import RoleName
from aifactory.factory.cost import Cost, Unpriced, cost, per_million
from aifactory.observed import Group, Observed
from aifactory.together import folded
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.factory.scene import B200, BUDGET, CATALOGUE, H100, holding, parts, pod

BUDGETED = {"scaling": {"maxReplicas": 8, "budget": BUDGET}}
SPLIT = {"prefill": {"scaling": {"maxReplicas": 4, "budget": BUDGET}}, "decode": {"scaling": {"maxReplicas": 8}}}


def priced(*pods: Any, **spec: Any) -> Cost:
    found = cost(parts(**spec), holding(*pods), CATALOGUE)
    assert isinstance(found, Cost)
    return found


def test_gpus_cost_what_the_catalogue_says_of_their_product() -> None:
    assert priced(pod("a", 4), pod("b", 4)) == Cost(8, Decimal("20.00"), CostBasis.CATALOGUE)


def test_the_budget_of_the_service_is_its_price() -> None:
    assert priced(pod("a", 2), **BUDGETED) == Cost(2, Decimal("6.00"), CostBasis.BUDGET)
    found = cost(parts(None, **BUDGETED), holding(pod(product="")), NOTHING)
    assert found == Cost(1, Decimal("3.00"), CostBasis.BUDGET)


def test_pods_that_load_or_leave_hold_their_gpus() -> None:
    assert priced(pod("loads", ready=False), pod("leaves", terminating=True), pod("serves")).gpus == 3


def test_pods_without_a_node_hold_none() -> None:
    assert priced(pod("waits", ready=False, devices=(), product="")) == Cost(0, Decimal(0), CostBasis.CATALOGUE)


def test_every_pod_of_a_replica_of_several_counts() -> None:
    members = tuple(pod(f"r-{rank}", 8, replica="0", nodes=2, leader=rank == 0) for rank in range(2))
    group = Group(pods=folded(members), members=members)
    found = cost(parts(accelerator={"nodes": 2, "count": 8}), Observed({}, {RoleName.MODEL_SERVER: group}), CATALOGUE)
    assert found == Cost(16, Decimal("40.00"), CostBasis.CATALOGUE)


def test_a_canary_counts() -> None:
    found = cost(parts(), holding(pod("a"), canary=(pod("b", 2),)), CATALOGUE)
    assert found == Cost(3, Decimal("7.50"), CostBasis.CATALOGUE)


def test_prefill_and_decode_go_by_their_own_prices_and_frontends_are_free() -> None:
    split = parts(engine="dynamo", topology={"disaggregated": SPLIT})
    groups = {
        RoleName.FRONTEND: Group(pods=(pod("f", devices=(), product=""),)),
        RoleName.PREFILL: Group(pods=(pod("p", 2),)),
        RoleName.DECODE: Group(pods=(pod("d", 4), pod("e", 4))),
    }
    assert cost(split, Observed({}, groups), CATALOGUE) == Cost(10, Decimal("26.00"), CostBasis.MIXED)


def test_pods_of_the_former_spec_cost_what_theirs_do() -> None:
    old, new = pod("old", 2, product=B200), pod("new", 1)
    assert priced(old, new).per_hour == Decimal("15.00")


def test_pods_of_a_role_that_is_no_more_count_until_they_are_gone() -> None:
    found = cost(parts(), holding(pod("p", 2), role=RoleName.PREFILL), CATALOGUE)
    assert found == Cost(2, Decimal("5.00"), CostBasis.CATALOGUE)


def test_only_the_accelerator_counts_among_the_devices_of_a_pod() -> None:
    assert priced(pod(devices=(("rdma/hca", 1), ("nvidia.com/gpu", 2)))).gpus == 2


def test_a_pod_whose_gpus_had_another_resource_name_counts() -> None:
    assert priced(pod(devices=(("nvidia.com/gpu.shared", 2),))).gpus == 2


def test_gpus_of_a_claim_are_those_that_the_spec_asks_for() -> None:
    claimed = {"accelerator": {"resourceClaimTemplate": "two-gpus", "count": 2}}
    assert priced(pod(devices=(), claims_gpus=True), pod("b", devices=(), claims_gpus=True), **claimed).gpus == 4


def test_a_product_chosen_by_the_pod_template_has_its_price() -> None:
    chosen = {"podTemplate": {"nodeSelector": {"nvidia.com/gpu.product": B200}}}
    assert cost(parts(None, **chosen), Observed(), CATALOGUE) == Cost(0, Decimal(0), CostBasis.CATALOGUE)


@pytest.mark.parametrize(("product", "missing"), [("NVIDIA-L4", "NVIDIA-L4"), (None, "")])
def test_without_a_price_there_is_no_cost(product: str | None, missing: str) -> None:
    assert cost(parts(product), holding(pod(product=product or "")), CATALOGUE) == Unpriced(missing)


def test_one_pod_without_a_price_makes_the_whole_unknown() -> None:
    assert cost(parts(), holding(pod("a"), pod("b", product="NVIDIA-L4")), CATALOGUE) == Unpriced("NVIDIA-L4")


def test_an_entry_with_watts_alone_has_no_price() -> None:
    catalogue = AIFactorySpec.model_validate({"accelerators": [{"product": H100, "wattsPerGPU": 700}]})
    assert cost(parts(), Observed(), catalogue) == Unpriced(H100)


def test_a_million_tokens_cost_what_the_gpus_do_while_they_are_made() -> None:
    # 1,000 tokens/s are 3.6 million an hour.
    assert per_million(Decimal("7.20"), 1000.0) == Decimal(2)


@pytest.mark.parametrize("rate", [None, 0.0, 0.04])
def test_no_tokens_have_no_price(rate: float | None) -> None:
    assert per_million(Decimal("7.20"), rate) is None


@given(st.decimals("0.0001", "99999", places=4), st.floats(0.05, 1e9))
def test_what_a_million_tokens_cost_pays_for_the_hour(per_hour: Decimal, rate: float) -> None:
    each = per_million(per_hour, rate)
    assert each is not None
    assert float(each) * rate * 3600 / 1e6 == pytest.approx(float(per_hour), rel=1e-9)


@given(st.lists(st.integers(1, 16), max_size=20))
def test_an_hour_costs_every_gpu_once(counts: list[int]) -> None:
    found = priced(*(pod(str(index), count) for index, count in enumerate(counts)))
    assert (found.gpus, found.per_hour) == (sum(counts), sum(counts) * Decimal("2.50"))
