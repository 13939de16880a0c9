"""Parts of specs that several tables need."""

from typing import Any

from tests.bad_objects import merge

APART = "spec.podTemplate.affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[0]"


def objectives(**objective: Any) -> dict[str, Any]:
    return {"slo": {"objectives": {"timeToFirstToken": objective}}}


def scaling(**fields: Any) -> dict[str, Any]:
    return {"scaling": {"maxReplicas": 8, **fields}}


def schedule(**fields: Any) -> dict[str, Any]:
    given = {"name": "day", "start": "08:00", "end": "20:00", "minReplicas": 2, **fields}
    return scaling(schedules=[{name: value for name, value in given.items() if value is not None}])


def from_source(**source: Any) -> dict[str, Any]:
    return {"model": {"source": source}}


def with_volume(**volume: Any) -> dict[str, Any]:
    return {"podTemplate": {"volumes": [{"name": "data", "mountPath": "/data", **volume}]}}


def canary(**fields: Any) -> dict[str, Any]:
    return {"rollout": {"canary": fields}}


def of_engine(engine: str, **spec: Any) -> dict[str, Any]:
    """A spec that lacks nothing that the engine needs."""
    model = {"source": {"image": {"path": "/models"}}} if engine == "triton" else {}
    needed = {"image": "example.com/server", "metrics": METRICS} if engine == "custom" else {}
    base: dict[str, Any] = {"model": model, "runtime": {"engine": engine, **needed}}
    return merge(base, spec)


METRICS = {"running": "busy_requests", "waiting": "queued_requests"}


def apart(weight: int = 1, **near: Any) -> dict[str, Any]:
    term = {"weight": weight, "podAffinityTerm": near}
    preferred = {"preferredDuringSchedulingIgnoredDuringExecution": [term]}
    return {"podTemplate": {"affinity": {"podAntiAffinity": preferred}}}
