"""What a service costs."""

from collections.abc import Iterator

from aifactory.api.status import CostBasis, CostStatus

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
