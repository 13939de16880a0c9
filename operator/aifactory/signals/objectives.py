"""What a service promises: the objectives of `spec.slo`, presets filled in."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from aifactory.api.meta import format_duration
from aifactory.api.slo import SLOSpec


class Signal(StrEnum):
    """Something that can ask for replicas; objectives carry the same names as in `spec.slo.objectives`."""

    TTFT = "timeToFirstToken"
    ITL = "interTokenLatency"
    E2E = "endToEndLatency"
    THROUGHPUT = "throughput"
    WAITING_REQUESTS = "waitingRequests"
    RUNNING_REQUESTS = "runningRequests"
    KV_CACHE_USAGE = "kvCacheUsage"
    BACKLOG = "backlog"  # seconds until all that is there is completed, of an offline service


_HIGHEST_PERCENTILE = 99  # of which a histogram of a minute tells something
LATENCIES = (Signal.TTFT, Signal.ITL, Signal.E2E)


@dataclass(frozen=True, slots=True)
class Objective:
    """One promise.

    A latency objective has a percentile (50 to 99) and a target in seconds that must not be exceeded; throughput has no
    percentile and a target in output tokens per second that must be reached while requests wait. `attainment` is the
    share (0 to 1) of requests that the service promises to keep within the target.
    """

    signal: Signal
    target: float
    percentile: int | None = None
    attainment: float = 0.99

    @property
    def text(self) -> str:
        """For people, such as `p95 <= 500ms` or `>= 5000 tokens/s`."""
        if self.percentile is None:
            return f">= {self.target:.0f} tokens/s"
        return f"p{self.percentile} <= {format_duration(timedelta(seconds=self.target))}"


def resolve(slo: SLOSpec) -> tuple[Objective, ...]:
    """The objectives in force: those written down, and for the rest the preset of the workload."""
    asked = slo.in_force
    latencies = (asked.time_to_first_token, asked.inter_token_latency, asked.end_to_end_latency)
    found = [
        Objective(signal, latency.target.total_seconds(), latency.percentile, float(slo.attainment))
        for signal, latency in zip(LATENCIES, latencies, strict=True)
        if latency
    ]
    if asked.throughput:
        found.append(Objective(Signal.THROUGHPUT, float(asked.throughput.tokens_per_second)))
    return tuple(found)


def completion(slo: SLOSpec) -> Objective | None:
    """What is seen of the promise of an offline service, once requests are completed; None where there is none.

    It judges the past alone: how many replicas complete what waits in time is not for a percentile to say.
    """
    within, attainment = slo.may_take, float(slo.attainment)
    if within is None:
        return None
    return Objective(Signal.E2E, within.total_seconds(), min(_HIGHEST_PERCENTILE, int(attainment * 100)), attainment)
