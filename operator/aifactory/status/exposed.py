"""`Exposed`: whether the way in from outside that `spec.expose` asks for is there."""

from collections.abc import Iterator, Mapping
from typing import Any

from aifactory.api.conditions import ConditionType, Reason

from .conditions import Verdict
from .facts import Facts

_TOLD_BY_GATEWAYS = ("Accepted", "ResolvedRefs")


def exposed(facts: Facts) -> Iterator[Verdict]:
    """Nothing where nothing is asked for, or nothing exists yet."""
    expose, name = facts.service.spec.expose, facts.service.metadata.name
    if expose is None or not facts.observed.exists:
        return
    children = facts.observed.children
    if expose.gateway is not None:
        yield Verdict(ConditionType.EXPOSED, *_route(expose.host, children.get(("HTTPRoute", name))))
    elif ("Ingress", name) in children:
        yield Verdict(ConditionType.EXPOSED, *_ingress(expose.host, children["Ingress", name]))


def _ingress(host: str, ingress: Mapping[str, Any]) -> tuple[bool | None, Reason, str]:
    """Nothing else in an Ingress says that a controller has taken it; a few that do give no address."""
    if ((ingress.get("status") or {}).get("loadBalancer") or {}).get("ingress"):
        return True, Reason.INGRESS_CREATED, f"an Ingress leads {host} to the service"
    pending = "no ingress controller has given the Ingress an address; check spec.expose.ingress.className"
    return None, Reason.INGRESS_PENDING, pending


def _route(host: str, route: Mapping[str, Any] | None) -> tuple[bool | None, Reason, str]:
    if route is None:
        missing = "the cluster serves no HTTPRoute: install the Gateway API, or use spec.expose.ingress"
        return False, Reason.GATEWAY_API_MISSING, missing
    refused = refusal(route)
    if refused:
        return False, Reason.ROUTE_REJECTED, f"the Gateway refuses the route: {refused}"
    if list(told(route)):
        return True, Reason.ROUTE_ACCEPTED, f"the Gateway leads {host} to the service"
    return None, Reason.ROUTE_PENDING, "no Gateway has taken the route yet; check spec.expose.gateway"


def refusal(obj: Mapping[str, Any]) -> str:
    """Why a Gateway does not take a route or a pool; empty if none refuses it."""
    refused = next((answer for answer in told(obj) if answer["status"] == "False"), None)
    return (refused.get("message") or str(refused["reason"])) if refused else ""


def told(obj: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """What Gateways say of a route or a pool."""
    for parent in (obj.get("status") or {}).get("parents") or ():
        yield from (said for said in parent.get("conditions") or () if said["type"] in _TOLD_BY_GATEWAYS)
