"""Several operators stand by; one acts."""

import time
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.kind.controlplane import ControlPlane
from tests.operator_process import OperatorProcess

from .conftest import new_operator
from .service import CHILDREN, Service, operator_writes, target

Pair = tuple[OperatorProcess, OperatorProcess]
LEASE_SECONDS = 12
LONG_LEASE_SECONDS, HANDED_OVER_SECONDS = 120, 90
"""The hand-over takes the eighth part of a lease; one that was not given up runs out much later."""


@pytest.fixture
def pair(api: ControlPlane, namespace: str, own_service: Service, request: pytest.FixtureRequest) -> Iterator[Pair]:
    """The active operator and one that stands by, with a lease of as many seconds as the parameter says."""
    seconds = getattr(request, "param", LEASE_SECONDS)
    settings = {"AIFACTORY_LEASE_NAMESPACE": namespace, "AIFACTORY_LEASE_DURATION": str(seconds)}
    with new_operator(api, namespace, **settings) as first:
        own_service.wait("the first leads", lambda: leads(first))
        with new_operator(api, namespace, **settings) as second:
            yield first, second


def leads(operator: OperatorProcess) -> bool:
    try:
        return "aifactory_leading 1.0" in operator.metrics()
    except OSError:
        return False


def test_one_acts_and_the_other_takes_over_when_it_dies(api: ControlPlane, pair: Pair, own_service: Service) -> None:
    first, second = pair
    own_service.apply()
    own_service.wait_children()
    assert not leads(second)
    first.kill()
    own_service.wait("the second leads", lambda: leads(second))
    own_service.apply({"replicas": 2})
    own_service.wait("the second acts", lambda: own_service.deployment()["spec"]["replicas"] == 2)
    own_service.wait("it has told so", lambda: own_service.status()["replicas"]["desired"] == 2)
    writes = Counter(map(target, operator_writes(api, own_service.namespace)))
    assert writes["patch services"] == 1, "nothing was written twice"
    assert writes["patch deployments"] == 2


def test_what_vanishes_while_the_other_takes_over_comes_back(pair: Pair, own_service: Service) -> None:
    first, second = pair
    own_service.apply()
    own_service.wait_children()
    first.stop()
    own_service.wait("the second leads", lambda: leads(second))
    for plural in 5 * tuple(CHILDREN):  # from before its first list until after its watches began
        own_service.kube.delete(own_service.child_path(plural))
        time.sleep(0.1)
    own_service.wait("all are back", lambda: all(own_service.child(plural) for plural in CHILDREN))


@pytest.mark.parametrize("pair", [LONG_LEASE_SECONDS], indirect=True)
def test_an_operator_that_ends_hands_over_at_once(pair: Pair, own_service: Service) -> None:
    first, second = pair
    first.stop()
    own_service.wait("the second leads", lambda: leads(second), HANDED_OVER_SECONDS)


def test_an_operator_that_stands_by_ends_by_itself(pair: Pair) -> None:
    """As process 1 of its container it would otherwise be killed, after half a minute."""
    _, second = pair
    assert second.stop() == 0
