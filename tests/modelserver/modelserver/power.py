"""How busy the GPU is and what it draws, smoothed as a sampling exporter would see it."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp


@dataclass(slots=True)
class SmoothedLevel:
    """A level in 0..1 seen through a first-order lag of `window` seconds."""

    window: float
    level: float = 0.0
    target: float = 0.0
    since: float = 0.0

    def read(self, now: float) -> float:
        return self.target + (self.level - self.target) * exp(-max(0.0, now - self.since) / self.window)

    def set(self, target: float, now: float) -> None:
        self.level, self.target, self.since = self.read(now), target, now


class PowerMeter:
    """Utilisation is the share of time in iterations; draw also rises with the fill of the batch.

    An H100 that decodes one sequence already draws about half of its span: memory traffic for the weights does not
    depend on the batch.
    """

    SMALLEST_BATCH_SHARE = 0.5

    def __init__(self, idle_watts: float, full_watts: float, window: float = 5.0) -> None:
        self._idle = idle_watts
        self._span = full_watts - idle_watts
        self._busy = SmoothedLevel(window)
        self._draw = SmoothedLevel(window)

    def working(self, fill: float, now: float) -> None:
        """An iteration runs from now on with the batch filled to `fill`, 0 to 1."""
        self._busy.set(1.0, now)
        self._draw.set(self.SMALLEST_BATCH_SHARE + (1 - self.SMALLEST_BATCH_SHARE) * fill, now)

    def resting(self, now: float) -> None:
        self._busy.set(0.0, now)
        self._draw.set(0.0, now)

    def utilization(self, now: float) -> float:
        """Percent, 0 to 100."""
        return 100.0 * self._busy.read(now)

    def watts(self, now: float) -> float:
        return self._idle + self._span * self._draw.read(now)
