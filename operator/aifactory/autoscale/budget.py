"""How much of the promise is used up: requests that were too late, against those that may be."""

from dataclasses import dataclass
from math import exp

from aifactory.signals.readings import ObjectiveReading

_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Budget:
    """Requests of about the last hour, and those of them that missed the worst objective, exponentially forgotten."""

    time: float = 0.0
    requests: float = 0.0
    missed: float = 0.0

    def seen(self, objectives: tuple[ObjectiveReading, ...], window: float, now: float) -> "Budget":
        """With what objectives say of the last `window` seconds; it counts for the time that has passed.

        What was missed is forgotten when there is nothing to keep, too.
        """
        passed = min(max(0.0, now - self.time), window)
        keep = exp(-max(0.0, now - self.time) / _SECONDS)
        known = [(one.missed, one.observations) for one in objectives if one.missed is not None and one.observations]
        if not known:
            return Budget(now, self.requests, keep * self.missed)
        share = max(missed for missed, _ in known)
        requests = max(observations for _, observations in known) / window * passed
        return Budget(now, keep * self.requests + requests, keep * self.missed + share * requests)

    def spent(self, attainment: float) -> float:
        """Missed requests over those that `attainment` (0 to 1) allows; above 1 the promise is broken."""
        allowed = (1 - attainment) * self.requests
        return self.missed / allowed if allowed else 0.0
