"""Which fields of a spec a decision goes by: what to change for another one."""

from collections.abc import Mapping
from typing import Any

from aifactory.api.scaling import ScalingSpec
from aifactory.autoscale.decision import DecisionReason

R = DecisionReason
_DOWN, _UP = "behavior.scaleDown", "behavior.scaleUp"
_FALLBACK = ("fallback", ("replicas", "after"))
# A part of spec.scaling, and fields of it.
_FIELDS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    R.STARTUP_WINDOW: (_DOWN, ("stabilizationWindow",)),
    R.STABILIZATION_WINDOW: (_DOWN, ("stabilizationWindow",)),
    R.SCALE_DOWN_PERIOD: (_DOWN, ("maxReplicas", "maxPercent", "period")),
    R.SCALE_UP_PERIOD: (_UP, ("maxReplicas", "maxPercent", "period")),
    R.PANIC: (_UP, ("panicFactor", "panicHold")),
    R.GPU_SHORTAGE: ("behavior", ("gpuShortageAfter",)),
    R.ENGINE_STALLED: ("behavior", ("stallAfter",)),
    R.METRICS_ERROR: _FALLBACK,
    R.NO_DATA: _FALLBACK,
    R.FALLBACK: _FALLBACK,
    R.BUDGET: ("budget", ("gpus", "costPerHour", "gpuCostPerHour")),
    R.LAST_REPLICA: ("scaleToZero", ("after",)),
}
_WINDOWS = (R.STARTUP_WINDOW, R.STABILIZATION_WINDOW)


def knobs(reason: str, scaling: ScalingSpec) -> str:
    """Such as `spec.scaling.fallback: replicas 7, after 10m`; empty where no field decides."""
    if reason not in _FIELDS:
        return ""
    path, names = _FIELDS[reason]
    part: Any = scaling.model_dump(mode="json", by_alias=True)
    for name in path.split("."):
        part = part[name] or {}
    found = ", ".join(f"{name} {part[name]}" for name in names if part.get(name) is not None)
    longer = ", or 1.25 start-ups where that is longer" * (reason in _WINDOWS)
    return f"spec.scaling.{path}: {found}{longer}" if found else ""
