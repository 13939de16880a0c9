"""How well a model of the load has done: its back-test."""

from dataclasses import dataclass
from math import exp, sqrt

MEMORY_SECONDS = 3600.0
"""For how long it is remembered how forecasts did."""
# Until it was judged, a forecast is taken to fall short by this share of the load.
_PRIOR_SHORTFALL = 0.1
PRIOR_BINS = 15.0
"""That counts for as much as so many bins: with fewer, more of the error is assumed than was seen."""
# A shortfall of load costs so many times an excess: it is missed requests against idle replicas (pinball loss, 97 %).
_SHORT_TO_EXCESS = 33.0


@dataclass(frozen=True, slots=True)
class Track:
    """Mean squares of the shortfalls and of the `loads` that came (tokens per second), and mean cost.

    Over `weight` bins of about the last hour.
    """

    square: float = 0.0
    cost: float = 0.0
    weight: float = 0.0
    loads: float = 0.0

    def judged(self, forecast: float, load: float, seconds: float) -> "Track":
        """With a forecast and the load that came, of a bin of `seconds`."""
        lack = max(0.0, load - forecast)
        excess = forecast + self.shortfall(forecast) - load
        cost = excess if excess > 0 else -_SHORT_TO_EXCESS * excess
        weight = exp(-seconds / MEMORY_SECONDS) * self.weight + 1
        return Track(
            self.square + (lack**2 - self.square) / weight,
            self.cost + (cost - self.cost) / weight,
            weight,
            self.loads + (load**2 - self.loads) / weight,
        )

    def shortfall(self, load: float) -> float:
        """Root mean square (tokens per second) by which loads are higher than forecasts of about `load`."""
        prior = PRIOR_BINS * (_PRIOR_SHORTFALL * load) ** 2
        return sqrt((prior + self.weight * self.square) / (PRIOR_BINS + self.weight))

    @property
    def error(self) -> float:
        """Root mean square of the shortfalls over that of the loads that came, 0 to 1."""
        load = sqrt(self.loads)
        return min(1.0, self.shortfall(load) / load) if load else _PRIOR_SHORTFALL
