"""What is said of the pool and the endpoint picker of a llm-d service."""

from typing import Any

import pytest
from aifactory.api.conditions import ConditionType
from aifactory.api.role import RoleName
from aifactory.api.status import InferenceServiceStatus
from aifactory.observed import Group, Observed, Pod
from aifactory.render import resolved
from aifactory.runtimes import roles
from aifactory.status.facts import Facts, RoleFacts
from aifactory.status.report import report

from .scene import NOON, condition, pod, service, serving, stuck, workload

GATEWAY = {"host": "chat.example.com", "gateway": {"name": "public"}}
READY = serving("llama-epp-1")


def status(
    *pickers: Pod, pool: Any = None, route: Any = None, engine: str = "llmd", **spec: Any
) -> InferenceServiceStatus:
    """Of a service whose model is served."""
    made = service(runtime={"engine": engine}, **spec)
    (role,) = roles(made)
    there = {("InferencePool", "llama"): pool, ("HTTPRoute", "llama"): route}
    children = {child: found for child, found in there.items() if found is not None}
    model, picker = Group(workload(1), serving()), Group(workload(1) if pickers else None, pickers)
    observed = Observed(children, {RoleName.MODEL_SERVER: model, RoleName.ENDPOINT_PICKER: picker})
    seen = RoleFacts(role, resolved(role, ()), model)
    return report(Facts(made, (seen,), observed, InferenceServiceStatus(), NOON))


def routing(*pickers: Pod, **more: Any) -> tuple[str, str, str]:
    """Status, reason and message of RoutingReady."""
    found = condition(status(*pickers, **more), ConditionType.ROUTING_READY)
    assert found is not None
    return found.status, found.reason, found.message


def answered(*said: tuple[str, str], message: str = "") -> dict[str, Any]:
    """A pool of which a Gateway says these conditions."""
    conditions = [{"type": kind, "status": value, "reason": "ByTheGateway", "message": message} for kind, value in said]
    return {"status": {"parents": [{"conditions": conditions}]}}


def test_other_engines_have_no_such_condition():
    assert condition(status(engine="vllm"), ConditionType.ROUTING_READY) is None


def test_a_cluster_without_pools_is_told_what_to_install_and_what_happens_until_then():
    state, reason, message = routing()
    assert (state, reason) == ("False", "InferenceExtensionMissing")
    assert "install the Gateway API inference extension" in message
    assert "requests are spread" in message


@pytest.mark.parametrize("pickers", [(), (pod("llama-epp-1"),)], ids=["none", "one that loads"])
def test_a_picker_that_starts_is_waited_for(pickers):
    assert routing(*pickers, pool={})[:2] == ("Unknown", "EndpointPickerStarting")


def test_a_picker_that_cannot_start_is_told_with_its_cause():
    state, reason, message = routing(stuck("ErrImagePull", "no such image"), pool={})
    assert (state, reason) == ("False", "ImagePullFailed")
    assert message.startswith("endpoint picker: ")
    assert "spec.runtime.endpointPicker" in message


def test_an_old_picker_goes_on_while_a_new_one_cannot_start():
    broken = stuck("ErrImagePull", template_hash="two")
    assert routing(*READY, broken, pool=answered(("Accepted", "True")))[:2] == ("True", "PoolAccepted")


def test_a_pool_that_no_gateway_was_asked_to_use_says_how_to():
    state, reason, message = routing(*READY, pool={})
    assert (state, reason) == ("Unknown", "PoolUnused")
    assert "spec.expose.gateway" in message
    assert "InferencePool llama" in message


def test_an_ingress_does_not_use_the_pool():
    assert routing(*READY, pool={}, expose={"host": "a.example.com", "ingress": {}})[1] == "PoolUnused"


def test_a_gateway_that_has_not_answered_is_waited_for():
    assert routing(*READY, pool={}, expose=GATEWAY)[:2] == ("Unknown", "PoolPending")


def test_a_gateway_that_is_still_thinking_is_waited_for():
    assert routing(*READY, pool=answered(("Accepted", "Unknown")), expose=GATEWAY)[:2] == ("Unknown", "PoolPending")


def test_a_gateway_that_takes_the_pool_is_told():
    taken = answered(("Accepted", "True"), ("ResolvedRefs", "True"))
    assert routing(*READY, pool=taken, expose=GATEWAY)[:2] == ("True", "PoolAccepted")


def test_a_route_of_somebody_else_may_use_the_pool():
    assert routing(*READY, pool=answered(("Accepted", "True")))[:2] == ("True", "PoolAccepted")


@pytest.mark.parametrize("refused", ["Accepted", "ResolvedRefs"])
def test_a_gateway_that_refuses_the_pool_is_quoted(refused):
    pool = answered(("Accepted", "True"), (refused, "False"), message="no Service llama-epp")
    state, reason, message = routing(*READY, pool=pool, expose=GATEWAY)
    assert (state, reason) == ("False", "PoolRejected")
    assert "no Service llama-epp" in message


def test_a_gateway_that_knows_no_pools_refuses_the_route_and_that_is_told_with_a_way_out():
    route = answered(("Accepted", "True"), ("ResolvedRefs", "False"), message="unknown kind InferencePool")
    state, reason, message = routing(*READY, pool={}, route=route, expose=GATEWAY)
    assert (state, reason) == ("False", "PoolRejected")
    assert "unknown kind InferencePool" in message
    assert "runtime.engine vllm" in message


@pytest.mark.parametrize("pickers", [(), (stuck("ErrImagePull"),)])
@pytest.mark.parametrize("pool", [None, {}])
def test_replicas_that_answer_are_ready_whatever_chooses_among_them(pickers, pool):
    found = condition(status(*pickers, pool=pool), ConditionType.READY)
    assert found is not None
    assert (found.status, found.reason) == ("True", "Available")
