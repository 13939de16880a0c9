"""`spec.slo`: service level objectives."""

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from pydantic import Field
from pydantic.alias_generators import to_camel

from .checks import Check
from .meta import CheckedModel, Duration, Model, Percent, between, within


class Workload(StrEnum):
    """Preset of objectives."""

    REALTIME = "realtime"
    INTERACTIVE = "interactive"
    OFFLINE = "offline"


class LatencyObjective(Model):
    """A percentile of a latency must stay at or below a target."""

    percentile: int = Field(
        default=95,
        ge=50,
        le=99,
        description="Percentile of requests or tokens, 50 to 99, by which SLOMet is judged. Replicas are sized for the "
        "higher of it and slo.attainment: one below that has no effect on them.",
    )
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


_ANY = " || ".join(f"has(self.objectives.{to_camel(name)})" for name in Objectives.model_fields)
_WITH_OBJECTIVES = f"has(self.objectives) && ({_ANY})"
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


_COMPLETE_WITHIN = timedelta(minutes=10)
"""As long as OpenAI's Python client waits by default (openai-python, DEFAULT_TIMEOUT of _constants.py: 600 s)."""


class SLOSpec(CheckedModel):
    """Service level objectives."""

    checks = (
        Check(
            cel=f"!has(self.completeWithin) || self.workload == 'offline' && !({_WITH_OBJECTIVES})",
            holds=lambda slo: slo.complete_within is None or slo.may_take is not None,
            message="says how long requests of workload offline without objectives may take: remove it, or set that "
            "workload and remove objectives",
            field="completeWithin",
        ),
    )
    workload: Workload = Field(
        default=Workload.INTERACTIVE,
        description="Preset: realtime (TTFT 250ms, ITL 25ms), interactive (TTFT 500ms, ITL 50ms), offline (none: "
        "requests may wait, for the most tokens of each GPU).",
    )
    objectives: Objectives | None = Field(default=None, description="Objectives that override the preset.")
    complete_within: Annotated[Duration, within("1m", "24h")] | None = Field(
        default=None,
        description="Workload offline without objectives: how long a request may take, waiting at the engine included, "
        "1m to 24h. Replicas are added when requests would take longer. Default 10m; clients have to wait as long, and "
        "longer where the service sleeps: time that its activator holds a request, and status 503, do not count.",
    )
    attainment: Annotated[Percent, between("50%", "99.999%")] = Field(
        default=Decimal("0.99"),
        description="Share of requests within the target over an hour; the rest, never nothing, is the error budget. "
        "Replicas are sized for this share, or for an objective's percentile where that is higher.",
    )

    @property
    def in_force(self) -> Objectives:
        """The objectives that are written down and, for the rest, those of the preset."""
        written = {name: value for name, value in self.objectives or () if value is not None}
        return _PRESETS[self.workload].model_copy(update=written)

    @property
    def may_take(self) -> timedelta | None:
        """How long a request of an offline service may take; None where there are objectives."""
        if self.workload is not Workload.OFFLINE or self.in_force != Objectives():
            return None
        return self.complete_within or _COMPLETE_WITHIN
