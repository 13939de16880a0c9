"""What keeps pods from a node, with the fields of the spec that ask for it."""

from collections.abc import Iterable, Iterator
from itertools import chain

from aifactory.api.accelerator import AcceleratorSpec
from aifactory.api.conditions import Reason
from aifactory.api.spec import InferenceServiceSpec
from aifactory.observed import Pod
from aifactory.render.pod import PRODUCT_LABEL
from aifactory.runtimes import Role

from .pods import lack, lacks_gpus

# Of the scheduler's plugins NodeAffinity and NodeResourcesFit.
_OTHER_LABELS = "node affinity/selector"
_RESOURCES = {"cpu": "cpu", "memory": "memory", "ephemeral-storage": "ephemeralStorage"}
_USUAL = AcceleratorSpec().resource_name
# Where there is nothing to preempt either, the scheduler says it a second time.
_TWICE = "not found. not found"


def shortage(role: Role, waiting: Iterable[Pod]) -> Reason:
    """Whether GPUs are what pods of a role wait for."""
    lacking = any(lacks_gpus(pod, role.spec.accelerator) for pod in waiting)
    return Reason.INSUFFICIENT_GPUS if lacking else Reason.UNSCHEDULABLE


def nowhere(role: Role, pod: Pod) -> str:
    """What the scheduler says, and which fields ask for what it does not find."""
    said = pod.unschedulable_message
    spec = role.spec
    asked = _of_nodes(role, said), _of_accelerator(role, said), _of_resources(spec, said), _of_claims(spec, said)
    fields = list(chain(*asked))
    said = said.replace(_TWICE, _TWICE.partition(".")[0])
    return "; ".join([said.rstrip("."), *fields]) if fields else said


def _of_nodes(role: Role, said: str) -> Iterator[str]:
    if _OTHER_LABELS not in said:
        return
    product, template = role.spec.accelerator.product if role.accelerated else None, role.spec.pod_template
    if product:
        yield f"accelerator.product asks for nodes with {PRODUCT_LABEL}={product}"
    if template and template.node_selector:
        labels = ", ".join(f"{name}={value}" for name, value in template.node_selector.items())
        yield f"podTemplate.nodeSelector for nodes with {labels}"


def _of_accelerator(role: Role, said: str) -> Iterator[str]:
    """A name of one's own may be a wrong one; that most nodes with GPUs have the usual one, and one, is known."""
    accelerator = role.spec.accelerator
    if not role.accelerated or lack(accelerator) not in said:
        return
    if accelerator.resource_claim_template:
        yield f"accelerator.resourceClaimTemplate asks for what is in {accelerator.resource_claim_template}"
        return
    if accelerator.resource_name != _USUAL:
        yield f"accelerator.resourceName asks for {accelerator.resource_name}"
    if accelerator.count > 1:
        yield f"accelerator.count asks for {accelerator.count} of one node"


def _of_resources(spec: InferenceServiceSpec, said: str) -> Iterator[str]:
    resources = spec.pod_template.resources if spec.pod_template else None
    asked = resources.model_dump(by_alias=True) if resources else {}
    for resource, field in _RESOURCES.items():
        if f"Insufficient {resource}" in said and asked.get(field):
            yield f"podTemplate.resources.{field} asks for {asked[field]}"


def _of_claims(spec: InferenceServiceSpec, said: str) -> Iterator[str]:
    found = (f"{field} names {name}" for field, name in _claims(spec) if f'persistentvolumeclaim "{name}"' in said)
    yield from dict.fromkeys(found)


def _claims(spec: InferenceServiceSpec) -> Iterator[tuple[str, str]]:
    """Claims that somebody else makes, with the fields that name them."""
    if spec.model.source and (claim := spec.model.source.persistent_volume_claim):
        yield "model.source.persistentVolumeClaim", claim.name
    for adapter in spec.model.adapters or ():
        if claim := adapter.persistent_volume_claim:
            yield "model.adapters", claim.name
    for volume in (spec.pod_template and spec.pod_template.volumes) or ():
        if mounted := volume.persistent_volume_claim:
            yield "podTemplate.volumes", mounted.claim_name
