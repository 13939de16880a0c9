"""What a service costs, as text."""

from datetime import timedelta

from aifactory.api.coststatus import CostStatus
from aifactory.api.factory import KIND, SINGLETON
from aifactory.api.meta import format_duration
from aifactory.factory.cost import Cost, Unpriced, cost, per_million

from .amounts import money, steadied
from .facts import Facts

_NOTHING = CostStatus()


def status(facts: Facts) -> CostStatus | None:
    """Of all GPUs that its pods hold; None where there never are any.

    Until signals were read, what tokens cost stays as it was.
    """
    found = cost([one.role for one in facts.roles], facts.observed, facts.factory)
    if found is None:
        return None
    return CostStatus(message=_missing(found)) if isinstance(found, Unpriced) else _priced(found, facts)


def _missing(found: Unpriced) -> str:
    catalogue = f"spec.accelerators of the {KIND} {SINGLETON}"
    entry = (
        f"give {found.product} a pricePerGPUHour in {catalogue}"
        if found.product
        else f"set accelerator.product, and its pricePerGPUHour in {catalogue}"
    )
    return f"what a GPU costs is not known: {entry}, or set gpuCostPerHour and costPerHour in scaling.budget"


def _priced(found: Cost, facts: Facts) -> CostStatus:
    before = facts.before.cost or _NOTHING
    per_hour, readings = money(found.per_hour), facts.readings
    known = before if before.price_per_hour == per_hour else _NOTHING
    shown = CostStatus(basis=found.basis, gpus=found.gpus, price_per_hour=per_hour)
    if not facts.serving:
        return shown
    if readings is None:
        kept = {name: getattr(known, name) for name in ("per_million_tokens", "output_per_million_tokens", "window")}
        return shown.model_copy(update=kept)
    both = per_million(found.per_hour, readings.tokens)
    output = per_million(found.per_hour, readings.generation_tokens.usable)
    rates = {
        "per_million_tokens": steadied(both, known.per_million_tokens),
        "output_per_million_tokens": steadied(output, known.output_per_million_tokens),
    }
    window = format_duration(timedelta(seconds=readings.window_seconds)) if any(rates.values()) else None
    return shown.model_copy(update={**rates, "window": window})
