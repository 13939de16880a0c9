"""Percentiles and shares from the cumulative buckets of a Prometheus histogram."""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate, pairwise
from math import inf, log


@dataclass(frozen=True, slots=True)
class Histogram:
    """`counts[i]` observations were at or below `edges[i]` (finite, rising); `total` counts all of them."""

    edges: tuple[float, ...]
    counts: tuple[float, ...]
    total: float

    @classmethod
    def of(cls, buckets: Mapping[float, float]) -> "Histogram | None":
        """From upper edge -> cumulative count; None without the +Inf bucket, which every histogram has.

        Counts that fall with rising edges, a rounding artefact of `rate`, are lifted to the highest before them.
        """
        if inf not in buckets:
            return None
        edges = sorted(buckets)
        counts = tuple(_rising(buckets[edge] for edge in edges))
        return cls(tuple(edges[:-1]), counts[:-1], counts[-1])

    @classmethod
    def joined(cls, parts: Collection["Histogram"]) -> "Histogram":
        """The observations of all parts, which may have other edges, as pods before and after a change of these.

        At an edge of others a part counts what is surely not above it.
        """
        edges = tuple(sorted({edge for part in parts for edge in part.edges}))
        counts = tuple(sum(part._surely_within(edge) for part in parts) for edge in edges)
        return cls(edges, counts, sum(part.total for part in parts))

    def quantile(self, q: float) -> float | None:
        """The q-quantile (0 < q <= 1), a straight line inside its bucket; None without observations.

        As `histogram_quantile` of PromQL: the lowest bucket starts at 0, above the highest finite edge the answer is
        that edge.
        """
        return self._quantile(q, 0.5)

    def quantile_with_mean(self, q: float, mean: float, observations: float) -> float | None:
        """The q-quantile of `observations`, by what their `mean` tells of where in their buckets they lie.

        Buckets of engines are wide: inter-token latencies of 28 ms all lie between 25 and 50 ms, of which `quantile`
        makes a p95 of 49 ms. Here all buckets are filled from one end, evenly and just so far that the mean comes out.
        The fewer in the bucket behind are their tail, which falls as in `share_above`: what is a little above 25 ms is
        not near 50 because most are a little below 25. The answer stays in the bucket of `quantile`, so both agree
        whether a target on an edge is met.
        """
        lows = (min(0.0, self.edges[0]) if self.edges else 0.0, *self.edges)
        inside = [above - below for below, above in pairwise((0.0, *self.counts))]
        index = bisect_left(self.counts, q * self.total)
        if 0 < index < len(inside) and inside[index] < inside[index - 1]:
            return self._in_tail(q, index, observations)
        least = sum(count * low for count, low in zip(inside, lows, strict=False))
        room = sum(count * (high - low) for count, low, high in zip(inside, lows, self.edges, strict=False))
        beyond = (self.total - sum(inside)) * lows[-1]
        place = (mean * self.total - beyond - least) / room if room > 0 else 0.5
        return self._quantile(q, min(1.0, max(0.0, place)))

    def _in_tail(self, q: float, index: int, observations: float) -> float:
        """The value of bucket `index` above which `share_above` is 1 - q."""
        low, high = self.edges[index - 1], self.edges[index]
        at_low, fallen = self._shares(index, observations)
        share = max(1 - q, at_low * fallen) / at_low
        return low + (high - low) * (log(share) / log(fallen) if fallen < 1 else 1.0)

    def _shares(self, index: int, observations: float) -> tuple[float, float]:
        """The share above the low end of a bucket, and which part of it is left at its high end.

        That is half an observation at least.
        """
        at_low = max(0.0, 1 - (self.counts[index - 1] if index else 0.0) / self.total)
        at_high = max(1 - self.counts[index] / self.total, 0.5 / max(observations, 1.0))
        return at_low, min(1.0, at_high / at_low) if at_low > 0 else 1.0

    def _quantile(self, q: float, place: float) -> float | None:
        """Observations fill their buckets evenly around `place`: 0 is the low end, 0.5 all of it, 1 the high end."""
        if self.total <= 0 or not self.edges:
            return None
        rank = q * self.total
        index = bisect_left(self.counts, rank)
        if index == len(self.counts):
            return self.edges[-1]
        low, below = (self.edges[index - 1], self.counts[index - 1]) if index else (min(0.0, self.edges[0]), 0.0)
        high, inside = self.edges[index], self.counts[index] - below
        filled = 2 * min(place, 1 - place) * (high - low)
        start = low if place <= 0.5 else high - filled
        return start + filled * (rank - below) / inside if inside else high

    def edge_below(self, target: float) -> float | None:
        """The highest edge that is not above the target; None if there is none."""
        index = bisect_right(self.edges, target)
        return self.edges[index - 1] if index else None

    def share_above(self, value: float, observations: float) -> float | None:
        """The share of `observations` (0 to 1) above `value`; None without any.

        Inside a bucket it falls exponentially, as tails of latencies do, and to half an observation if none is above
        the bucket. Above the highest finite edge it is what lies beyond that edge.
        """
        if self.total <= 0 or not self.edges:
            return None
        index = bisect_left(self.edges, value)
        if index == len(self.edges):
            return 1 - self.counts[-1] / self.total
        low = self.edges[index - 1] if index else min(0.0, self.edges[0])
        at_low, fallen = self._shares(index, observations)
        if value == self.edges[index]:
            return 1 - self.counts[index] / self.total
        left: float = fallen ** ((value - low) / (self.edges[index] - low))
        return at_low * left

    def share_within(self, target: float) -> float | None:
        """The share of observations (0 to 1) surely within the target: counted at `edge_below`."""
        if self.edge_below(target) is None or self.total <= 0:
            return None
        return self._surely_within(target) / self.total

    def _surely_within(self, value: float) -> float:
        index = bisect_right(self.edges, value)
        return self.counts[index - 1] if index else 0.0


def _rising(counts: Iterable[float]) -> Iterable[float]:
    return accumulate(counts, max)
