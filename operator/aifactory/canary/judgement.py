"""Is the canary worse than the stable replicas? From counts of requests within the targets.

Two shares of few requests differ by chance. The difference is therefore taken at the lower end of its confidence
interval, by Newcombe's hybrid of two Wilson score intervals (R. G. Newcombe, "Interval estimation for the difference
between independent proportions", Statistics in Medicine 17, 1998, method 10), which is sound for shares of 0 and 1:

    lower = p1 - p2 - sqrt((p1 - l1)^2 + (u2 - p2)^2)

with l1 the lower Wilson bound of the stable share p1, and u2 the upper one of the canary's share p2 (E. B. Wilson,
"Probable inference", JASA 22, 1927). A canary is worse when `lower` is above the tolerance.

A step is looked at again and again, and many looks find something sooner or later. So looks before its end ask for
three standard errors (Haybittle 1971, Peto 1976), the one at its end for 1.64 (one in twenty).
"""

from dataclasses import dataclass
from math import sqrt

from aifactory.api.rollout import Track
from aifactory.signals.objectives import Signal
from aifactory.signals.readings import State
from aifactory.signals.tracks import Tally, TrackObjective, TrackReadings

EARLY_Z = 3.0
FINAL_Z = 1.645


@dataclass(frozen=True, slots=True)
class Comparison:
    """One objective on both tracks, counted in independent observations."""

    signal: Signal
    stable: Tally
    canary: Tally

    def worse_by(self, z: float) -> float:
        """Attainment (-1 to 1) that the canary surely lacks, at `z` standard errors."""
        low, high = wilson(self.stable, z)[0], wilson(self.canary, z)[1]
        stable, canary = self.stable.share, self.canary.share
        return stable - canary - sqrt((stable - low) ** 2 + (high - canary) ** 2)


def comparisons(readings: TrackReadings) -> tuple[Comparison, ...]:
    """The objectives that were observed on both tracks.

    Tokens of one request are slow together: no objective counts for more observations than there were requests.
    """
    return tuple(
        Comparison(
            one.signal,
            _at_most(one.stable, readings.requests.get(Track.STABLE, 0.0)),
            _at_most(one.canary, readings.requests.get(Track.CANARY, 0.0)),
        )
        for one in readings.objectives
        if _observed(one)
    )


def wilson(tally: Tally, z: float) -> tuple[float, float]:
    """Lower and upper bound of the share behind a tally; 0 and 1 without observations."""
    if tally.total <= 0:
        return 0.0, 1.0
    n, share = tally.total, tally.share
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return max(0.0, middle - half), min(1.0, middle + half)


def _observed(one: TrackObjective) -> bool:
    return one.state is State.OK and one.stable.total > 0 and one.canary.total > 0


def _at_most(tally: Tally, requests: float) -> Tally:
    if not 0 < requests < tally.total:
        return tally
    return Tally(tally.within * requests / tally.total, requests)
