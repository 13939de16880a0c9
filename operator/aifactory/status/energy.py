"""What power a service draws, and what it makes of it, as text."""

from aifactory.api.coststatus import EnergyStatus
from aifactory.factory.energy import power, tokens_per_watt
from aifactory.factory.holdings import holdings

from .amounts import steadied
from .facts import Facts


def status(facts: Facts) -> EnergyStatus | None:
    """Of all GPUs that its pods hold; None where none are, or nobody knows what they draw.

    Until signals were read it stays as it was.
    """
    if facts.readings is None:
        return facts.before.energy
    found = power(holdings([one.role for one in facts.roles], facts.observed), facts.watts, facts.factory)
    if found is None:
        return None
    before = facts.before.energy
    known = before if before and before.basis == found.basis else None
    tokens = facts.readings.tokens if facts.serving else None
    return EnergyStatus(
        basis=found.basis,
        watts=steadied(found.watts, known.watts if known else None),
        tokens_per_watt=steadied(tokens_per_watt(found.watts, tokens), known.tokens_per_watt if known else None),
    )
