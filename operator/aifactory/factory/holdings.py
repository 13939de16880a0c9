"""GPUs that pods hold."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from aifactory.api.role import RoleName
from aifactory.observed import Group, Observed, Pod
from aifactory.render.pod import PRODUCT_LABEL
from aifactory.runtimes import Role

_ACCELERATED = (RoleName.MODEL_SERVER, RoleName.PREFILL, RoleName.DECODE)


@dataclass(frozen=True, slots=True)
class Holding:
    """GPUs of one pod, counted as `spec.accelerator.count` counts them.

    `role` has the prices that the pod goes by. The product is what the pod's nodes have to be labelled with, empty if
    that is open.
    """

    pod: str
    role: Role
    product: str
    gpus: int


def holdings(roles: Sequence[Role], observed: Observed) -> tuple[Holding, ...]:
    """One for each pod with GPUs, ready or not, of all roles and tracks, those that are leaving included.

    Pods of a role that the service no longer has go by the first one that has GPUs.
    """
    found = {role.name: role for role in roles if role.accelerated}
    names = {role.spec.accelerator.resource_name for role in found.values()}
    if not found:
        return ()
    first = next(iter(found.values()))
    pairs = [
        *((found.get(name, first), pod) for name in _ACCELERATED for pod in _single(observed.group(name))),
        *((first, pod) for pod in observed.canary.pods),
    ]
    held = (Holding(pod.name, role, pod.product or product_of(role), _gpus(role, pod, names)) for role, pod in pairs)
    return tuple(one for one in held if one.gpus)


def product_of(role: Role) -> str:
    """The product that the spec asks for, empty if it leaves that open."""
    template = role.spec.pod_template
    return role.spec.accelerator.product or ((template and template.node_selector) or {}).get(PRODUCT_LABEL, "")


def _single(group: Group) -> Iterator[Pod]:
    """Pods, not replicas."""
    yield from (pod for pod in group.pods if not pod.grouped)
    yield from group.members


def _gpus(role: Role, pod: Pod, names: Collection[str]) -> int:
    """Resources of the names that roles ask for now; a pod of an earlier spec may have had another one.

    What a claim asks for is not in the pod.
    """
    if pod.claims_gpus:
        return role.spec.accelerator.count
    named = sum(count for name, count in pod.devices if name in names)
    return named or sum(count for _, count in pod.devices)
