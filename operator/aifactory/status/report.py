"""The whole status of a service."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from aifactory.api.cachestatus import ModelCacheStatus
from aifactory.api.conditions import ConditionType, Reason
from aifactory.api.meta import Model
from aifactory.api.status import (
    Condition,
    InferenceServiceStatus,
    ReplicasStatus,
    RoleStatus,
    ThroughputStatus,
)
from aifactory.render import url

from . import cost, energy, numbers
from .conditions import Verdict, merge
from .facts import Facts, RoleFacts
from .ready import ready
from .verdicts import unread, verdicts

Status = dict[str, Any]
S = TypeVar("S", InferenceServiceStatus, ModelCacheStatus)
_LIVE = ("slo", "sloAttainment", "throughput", "cost", "energy", "progress")
_LIVE_OF_ROLLOUT = ("requests", "attainment", "message")


def report(facts: Facts) -> InferenceServiceStatus:
    """The status to write."""
    service, generation = facts.service, facts.service.metadata.generation
    spec, several, goal = service.spec, len(facts.roles) > 1, float(service.spec.slo.attainment)
    found = [ready(facts), *verdicts(facts)]
    judged = merge(facts.before.conditions, found, generation, numbers.timestamp(facts.now))
    kept = [condition for condition in facts.before.conditions if condition.type in unread(facts)]
    readings = facts.readings
    model = [one for one in facts.roles if one.role.accelerated]
    return InferenceServiceStatus(
        observed_generation=generation,
        conditions=[*judged, *kept],
        url=url(service),
        engine=spec.runtime.engine,
        model=spec.model.name,
        replicas=numbers.total(_replicas(facts, one) for one in model),
        resolved=model[0].resolved,
        slo=numbers.objectives(readings, goal, facts.serving) if readings else list(facts.before.slo),
        slo_attainment=numbers.worst_attainment(readings, goal) if readings else facts.before.slo_attainment,
        throughput=_throughput(facts),
        cost=cost.status(facts),
        energy=energy.status(facts),
        scaling=None if several else numbers.scaling(facts, facts.roles[0]),
        roles=[_role(facts, one) for one in facts.roles] if several else [],
        rollout=facts.rollout,
        plan=facts.plan,
    )


def _throughput(facts: Facts) -> ThroughputStatus | None:
    """None where nothing serves; until signals were read it stays as it was."""
    if not facts.serving:
        return None
    return numbers.throughput(facts.readings) if facts.readings else facts.before.throughput


def _replicas(facts: Facts, one: RoleFacts) -> ReplicasStatus:
    return numbers.replicas(one.group, facts.before.replicas_of(one.role.name))


def _role(facts: Facts, one: RoleFacts) -> RoleStatus:
    return RoleStatus(
        name=one.role.name,
        replicas=_replicas(facts, one),
        resolved=one.resolved,
        scaling=numbers.scaling(facts, one),
    )


def rejected(before: S, generation: int, problem: str, now: float) -> S:
    """The status of a spec that cannot be acted on; everything else stays as it was, as do the children."""
    conditions = _rejection(before.conditions, generation, problem, numbers.timestamp(now))
    return before.model_copy(update={"observed_generation": generation, "conditions": conditions})


def _rejection(before: list[Condition], generation: int, problem: str, now: str) -> list[Condition]:
    found = [
        Verdict(ConditionType.READY, False, Reason.INVALID_SPEC, problem),
        Verdict(ConditionType.ACCEPTED, False, Reason.INVALID_SPEC, problem),
        Verdict(ConditionType.STALLED, True, Reason.INVALID_SPEC, problem),
    ]
    judged = {verdict.type for verdict in found} | {ConditionType.RECONCILING}
    kept = [condition for condition in before if condition.type not in judged]
    return [*merge(before, found, generation, now), *kept]


def dump(status: Model) -> Status:
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
    kept = {name: value for name, value in _settled(status).items() if name not in _LIVE}
    roles = [_settled(role) for role in status.get("roles", [])]
    rollout = {name: value for name, value in (status.get("rollout") or {}).items() if name not in _LIVE_OF_ROLLOUT}
    return json.dumps({**kept, "conditions": conditions, "roles": roles, "rollout": rollout}, sort_keys=True)


def _settled(part: Mapping[str, Any]) -> Status:
    """Without what scaling saw, but with what it did, and would do where that is somebody else's."""
    scaling = part.get("scaling") or {}
    decision, history = scaling.get("decision"), scaling.get("history", [])
    return {**part, "scaling": history, "wanted": _wanted(decision, history) if decision else None}


def _wanted(decision: Mapping[str, Any], history: Sequence[Mapping[str, Any]]) -> tuple[int, int]:
    """Replicas before and after a decision; what was done is told by the history, and over."""
    done = any(one["time"] == decision["time"] for one in history[:1])
    return decision["to"] if done else decision["from"], decision["to"]


def _dense(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _dense(item) for name, item in value.items() if item not in ([], {})}
    return [_dense(item) for item in value] if isinstance(value, list) else value
