"""Gauges of how replicas come about: signals, decision, capacity and forecast."""

from collections.abc import Iterator, Mapping
from typing import Any

from .statuses import Gauges, Sample
from .written import epoch, number

# Name after `aifactory_service_`: help, further labels.
SCALING_GAUGES: Gauges = {
    "signal_value": ("What a signal is now, in its own unit.", ("role", "signal")),
    "signal_target": ("Its limit.", ("role", "signal")),
    "signal_ratio": ("Signal / limit, averaged.", ("role", "signal")),
    "signal_threshold": (
        "Ratios above which replicas are added and below which fewer are considered, where they go by the ratio.",
        ("role", "signal", "bound"),
    ),
    "signal_replicas": ("Replicas that a signal alone would choose.", ("role", "signal")),
    "signal_cause": ("1 for the rule by which it would.", ("role", "signal", "cause")),
    "decision": (
        "1 for the decision in force, by its reason, the signal that asked for it, by which rule, and what limited it.",
        ("role", "reason", "signal", "cause", "limited_by"),
    ),
    "decision_replicas": ("Replicas before and after the decision in force: from, to.", ("role", "bound")),
    "decision_timestamp_seconds": ("When the decision in force was taken.", ("role",)),
    "last_scale_timestamp_seconds": ("When replicas last changed.", ("role",)),
    "rejected_replicas": ("A number of replicas that was not chosen, by the reason.", ("role", "reason")),
    "rejected_ratio": ("What the ratio of a signal would become with it.", ("role", "reason", "signal")),
    "load_tokens_per_second": ("Prompt and output tokens of all replicas.", ("role",)),
    "capacity_tokens_per_second": ("What one replica carries, as learned and trusted.", ("role",)),
    "capacity_estimated_tokens_per_second": ("The same by estimate, by which replicas are added.", ("role",)),
    "capacity_signal": ("1 for the signal that comes to its limit there.", ("role", "signal")),
    "capacity_confidence": ("How sure that is, 0 to 1.", ("role",)),
    "forecast_tokens_per_second": (
        "Load that is expected: expected, and upper, for which room is kept.",
        ("role", "bound"),
    ),
    "forecast_model": ("1 for the model that forecasts.", ("role", "model")),
    "forecast_error": ("What forecasts were short of in about an hour, as a share of the loads.", ("role",)),
    "forecast_horizon_seconds": ("How far ahead is looked.", ("role",)),
    "forecast_replicas": ("Replicas that latencies ask for because of the load.", ("role",)),
    "kv_cache_usage": ("Share of the KV cache in use, as scaling sees it.", ("role",)),
}
_SIGNAL = ("value", "target", "ratio", "replicas")
_THRESHOLDS = {"addsAbove": "adds_above", "removesBelow": "removes_below"}
# Of status.scaling: field to the name of its gauge, and labels after the role.
_EXPECTED: Mapping[str, Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "capacity": {
        "tokensPerSecond": ("load_tokens_per_second", ()),
        "tokensPerSecondPerReplica": ("capacity_tokens_per_second", ()),
        "estimatedTokensPerSecondPerReplica": ("capacity_estimated_tokens_per_second", ()),
        "confidence": ("capacity_confidence", ()),
    },
    "forecast": {
        "expected": ("forecast_tokens_per_second", ("expected",)),
        "upper": ("forecast_tokens_per_second", ("upper",)),
        "error": ("forecast_error", ()),
        "horizon": ("forecast_horizon_seconds", ()),
        "replicas": ("forecast_replicas", ()),
    },
}


def scaling(role: str, seen: Mapping[str, Any]) -> Iterator[Sample]:
    """Samples of `status.scaling` of a role."""
    for item in seen.get("recommendations", []):
        for field in _SIGNAL:
            if item.get(field) is not None:
                yield f"signal_{field}", (role, item["signal"]), number(str(item[field]))
        for field, bound in _THRESHOLDS.items():
            if item.get(field):
                yield "signal_threshold", (role, item["signal"], bound), float(item[field])
        if item.get("cause"):
            yield "signal_cause", (role, item["signal"], item["cause"]), 1.0
        if item["signal"] == "kvCacheUsage" and item.get("value"):
            yield "kv_cache_usage", (role,), number(item["value"])
    yield from _decided(role, seen)
    for part, fields in _EXPECTED.items():
        for field, (name, labels) in fields.items():
            if field in (seen.get(part) or {}):
                yield name, (role, *labels), number(str(seen[part][field]))


def _decided(role: str, seen: Mapping[str, Any]) -> Iterator[Sample]:
    """What was chosen, what was not, and by what it goes."""
    decision = seen.get("decision")
    if decision:
        labels = (decision["reason"], *(decision.get(field, "") for field in ("signal", "cause", "limitedBy")))
        yield "decision", (role, *labels), 1.0
        yield "decision_replicas", (role, "from"), decision["from"]
        yield "decision_replicas", (role, "to"), decision["to"]
        yield "decision_timestamp_seconds", (role,), epoch(decision["time"])
    if seen.get("lastScaleTime"):
        yield "last_scale_timestamp_seconds", (role,), epoch(seen["lastScaleTime"])
    for item in seen.get("rejected", []):
        yield "rejected_replicas", (role, item["reason"]), item["replicas"]
        if item.get("predicted"):
            yield "rejected_ratio", (role, item["reason"], item.get("signal", "")), float(item["predicted"])
    if seen.get("capacity"):
        yield "capacity_signal", (role, seen["capacity"]["signal"]), 1.0
    if seen.get("forecast"):
        yield "forecast_model", (role, seen["forecast"]["model"]), 1.0
