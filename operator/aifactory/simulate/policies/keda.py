"""llm-d's guide to autoscaling on objectives with KEDA."""

from collections import deque
from collections.abc import Mapping
from math import ceil, floor
from statistics import fmean

from aifactory.signals.objectives import Signal
from aifactory.signals.queries import HISTOGRAM_OF

from .base import Choice, Seen
from .hpa import SYNC_SECONDS, Behavior, Rules, tolerated

WINDOW_SECONDS = 60.0
AVERAGED_SECONDS = 45.0
QUANTILE = 0.9
HIGHEST = 2.0
UP_ABOVE = 0.55
DOWN_BELOW = 0.40
UP = Rules(percent=100, pods=4, period=60.0, window=30.0)
DOWN = Rules(percent=0, pods=1, period=120.0, window=180.0)


class KedaSLO:
    """The law of the guide "SLO-aware autoscaling with KEDA" of llm-d, as published, with its constants.

    s is the larger of P90 TTFT and P90 time per output token over their objectives (of requests, as the endpoint picker
    records them; rates over 1 minute, no traffic is 0), capped at 2 and averaged over 45 s. Above 0.55: n + ceil(n (s c
    / 0.55 - 1)) with c the ready share of the n replicas; below 0.40: n - floor(n (1 - s / 0.40)). An HPA carries it
    out: nothing within its tolerance of a tenth, up 100 % or 4 pods per 60 s after 30 s, down 1 pod per 120 s after
    180 s. Histograms have the edges of the engine, and a first token is seen at once, not at the end of its request.
    """

    every = SYNC_SECONDS
    initial: int | None = None

    def __init__(self, targets: Mapping[Signal, float]) -> None:
        self._targets = {signal: targets[signal] for signal in (Signal.TTFT, Signal.ITL) if signal in targets}
        self._behavior = Behavior(UP, DOWN)
        self._shares: deque[tuple[float, float]] = deque()

    def decide(self, seen: Seen) -> Choice:
        """One sync."""
        now, current = seen.now, seen.replicas
        self._shares.append((now, min(HIGHEST, self._share(seen))))
        while self._shares[0][0] <= now - AVERAGED_SECONDS:
            self._shares.popleft()
        share = fmean(value for _, value in self._shares)
        asked = wanted(current, seen.ready, share)
        asked = current if current and tolerated(asked / current) else asked
        return Choice(self._behavior.limited(current, asked, now))

    def _share(self, seen: Seen) -> float:
        shares = [0.0]
        for signal, target in self._targets.items():
            histogram = seen.prometheus.histogram(HISTOGRAM_OF[signal], seen.now, WINDOW_SECONDS)
            quantile = histogram.quantile(QUANTILE) if histogram else None
            shares.append((quantile or 0.0) / target)
        return max(shares)


def wanted(current: int, ready: int, share: float) -> int:
    """Replicas by the formula of the guide; `share` is s."""
    credit = ready / current if 0 < ready < current else 1.0
    if share > UP_ABOVE:
        return current + ceil(current * (share * credit / UP_ABOVE - 1))
    if share < DOWN_BELOW:
        return current - floor(current * (1 - share / DOWN_BELOW))
    return current
