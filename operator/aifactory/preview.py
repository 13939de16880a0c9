"""What a plan would change, for people: `status.plan` of a service in mode Plan, and `aifactory diff`."""

import json
from collections.abc import Iterator
from typing import Any

from aifactory.api.inferenceservice import InferenceService
from aifactory.api.status import ChangeStatus, FromTo, PlanStatus
from aifactory.decide import Plan
from aifactory.observed import Observed
from aifactory.render.drift import HASH_ANNOTATION, Difference, differences

Child = dict[str, Any]
_MOST_FIELDS = 20
_LONGEST_VALUE = 80


def preview(service: InferenceService, observed: Observed, todo: Plan, replicas: int) -> PlanStatus:
    """The writes of a plan, in words and numbers; `replicas` is what the plan was made for."""
    live = observed.workload.replicas if observed.workload else 0
    return PlanStatus(
        changes=[*_changes(observed, todo), *_resized(service, live, todo)],
        replicas=FromTo(from_=live, to=replicas),
        gpus=FromTo(from_=live * _gpus(service, _deployment(observed)), to=replicas * service.spec.accelerator.count),
    )


def _changes(observed: Observed, todo: Plan) -> Iterator[ChangeStatus]:
    for child in todo.apply:
        live = observed.children.get((child["kind"], child["metadata"]["name"]))
        if live is None:
            yield ChangeStatus(action="Add", object=_name(child))
        else:
            yield ChangeStatus(action="Change", object=_name(child), fields=_fields(live, child))
    for child in todo.delete:
        yield ChangeStatus(action="Remove", object=_name(child))


def _resized(service: InferenceService, live: int, todo: Plan) -> Iterator[ChangeStatus]:
    """A Deployment of which nothing but the number of replicas changes."""
    name = f"Deployment/{service.metadata.name}"
    if todo.replicas is not None and name not in {_name(child) for child in todo.apply}:
        yield ChangeStatus(action="Change", object=name, fields=[f"spec.replicas: {live} -> {todo.replicas}"])


def _fields(live: Child, child: Child) -> list[str]:
    told = [_text(difference) for difference in differences(live, child) if HASH_ANNOTATION not in difference.path]
    return told[:_MOST_FIELDS] or ["fields that are no longer asked for are removed"]


def _text(difference: Difference) -> str:
    return f"{difference.path}: {_value(difference.live)} -> {_value(difference.rendered)}"


def _value(value: Any) -> str:
    text = "none" if value is None else value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 3]}..."


def _name(child: Child) -> str:
    return f"{child['kind']}/{child['metadata']['name']}"


def _deployment(observed: Observed) -> Child | None:
    return next((child for (kind, _), child in observed.children.items() if kind == "Deployment"), None)


def _gpus(service: InferenceService, deployment: Child | None) -> int:
    """Devices that a pod asks for: resources whose name has a domain. What a claim asks for is not in the pod."""
    if deployment is None:
        return 0
    pod = deployment["spec"]["template"]["spec"]
    if pod.get("resourceClaims"):
        return service.spec.accelerator.count
    limits = [(container.get("resources") or {}).get("limits") or {} for container in pod["containers"]]
    return sum(int(amount) for found in limits for name, amount in found.items() if "/" in name)
