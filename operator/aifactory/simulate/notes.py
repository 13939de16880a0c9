"""What a simulation does otherwise than the service itself would."""

import re
from collections.abc import Iterator

from aifactory.api.inferenceservice import InferenceService
from aifactory.api.spec import Mode
from aifactory.runtimes import Role, roles

from .engine.models import EngineModel

_BILLIONS = re.compile(r"(\d+(?:\.\d+)?)b\b", re.IGNORECASE)


def notes(service: InferenceService, engine: EngineModel) -> list[str]:
    """Sentences about an engine that is not what the service runs on, and about fields that count for nothing."""
    parts = [role for role in roles(service) if role.accelerated]
    found = [note for role in parts for note in _unlike(role, engine)]
    for role in parts:
        field = "spec.scaling" if len(parts) == 1 else f"spec.topology.disaggregated.{role.name}.scaling"
        found += _ignored(role, field)
    return list(dict.fromkeys(found))


def _unlike(role: Role, engine: EngineModel) -> Iterator[str]:
    """Sizes of models are compared as names tell them: an engine is a measured one, and few have been measured."""
    model, accelerator = role.spec.model.name, role.spec.accelerator
    different = []
    if _billions(model) and _billions(engine.model) and _billions(model) != _billions(engine.model):
        different.append(f"model {model}")
    if engine.gpus and engine.gpus != accelerator.gpus:
        different.append(f"{accelerator.gpus} GPUs a replica")
    if engine.gpu and accelerator.product and engine.gpu not in accelerator.product:
        different.append(f"GPUs {accelerator.product}")
    if different:
        yield (
            f"the service has {' and '.join(different)}, but engine {engine.name} is {engine.described}: choose "
            "another with --engine, or take the figures for those of that engine"
        )


def _billions(name: str | None) -> str | None:
    """Of parameters, such as 70 of Llama-3.3-70B."""
    found = _BILLIONS.search(name or "")
    return found and found[1]


def _ignored(role: Role, field: str) -> Iterator[str]:
    scaling = role.spec.scaling
    if scaling is None:
        return
    if scaling.min_replicas == 0:
        yield f"{field}.minReplicas is 0, but one replica always stays here: nobody holds requests in a simulation"
    if scaling.schedules:
        yield f"{field}.schedules count for nothing here: a trace has no date"
    if (mode := role.spec.reporting) is not None:
        name = "spec.mode" if isinstance(mode, Mode) else f"{field}.mode"
        yield f"{name} is {mode}, but decisions are carried out here: on a cluster they would only be reported"
