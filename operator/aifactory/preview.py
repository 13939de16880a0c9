"""What a plan would change, for people: `status.plan` of a service in mode Plan, and `aifactory diff`."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from aifactory.api.inferenceservice import InferenceService
from aifactory.api.role import RoleName
from aifactory.api.status import ChangeStatus, FromTo, PlanStatus
from aifactory.decide import Plan
from aifactory.observed import Observed, child_id
from aifactory.render import labels, naming
from aifactory.render.drift import HASH_ANNOTATION, Difference, differences
from aifactory.runtimes import Role, roles

Child = dict[str, Any]
_MOST_FIELDS = 20
_MOST_CHANGES = 16
_PODS_PER_REPLICA: Mapping[str, Callable[[Mapping[str, Any]], int]] = {
    "Deployment": lambda spec: 1,
    "StatefulSet": lambda spec: 1,
    "LeaderWorkerSet": lambda spec: spec["leaderWorkerTemplate"].get("size", 1),
}
_LONGEST_VALUE = 80
_SIGNS = {"Add": "+", "Change": "~", "Remove": "-"}


def preview(service: InferenceService, observed: Observed, todo: Plan, replicas: Mapping[RoleName, int]) -> PlanStatus:
    """The writes of a plan, in words and numbers; `replicas` is what the plan was made for."""
    parts = [role for role in roles(service) if role.accelerated]
    live = sum(_live(observed, role.name) for role in parts)
    planned = sum(replicas[role.name] for role in parts)
    gpus_now = sum(_gpus(role, observed) for role in parts)
    gpus_then = sum(replicas[role.name] * role.spec.accelerator.gpus for role in parts)
    return PlanStatus(
        changes=_capped([*_changes(observed, todo), *_resized(observed, todo)]),
        replicas=FromTo(from_=live, to=planned),
        gpus=FromTo(from_=gpus_now, to=gpus_then),
    )


def told(title: str, planned: PlanStatus) -> Iterator[str]:
    """A plan as lines of text."""
    if not planned.changes:
        yield f"{title}: no changes"
        return
    yield title
    for change in planned.changes:
        yield f"  {_SIGNS[change.action]} {change.object}"
        yield from (f"      {field}" for field in change.fields)
    replicas, gpus = planned.replicas, planned.gpus
    yield f"  replicas {replicas.from_} -> {replicas.to}, GPUs {gpus.from_} -> {gpus.to}"


def _live(observed: Observed, role: RoleName) -> int:
    """Replicas of a role, with the canary, which only a service of one role can have."""
    found = (observed.group(role).workload, observed.canary.workload)
    return sum(workload.replicas for workload in found if workload)


def _changes(observed: Observed, todo: Plan) -> Iterator[ChangeStatus]:
    for child in todo.apply:
        live = observed.children.get(child_id(child))
        if live is None:
            yield ChangeStatus(action="Add", object=_name(child))
        else:
            yield ChangeStatus(action="Change", object=_name(child), fields=_fields(live, child))
    for child in todo.delete:
        yield ChangeStatus(action="Remove", object=_name(child))


def _resized(observed: Observed, todo: Plan) -> Iterator[ChangeStatus]:
    """Workloads of which nothing but the number of replicas changes."""
    for (kind, name), count in todo.replicas.items():
        live = observed.children[kind, name]["spec"]["replicas"]
        yield ChangeStatus(action="Change", object=f"{kind}/{name}", fields=[f"spec.replicas: {live} -> {count}"])


def _capped(changes: list[ChangeStatus]) -> list[ChangeStatus]:
    """No more than a status may hold; each replica of several pods is two objects."""
    if len(changes) <= _MOST_CHANGES:
        return changes
    left = [change.object for change in changes[_MOST_CHANGES - 1 :]]
    return [
        *changes[: _MOST_CHANGES - 1],
        ChangeStatus(action="Change", object=f"{len(left)} more", fields=left[:_MOST_FIELDS]),
    ]


def _fields(live: Child, child: Child) -> list[str]:
    told = [_text(difference) for difference in differences(live, child) if not _internal(difference)]
    return told[:_MOST_FIELDS] or ["fields that are no longer asked for are removed"]


def _internal(difference: Difference) -> bool:
    """A fingerprint, which changes with what it is of."""
    return any(name in difference.path for name in (HASH_ANNOTATION, labels.TEMPLATE))


def _text(difference: Difference) -> str:
    return f"{difference.path}: {_value(difference.live)} -> {_value(difference.rendered)}"


def _value(value: Any) -> str:
    """Texts as they are, unless they would break the line or steer a terminal."""
    plain = isinstance(value, str) and value.isprintable()
    text = "none" if value is None else value if plain else json.dumps(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 3]}..."


def _name(child: Child) -> str:
    return "/".join(child_id(child))


def _gpus(role: Role, observed: Observed) -> int:
    """Devices of all pods that the workloads of a role ask for."""
    asked = 0
    for (kind, _), child in observed.children.items():
        if kind in _PODS_PER_REPLICA and child["metadata"]["labels"].get(labels.ROLE) == role.name:
            pods = child["spec"].get("replicas", 1) * _PODS_PER_REPLICA[kind](child["spec"])
            asked += pods * _devices(role, _template(child["spec"])["spec"])
    return asked


def _template(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    template: Mapping[str, Any] = spec.get("leaderWorkerTemplate", {}).get("workerTemplate") or spec["template"]
    return template


def _devices(role: Role, pod: Mapping[str, Any]) -> int:
    """Resources whose name has a domain. What a claim asks for is not in the pod."""
    if any(claim["name"] == naming.GPU_CLAIM for claim in pod.get("resourceClaims") or ()):
        return role.spec.accelerator.count
    limits = [(container.get("resources") or {}).get("limits") or {} for container in pod["containers"]]
    return sum(int(amount) for found in limits for name, amount in found.items() if "/" in name)
