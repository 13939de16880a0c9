"""What happened to the requests, in numbers: one line per interval and a summary."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(slots=True)
class Outcome:
    """One request as its client saw it, in seconds. `failure` is the reason, empty on success."""

    ttft: float | None = None
    intervals: list[float] = field(default_factory=list)
    seconds: float = 0.0
    tokens: int = 0
    failure: str = ""

    @property
    def mean_interval(self) -> float:
        return sum(self.intervals) / len(self.intervals) if self.intervals else 0.0


def percentile(values: Sequence[float], percent: float) -> float | None:
    """The smallest value that `percent` of all are not above, None of nothing."""
    ordered = sorted(values)
    return round(ordered[max(0, -(-len(ordered) * percent // 100).__trunc__() - 1)], 4) if ordered else None


class Report:
    """Counts outcomes; `interval` reports those since its last call, `summary` all."""

    def __init__(self, slo_ttft: float | None = None, slo_itl: float | None = None) -> None:
        self.sent = 0
        self.outcomes: list[Outcome] = []
        self._slo_ttft = slo_ttft
        self._slo_itl = slo_itl
        self._reported = 0
        self._reported_sent = 0

    @property
    def in_flight(self) -> int:
        return self.sent - len(self.outcomes)

    def interval(self, at: float) -> dict[str, Any]:
        recent, self._reported = self.outcomes[self._reported :], len(self.outcomes)
        sent, self._reported_sent = self.sent - self._reported_sent, self.sent
        served = [outcome for outcome in recent if not outcome.failure]
        ttft = [outcome.ttft for outcome in served if outcome.ttft is not None]
        gaps = [gap for outcome in served for gap in outcome.intervals]
        return {
            "t": round(at, 1),
            "sent": sent,
            "completed": len(served),
            "failed": len(recent) - len(served),
            "ttft_p50": percentile(ttft, 50),
            "ttft_p95": percentile(ttft, 95),
            "itl_p95": percentile(gaps, 95),
            "in_flight": self.in_flight,
        }

    def summary(self, seconds: float) -> dict[str, Any]:
        served = [outcome for outcome in self.outcomes if not outcome.failure]
        failures = Counter(outcome.failure for outcome in self.outcomes if outcome.failure)
        summary = {
            "seconds": round(seconds, 1),
            "requests": len(self.outcomes),
            "completed": len(served),
            "failed": failures.total(),
            "failures": dict(failures),
            "aborted_streams": failures["aborted"],
            "tokens": sum(outcome.tokens for outcome in self.outcomes),
            "tokens_per_second": round(sum(outcome.tokens for outcome in self.outcomes) / max(seconds, 1e-9), 1),
            "ttft": _percentiles([outcome.ttft for outcome in served if outcome.ttft is not None]),
            "itl": _percentiles([gap for outcome in served for gap in outcome.intervals]),
            "e2e": _percentiles([outcome.seconds for outcome in served]),
        }
        if self._slo_ttft is not None or self._slo_itl is not None:
            summary["attainment"] = self._attainment()
        return summary

    def _attainment(self) -> float | None:
        """Share of requests, failed ones included, that met every objective given; ITL as the mean of a request."""
        met = sum(self._met(outcome) for outcome in self.outcomes)
        return round(met / len(self.outcomes), 4) if self.outcomes else None

    def _met(self, outcome: Outcome) -> bool:
        if outcome.failure or outcome.ttft is None:
            return False
        first = self._slo_ttft is None or outcome.ttft <= self._slo_ttft
        return first and (self._slo_itl is None or outcome.mean_interval <= self._slo_itl)


def _percentiles(values: Sequence[float]) -> dict[str, float | None]:
    return {f"p{percent}": percentile(values, percent) for percent in (50, 95, 99)}
