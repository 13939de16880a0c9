"""What a service costs, and what power it draws."""

from collections.abc import Iterator

from aifactory.api.coststatus import CostBasis, CostStatus, EnergyStatus

from .words import counted

_BY = {
    CostBasis.BUDGET: "by gpuCostPerHour of its budget",
    CostBasis.CATALOGUE: "by the AIFactory's prices",
    CostBasis.MIXED: "by gpuCostPerHour of budgets and the AIFactory's prices",
}


def cost(seen: CostStatus | None) -> Iterator[str]:
    """An hour, and a million tokens; or what to set where no price is known."""
    if seen is None:
        return
    if seen.basis is None or seen.gpus is None:
        yield f"Cost: {seen.message}."
        return
    told = [f"{seen.price_per_hour} an hour for {counted(seen.gpus, 'GPU')}, {_BY[seen.basis]}"]
    told += [f"{seen.per_million_tokens} for a million tokens"] * bool(seen.per_million_tokens)
    told += [f"{seen.output_per_million_tokens} for a million output tokens"] * bool(seen.output_per_million_tokens)
    lately = f" at the rate of the last {seen.window}" * bool(seen.window)
    yield f"Cost: {', '.join(told)}{lately}."


def energy(seen: EnergyStatus | None) -> Iterator[str]:
    """Watts, and tokens for each of them."""
    if seen is not None:
        made = f", {seen.tokens_per_watt} tokens/s for each watt (tokens per joule)" * bool(seen.tokens_per_watt)
        yield f"Energy: {seen.watts} W ({seen.basis.lower()}){made}."
