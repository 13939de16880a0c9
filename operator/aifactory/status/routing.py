"""`RoutingReady`: whether requests through a Gateway go to the replica that an endpoint picker chooses.

`Ready` does not depend on it: without pool, picker or Gateway the Service still spreads requests over the replicas.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from aifactory.api.conditions import ConditionType, Reason
from aifactory.api.role import RoleName
from aifactory.render.endpoint_picker import GROUP, POOL
from aifactory.runtimes import endpoint_picker

from .conditions import Verdict
from .exposed import refusal, told
from .facts import Facts
from .pods import ADVICE, trouble

_ADVICE = {
    **ADVICE,
    Reason.IMAGE_PULL_FAILED: "check spec.runtime.endpointPicker.image and spec.runtime.imagePullSecrets",
    Reason.CONTAINER_CRASHING: "read the pod's log; a usual cause is spec.runtime.endpointPicker.args",
    Reason.POD_NOT_STARTING: "kubectl describe pod shows why",
}
_MISSING = (
    f"the cluster serves no {POOL} of {GROUP}/v1: install the Gateway API inference extension; "
    "until then requests are spread without regard to caches and queues"
)


def routing(facts: Facts) -> Iterator[Verdict]:
    """Nothing where the engine has no picker, or nothing exists yet."""
    if endpoint_picker(facts.service) is not None and facts.observed.exists:
        yield Verdict(ConditionType.ROUTING_READY, *_judge(facts))


def _judge(facts: Facts) -> tuple[bool | None, Reason, str]:
    name = facts.service.metadata.name
    pool = facts.observed.children.get((POOL, name))
    if pool is None:
        return False, Reason.INFERENCE_EXTENSION_MISSING, _MISSING
    picker = facts.observed.group(RoleName.ENDPOINT_PICKER)
    cause = None if picker.serving_pods else trouble(picker, facts.now, _ADVICE)
    if cause is not None:
        return False, cause.reason, f"endpoint picker: {cause.message}"
    if not picker.serving_pods:
        return None, Reason.ENDPOINT_PICKER_STARTING, "the endpoint picker is not ready yet"
    return _taken(facts, pool)


def _taken(facts: Facts, pool: Mapping[str, Any]) -> tuple[bool | None, Reason, str]:
    """What Gateways make of the pool."""
    name, expose = facts.service.metadata.name, facts.service.spec.expose
    refused = refusal(pool)
    if refused:
        return False, Reason.POOL_REJECTED, f"the Gateway refuses the pool: {refused}"
    barred = refusal(facts.observed.children.get(("HTTPRoute", name)) or {})
    if barred:
        advice = "one without the inference extension needs runtime.engine vllm"
        return False, Reason.POOL_REJECTED, f"the Gateway refuses the route to the pool: {barred}; {advice}"
    if any(said["type"] == "Accepted" and said["status"] == "True" for said in told(pool)):
        return True, Reason.POOL_ACCEPTED, "a Gateway sends requests to the replicas that the endpoint picker chooses"
    if expose is None or expose.gateway is None:
        unused = f"no Gateway uses the pool: set spec.expose.gateway, or let a route of yours lead to {POOL} {name}"
        return None, Reason.POOL_UNUSED, unused
    return None, Reason.POOL_PENDING, "no Gateway has taken the pool yet; it must support the inference extension"
