"""What a service costs."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from aifactory.api.coststatus import CostBasis
from aifactory.api.factory import AIFactorySpec
from aifactory.observed import Observed
from aifactory.runtimes import Role

from .holdings import holdings, product_of
from .rates import made

_SECONDS_PER_HOUR = 3600
_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Price:
    """What one GPU costs an hour."""

    amount: Decimal
    basis: CostBasis


@dataclass(frozen=True, slots=True)
class Cost:
    """What the GPUs that are held cost an hour."""

    gpus: int
    per_hour: Decimal
    basis: CostBasis


@dataclass(frozen=True, slots=True)
class Unpriced:
    """Some GPUs have no price. `product` is theirs, empty if the spec leaves it open."""

    product: str


def price(role: Role, product: str, factory: AIFactorySpec) -> Price | None:
    """What a GPU of a role costs: by its budget, or else by the catalogue's entry of the product."""
    budget = role.spec.scaling.budget if role.spec.scaling else None
    if budget is not None and budget.gpu_cost_per_hour is not None:
        return Price(budget.gpu_cost_per_hour, CostBasis.BUDGET)
    entry = factory.accelerator(product)
    amount = entry.price_per_gpu_hour if entry else None
    return None if amount is None else Price(amount, CostBasis.CATALOGUE)


def cost(roles: Sequence[Role], observed: Observed, factory: AIFactorySpec) -> Cost | Unpriced | None:
    """What a service costs now; None where it never has GPUs."""
    prices: dict[tuple[str, str], Price] = {}
    found = holdings(roles, observed)
    asked = [(role, product_of(role)) for role in roles if role.accelerated]
    for role, product in (*asked, *((one.role, one.product) for one in found)):
        known = price(role, product, factory)
        if known is None:
            return Unpriced(product)
        prices[role.name, product] = known
    if not prices:
        return None
    bases = {known.basis for known in prices.values()}
    return Cost(
        sum(one.gpus for one in found),
        sum((one.gpus * prices[one.role.name, one.product].amount for one in found), Decimal(0)),
        bases.pop() if len(bases) == 1 else CostBasis.MIXED,
    )


def per_million(per_hour: Decimal, tokens_per_second: float | None) -> Decimal | None:
    """What a million tokens cost at a rate; None while there are none."""
    rate = made(tokens_per_second)
    return None if rate is None else per_hour / (Decimal(rate) * _SECONDS_PER_HOUR) * _MILLION
