"""Where each engine answers: paths of health and metrics, and when the port opens."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Surface:
    """`live` answers as soon as the port is open, which is before the model is loaded if `opens_early`."""

    ready: str = "/health"
    live: str = ""
    metrics: str = "/metrics"
    opens_early: bool = False


_NIM = Surface(ready="/v1/health/ready", live="/v1/health/live", metrics="/v1/metrics", opens_early=True)
SURFACES = {
    "vllm": Surface(),
    "nim1": _NIM,
    "nim2": _NIM,
    "sglang": Surface(),
    "trtllm": Surface(metrics="/prometheus/metrics", opens_early=True),
    "triton": Surface(ready="/v2/health/ready", live="/v2/health/live", opens_early=True),
    "llamacpp": Surface(opens_early=True),
}
"""By dialect."""
