"""What no run may do, whatever goes wrong."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any

from aifactory.api import API_VERSION
from aifactory.api.inferenceservice import KIND
from aifactory.autoscale.decision import DecisionReason
from aifactory.explain import explain
from aifactory.simulate.scenario import Scenario
from aifactory.status.report import dump
from aifactory.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from tests.robustness.loop import Tick

_NOT_BY_SIGNALS = DecisionReason.BOUNDS_CHANGED, DecisionReason.ADOPTED_REPLICAS
_NO_NUMBER = re.compile(r"\b(nan|inf)(?![a-z])", re.IGNORECASE)


def unsound(scenario: Scenario, ticks: Sequence["Tick"]) -> Iterator[str]:
    """Sentences about what is wrong; of what is written, wherever the reason of the decision changes."""
    before: DecisionReason | None = None
    for tick in ticks:
        decision = tick.decision
        at = f"at {tick.time:.0f} s: {decision.message}"
        low, high = scenario.scaling.min_replicas, scenario.scaling.max_replicas
        if type(decision.to) is not int or not low <= decision.to <= high:
            yield f"{at}: {decision.to} replicas are out of bounds"
        if any(not isfinite(value) for value in _numbers(decision)):
            yield f"{at}: not every number is finite: {decision}"
        lower = decision.to < decision.from_ and decision.reason not in _NOT_BY_SIGNALS
        if lower and tick.unknown:
            yield f"{at}: a replica is removed although a signal is unknown"
        if decision.reason is not before:
            yield from (f"{at}: {broken}" for broken in _written(tick))
        before = decision.reason


def _written(tick: "Tick") -> Iterator[str]:
    """Of the status, of its gauges and of `aifactory explain`."""
    service = tick.scenario.role.service.model_dump(mode="json", by_alias=True, exclude_none=True)
    stored = {"apiVersion": API_VERSION, "kind": KIND, **service, "status": dump(tick.status)}
    told = explain(stored, tick.clock)
    if _NO_NUMBER.search(f"{told} {stored['status']}"):
        yield f"that is no sentence or number: {told}"
    metrics = Metrics()
    metrics.watch_services(lambda: {("demo", "chat"): stored})
    samples = [sample for family in metrics.registry.collect() for sample in family.samples]
    counts = Counter((one.name, *sorted(one.labels.items())) for one in samples)
    if twice := [name for name, count in counts.items() if count > 1]:
        yield f"Prometheus would refuse series that come twice: {twice}"
    if not all(isfinite(one.value) for one in samples):
        yield "a gauge is not finite"
    signals = [one for one in samples if one.name == "aifactory_service_signal_replicas"]
    if len(signals) != sum(one.replicas is not None for one in tick.decision.recommendations):
        yield "a signal's answer has no gauge"


def _numbers(value: Any) -> Iterator[float]:
    """All of a decision, however deep."""
    if isinstance(value, int | float):
        yield value
    elif is_dataclass(value):
        yield from (number for field in fields(value) for number in _numbers(getattr(value, field.name)))
    elif isinstance(value, Mapping):
        yield from (number for item in value.values() for number in _numbers(item))
    elif isinstance(value, tuple):
        yield from (number for item in value for number in _numbers(item))
