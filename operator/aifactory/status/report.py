"""The whole status of a service."""

import json
from collections.abc import Mapping
from typing import Any

from aifactory.api.conditions import ConditionType, Reason
from aifactory.api.status import InferenceServiceStatus
from aifactory.render import url

from . import numbers
from .conditions import Verdict, merge
from .facts import Facts
from .ready import ready
from .verdicts import unread, verdicts

Status = dict[str, Any]


def report(facts: Facts) -> InferenceServiceStatus:
    """The status to write."""
    service, generation = facts.service, facts.service.metadata.generation
    spec = service.spec
    found = [ready(facts), *verdicts(facts)]
    judged = merge(facts.before.conditions, found, generation, numbers.timestamp(facts.now))
    kept = [condition for condition in facts.before.conditions if condition.type in unread(facts)]
    readings = facts.readings if facts.observed.serving_pods else None
    return InferenceServiceStatus(
        observed_generation=generation,
        conditions=[*judged, *kept],
        url=url(service),
        engine=spec.runtime.engine,
        model=spec.model.name,
        replicas=numbers.replicas(facts),
        resolved=facts.resolved,
        slo=numbers.objectives(readings, float(spec.slo.attainment)) if readings else list(facts.before.slo),
        slo_attainment=numbers.worst_attainment(readings) if readings else facts.before.slo_attainment,
        throughput=numbers.throughput(readings) if readings else facts.before.throughput,
        scaling=numbers.scaling(facts, facts.decision) if facts.decision else spec.scaling and facts.before.scaling,
        plan=facts.plan,
    )


def rejected(before: InferenceServiceStatus, generation: int, problem: str, now: float) -> InferenceServiceStatus:
    """The status of a spec that cannot be acted on; everything else stays as it was, as does the workload."""
    found = [
        Verdict(ConditionType.READY, False, Reason.INVALID_SPEC, problem),
        Verdict(ConditionType.ACCEPTED, False, Reason.INVALID_SPEC, problem),
        Verdict(ConditionType.STALLED, True, Reason.INVALID_SPEC, problem),
    ]
    judged = {verdict.type for verdict in found} | {ConditionType.RECONCILING}
    kept = [condition for condition in before.conditions if condition.type not in judged]
    conditions = [*merge(before.conditions, found, generation, numbers.timestamp(now)), *kept]
    return before.model_copy(update={"observed_generation": generation, "conditions": conditions})


def dump(status: InferenceServiceStatus) -> Status:
    """As the API server stores it: camelCase, nothing that is None or empty."""
    dense: Status = _dense(status.model_dump(mode="json", by_alias=True, exclude_none=True))
    return dense


def same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Equal but for the order of conditions, which the API server does not keep."""
    return _ordered(one) == _ordered(other)


def _ordered(status: Mapping[str, Any]) -> Status:
    return {**status, "conditions": sorted(status.get("conditions", []), key=lambda condition: condition["type"])}


def steady(status: Mapping[str, Any]) -> str:
    """The part of a status that changes only when something happens: live numbers and texts are left out."""
    conditions = [{**condition, "message": ""} for condition in _ordered(status)["conditions"]]
    scaling = status.get("scaling") or {}
    kept = {
        name: value for name, value in status.items() if name not in ("slo", "sloAttainment", "throughput", "scaling")
    }
    return json.dumps({**kept, "conditions": conditions, "history": scaling.get("history")}, sort_keys=True)


def _dense(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _dense(item) for name, item in value.items() if item not in ([], {})}
    return [_dense(item) for item in value] if isinstance(value, list) else value
