"""A service in sentences: what its status says, for somebody who wonders why it is as it is."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from aifactory.api.inferenceservice import KIND, InferenceService
from aifactory.api.meta import STORED
from aifactory.api.status import InferenceServiceStatus
from aifactory.autoscale.bounds import bounds_of
from aifactory.runtimes import roles

from .money import cost, energy
from .obstacles import obstacles
from .scaling import scaling
from .serving import load, objectives, serving


def explain(raw: Mapping[str, Any], now: float) -> str:
    """Sentences about an InferenceService as the API server has it; `now` is epoch seconds.

    One whose spec this version does not understand is explained as far as its conditions go.
    """
    metadata, status = raw["metadata"], InferenceServiceStatus.of(raw)
    try:
        service = InferenceService.model_validate(raw, context=STORED)
    except ValidationError:
        service = None
    sections = (
        serving(status, service, metadata.get("generation", 0)),
        objectives(status, service),
        load(status),
        (*cost(status.cost), *energy(status.energy)),
        *(_scaling(status, service, now) if service and status.conditions else ()),
        obstacles(status, service),
    )
    told = ["\n".join(lines) for section in sections if (lines := list(section))]
    return _printable("\n\n".join([f"{KIND} {metadata['namespace']}/{metadata['name']}", *told]))


def _printable(text: str) -> str:
    """Messages may carry what a container wrote last, which is not to steer a terminal."""
    return "".join(char if char == "\n" or char.isprintable() else "?" for char in text)


def _scaling(status: InferenceServiceStatus, service: InferenceService, now: float) -> Iterator[Iterator[str]]:
    """A section for each role; those of fixed size need no explanation."""
    found = roles(service)
    for role in found:
        bounds = bounds_of(role, now)
        if role.spec.scaling is not None and bounds is not None:
            title = f"Scaling of {role.name}" if len(found) > 1 else "Scaling"
            yield scaling(title, role.spec, bounds, status.scaling_of(role.name), now)
