"""Whether an Ingress leads anybody to the service."""

from typing import Any

import pytest
from aifactory.api.conditions import ConditionType
from aifactory.api.role import RoleName
from aifactory.api.status import InferenceServiceStatus
from aifactory.observed import Group, Observed
from aifactory.render import resolved
from aifactory.runtimes import roles
from aifactory.status.facts import Facts, RoleFacts
from aifactory.status.report import report

from .scene import NOON, condition, service, serving, workload


def exposed(**ingress: Any) -> Any:
    """The condition of a service that serves, behind this Ingress."""
    made, model = service(expose={"host": "chat.example.com", "ingress": {}}), Group(workload(1), serving())
    (role,) = roles(made)
    observed = Observed({("Ingress", "llama"): ingress}, {RoleName.MODEL_SERVER: model})
    seen = RoleFacts(role, resolved(role, ()), model)
    return condition(report(Facts(made, (seen,), observed, InferenceServiceStatus(), NOON)), ConditionType.EXPOSED)


@pytest.mark.parametrize("status", [None, {}, {"loadBalancer": {}}, {"loadBalancer": {"ingress": []}}])
def test_an_ingress_without_an_address_may_have_no_controller(status):
    found = exposed(status=status)
    assert (found.status, found.reason) == ("Unknown", "IngressPending")
    assert "check spec.expose.ingress.className" in found.message


def test_an_ingress_with_an_address_leads_to_the_service():
    found = exposed(status={"loadBalancer": {"ingress": [{"hostname": "lb.example.com"}]}})
    assert (found.status, found.reason) == ("True", "IngressCreated")
    assert "chat.example.com" in found.message
