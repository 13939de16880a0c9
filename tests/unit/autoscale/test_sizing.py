from dataclasses import replace
from datetime import timedelta
from typing import Any

from aifactory.autoscale import sizing
from aifactory.autoscale.fleet import Fleet
from aifactory.observed import Group, Pod, Workload
from aifactory.together import folded


def test_the_credit_for_loading_replicas_never_asks_for_fewer_than_now() -> None:
    assert sizing.grown(Fleet(8, 1, loading=7), ratio=2.0, threshold=0.55) == 8


def test_a_queue_without_completions_asks_for_one_more_than_is_ready() -> None:
    assert sizing.draining(Fleet(2, 2), 100.0, 10.0, 0.0, 0.0, 60.0) == 3
    assert sizing.draining(Fleet(3, 2, loading=1), 100.0, 10.0, 0.0, 0.0, 60.0) == 3


def test_pods_are_sorted_by_what_they_are_worth() -> None:
    pods = (
        Pod("serving", 0.0, ready=True),
        Pod("leaving", 0.0, ready=True, terminating=True),
        Pod("loading", 90.0),
        Pod("stuck", 0.0),
        Pod("waits", 10.0, unschedulable_since=20.0),
        Pod("waits-too", 30.0, unschedulable_since=40.0),
    )
    fleet = Fleet.of(Group(Workload(7, total=5, updated=5), pods), timedelta(seconds=60), 100.0)
    assert replace(fleet, starts={}) == Fleet(
        7, 1, loading=1, unschedulable=2, unschedulable_since=20.0, overdue=1, uncreated=2, rolling_out=True
    )
    assert fleet.pending == 5


def test_loading_begins_on_a_node_and_anew_with_each_container() -> None:
    pods = (
        Pod("old", 0.0),
        Pod("placed", 0.0, scheduled_at=900.0),
        Pod("again", 0.0, scheduled_at=1.0, began_at=950.0),
    )
    fleet = Fleet.of(Group(Workload(3, total=3, updated=3), pods), timedelta(minutes=5), 1000.0)
    assert (fleet.loading, fleet.overdue) == (2, 1)


def test_a_service_without_a_deployment_has_no_replicas() -> None:
    assert Fleet.of(Group(), timedelta(minutes=1), 0.0) == Fleet(0, 0)


def test_a_replica_of_which_one_pod_waits_for_a_node_is_one_that_waits() -> None:
    """So that no further replica is asked for while its other pods hold GPUs for nothing."""

    def member(name: str, **state: Any) -> Pod:
        return Pod(name, 10.0, replica="0", nodes=3, **state)

    placed, waits = {"scheduled": True, "ready": True}, {"unschedulable_since": 20.0}
    pods = folded((member("a", **placed), member("b", **placed), member("c", **waits)))
    fleet = Fleet.of(Group(Workload(1, total=1, updated=1), pods), timedelta(seconds=60), 100.0)
    assert replace(fleet, starts={}) == Fleet(1, 0, unschedulable=1, unschedulable_since=20.0)
