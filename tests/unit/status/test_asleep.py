"""A service that may have no replica is healthy without one, and says how it wakes."""

from typing import Any

import pytest
from aifactory.autoscale.decision import DecisionReason
from aifactory.observed import Group

from tests.unit.status.scene import (
    SLEEPS,
    Life,
    condition,
    decision,
    pod,
    serving,
    stuck,
    without_node,
    workload,
)
from tests.unit.status.tools import WELL, health

HOLDS = Group(workload(1), serving("llama-activator-1"))
GONE = Group(workload(1, 0))
UNPULLED = Group(workload(1, 0), (stuck("ErrImagePull", "not found"),))
NO_REPLICA = workload(0)


def types(life: Life) -> set[str]:
    return {found.type for found in life.status.conditions}


def asleep() -> Life:
    """It served once, and then nobody asked."""
    life = Life(**SLEEPS)
    life.look(workload(1), *serving(), activator=HOLDS)
    life.look(NO_REPLICA, activator=HOLDS, decision=decision(0, 0, DecisionReason.SCALED_TO_ZERO))
    return life


def reason(life: Life, kind: str) -> tuple[str, str]:
    found: Any = condition(life.status, kind)
    return found.status, found.reason


def test_a_sleeping_service_is_healthy_and_says_how_it_wakes() -> None:
    life = asleep()
    assert life.ready() == ("True", "ScaledToZero")
    assert "the next request is held until one serves" in condition(life.status, "Ready").message
    assert reason(life, "ModelReady") == ("False", "ScaledToZero")
    assert reason(life, "ScalingActive") == ("True", "ScaledToZero")
    assert not {"Stalled", "Reconciling"} & types(life)
    assert health(life) == WELL


def test_falling_asleep_is_no_alarm() -> None:
    assert [event.type for event in asleep().told] == ["Normal"], "that it became ready"


def test_a_service_that_wakes_says_that_requests_are_held() -> None:
    life = asleep()
    life.look(workload(1, 0), pod(), activator=HOLDS, decision=decision(0, 1, DecisionReason.ACTIVATED))
    assert life.ready() == ("Unknown", "ColdStarting")
    assert reason(life, "ModelReady") == ("False", "ColdStarting")
    assert health(life) == ("Progressing", "InProgress", "InProgress")
    life.look(workload(1, 0), pod(), activator=HOLDS)
    assert life.ready() == ("Unknown", "ColdStarting"), "as long as it loads"
    life.look(workload(1), *serving(), activator=HOLDS)
    assert life.ready() == ("True", "Available")
    assert health(life) == WELL


def test_a_service_that_cannot_wake_says_why() -> None:
    life = asleep()
    life.look(workload(1, 0), without_node(), activator=HOLDS)
    assert life.ready() == ("False", "InsufficientGPUs")
    life = asleep()
    life.look(workload(1, 0), stuck("CrashLoopBackOff", restarts=3, last_exit="OOMKilled"), activator=HOLDS)
    assert life.ready() == ("False", "ContainerCrashing")


def test_a_lost_replica_of_a_service_that_was_awake_is_no_cold_start() -> None:
    life = Life(**SLEEPS)
    life.look(workload(1), *serving(), activator=HOLDS)
    life.look(workload(1, 0), pod(), activator=HOLDS)
    assert life.ready() == ("False", "WaitingForReplicas")


def test_a_sleeping_service_without_an_activator_is_not_well() -> None:
    life = asleep()
    life.look(NO_REPLICA, activator=GONE)
    assert life.ready() == ("False", "ActivatorNotReady")
    life.look(NO_REPLICA, activator=UNPULLED)
    assert "not found" in condition(life.status, "Ready").message


def test_a_new_service_that_may_sleep_loads_like_any_other() -> None:
    life = Life(**SLEEPS)
    life.look(workload(1, 0), pod(), activator=HOLDS)
    assert life.ready() == ("Unknown", "ModelLoading")


def test_no_replicas_that_were_asked_for_are_still_none() -> None:
    life = Life(replicas=0)
    life.look(NO_REPLICA)
    assert condition(life.status, "Ready").message == "0 replicas are asked for; no request is answered"


@pytest.mark.parametrize("spec", [{"mode": "Paused"}, {"scaling": {**SLEEPS["scaling"], "mode": "Recommend"}}])
def test_a_sleeping_service_that_no_request_wakes_promises_nothing(spec: dict[str, Any]) -> None:
    life = asleep()
    life.edit(**{**SLEEPS, **spec})
    life.look(NO_REPLICA, activator=HOLDS, decision=decision(0, 0, DecisionReason.SCALED_TO_ZERO))
    assert not [found for found in life.status.conditions if "the next request" in found.message]
