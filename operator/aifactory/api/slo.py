"""`spec.slo`: service level objectives."""

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from .meta import Duration, Model, Percent, between, within


class Workload(StrEnum):
    """Preset of objectives."""

    REALTIME = "realtime"
    INTERACTIVE = "interactive"
    OFFLINE = "offline"


class LatencyObjective(Model):
    """A percentile of a latency must stay at or below a target."""

    percentile: int = Field(default=95, ge=50, le=99, description="Percentile of requests or tokens, 50 to 99.")
    target: Annotated[Duration, within("1ms", "1h")] = Field(description="Upper limit, such as 500ms; at most 1h.")


class ThroughputObjective(Model):
    """Output tokens per second of the whole service while there is work."""

    tokens_per_second: int = Field(ge=1, le=1_000_000_000, description="Output tokens per second.")


class Objectives(Model):
    """Objectives; those left out come from the workload preset."""

    time_to_first_token: LatencyObjective | None = Field(default=None, description="Time to first token.")
    inter_token_latency: LatencyObjective | None = Field(default=None, description="Time between output tokens.")
    end_to_end_latency: LatencyObjective | None = Field(default=None, description="Whole request.")
    throughput: ThroughputObjective | None = Field(default=None, description="Output tokens per second.")


_REALTIME = Objectives(
    time_to_first_token=LatencyObjective(target=timedelta(milliseconds=250)),
    inter_token_latency=LatencyObjective(target=timedelta(milliseconds=25)),
)
_INTERACTIVE = Objectives(
    time_to_first_token=LatencyObjective(target=timedelta(milliseconds=500)),
    inter_token_latency=LatencyObjective(target=timedelta(milliseconds=50)),
)
_PRESETS: Mapping[Workload, Objectives] = {
    Workload.REALTIME: _REALTIME,
    Workload.INTERACTIVE: _INTERACTIVE,
    Workload.OFFLINE: Objectives(),
}


class SLOSpec(Model):
    """Service level objectives."""

    workload: Workload = Field(
        default=Workload.INTERACTIVE,
        description="Preset: realtime (TTFT 250ms, ITL 25ms), interactive (TTFT 500ms, ITL 50ms), offline (none).",
    )
    objectives: Objectives | None = Field(default=None, description="Objectives that override the preset.")
    attainment: Annotated[Percent, between("50%", "99.999%")] = Field(
        default=Decimal("0.99"),
        description="Share of requests within the target over an hour; the rest, never nothing, is the error budget.",
    )

    @property
    def in_force(self) -> Objectives:
        """The objectives that are written down and, for the rest, those of the preset."""
        written = {name: value for name, value in self.objectives or () if value is not None}
        return _PRESETS[self.workload].model_copy(update=written)
