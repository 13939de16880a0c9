"""Pods of one replica count as one, and start anew together."""

from dataclasses import replace
from typing import Any

from aifactory.observed import Pod
from aifactory.together import folded, left_behind

BORN, BEGAN = 100.0, 110.0


def member(rank: int, replica: str = "0", nodes: int = 3, **fields: Any) -> Pod:
    made = Pod(f"chat-{replica}-{rank}", BORN, ready=True, ready_at=120.0 + rank, scheduled=True, began_at=BEGAN)
    placed = replace(made, replica=replica, nodes=nodes, leader=rank == 0, uid=f"{replica}/{rank}")
    return replace(placed, **fields)


def trio(replica: str = "0", **of_the_last: Any) -> tuple[Pod, ...]:
    return member(0, replica), member(1, replica), member(2, replica, **of_the_last)


def waiting(since: float) -> dict[str, Any]:
    lack = "0/9 nodes are available: 9 Insufficient nvidia.com/gpu."
    return {
        "ready": False,
        "ready_at": None,
        "scheduled": False,
        "began_at": None,
        "unschedulable_since": since,
        "unschedulable_message": lack,
    }


def behind(*pods: Pod) -> set[str]:
    return {pod.name for pod in left_behind(pods)}


def test_a_replica_is_one_pod_under_the_name_of_its_leader() -> None:
    (one,) = folded(reversed(trio()))
    assert (one.name, one.ready, one.ready_at, one.created_at) == ("chat-0-0", True, 122.0, BORN)


def test_pods_that_serve_alone_stay_as_they_are() -> None:
    alone = Pod("chat-abc", BORN, ready=True)
    assert folded((alone, *trio("0"), *trio("1"))) == (alone, *folded(trio("0")), *folded(trio("1")))


def test_a_replica_is_ready_when_all_its_pods_are() -> None:
    assert not folded(trio(ready=False))[0].ready
    assert not folded(trio()[:2])[0].ready, "a pod that does not exist yet is not ready"


def test_a_replica_waits_for_nodes_as_long_as_one_pod_does() -> None:
    (one,) = folded((member(0), replace(member(1), **waiting(130.0)), replace(member(2), **waiting(140.0))))
    assert one.unschedulable
    assert one.unschedulable_since == 130.0
    assert one.unschedulable_message.startswith("1 of 3 pods of the replica have nodes; 0/9 nodes")
    assert "Insufficient nvidia.com/gpu" in one.unschedulable_message


def test_the_pod_that_is_in_trouble_is_named() -> None:
    (one,) = folded(trio(ready=False, waiting_reason="CrashLoopBackOff", restarts=3, last_exit="Error, exit code 1"))
    assert (one.name, one.culprit, one.restarts) == ("chat-0-0", "chat-0-2", 3)
    assert (one.waiting_reason, one.last_exit) == ("CrashLoopBackOff", "Error, exit code 1")


def test_the_pod_that_has_waited_longest_for_its_node_to_start_it_is_named() -> None:
    loads, late, later = (member(rank, ready=False, began_at=None) for rank in range(3))
    waits = replace(late, unstarted_since=130.0), replace(later, unstarted_since=120.0, scheduled=False)
    (one,) = folded((loads, *waits))
    assert (one.culprit, one.unstarted_since, one.scheduled) == ("chat-0-2", 120.0, False)
    assert folded((loads, late, later))[0].unstarted_since is None


def test_a_replica_leaves_when_its_last_pod_does() -> None:
    leaving = [replace(pod, terminating=True) for pod in trio()]
    assert folded(leaving)[0].terminating
    assert not folded((*leaving[:2], member(2)))[0].terminating


def test_nobody_is_left_behind_where_nothing_failed() -> None:
    assert behind(*trio("0"), *trio("1")) == set()


def test_a_container_that_failed_leaves_the_others_behind_but_not_itself() -> None:
    assert behind(*trio(ended_at=200.0, began_at=201.0), *trio("1")) == {"chat-0-0", "chat-0-1"}
    assert behind(*trio(ended_at=200.0, began_at=None)) == {"chat-0-0", "chat-0-1"}


def test_a_pod_that_leaves_or_has_left_leaves_the_others_behind() -> None:
    assert behind(*trio(terminating=True, left_at=200.0)) == {"chat-0-0", "chat-0-1"}
    successor = replace(member(2), uid="new", began_at=None, ready=False)
    assert behind(*trio(terminating=True, left_at=200.0), successor) == {"chat-0-0", "chat-0-1"}


def test_a_pod_that_never_began_breaks_nothing_by_leaving() -> None:
    assert behind(*trio(terminating=True, left_at=200.0, began_at=None)) == set()


def test_those_that_began_after_the_failure_are_not_left_behind() -> None:
    assert (
        behind(member(0, began_at=210.0), member(1, began_at=215.0), member(2, ended_at=200.0, began_at=201.0)) == set()
    )


def test_pods_that_left_because_another_one_failed_do_not_take_that_one_with_them() -> None:
    crashed = member(2, ended_at=200.0, began_at=201.0)
    deleted = [replace(pod, terminating=True, left_at=203.0) for pod in (member(0), member(1))]
    assert behind(crashed, *deleted) == set()
    restarted = [replace(pod, uid="new", began_at=210.0) for pod in (member(0), member(1))]
    assert behind(crashed, *deleted, *restarted) == set()


def test_a_drain_is_followed_by_one_restart_and_no_more() -> None:
    drained = member(1, terminating=True, left_at=200.0)
    assert behind(member(0), drained, member(2)) == {"chat-0-0", "chat-0-2"}
    followers = [replace(member(rank), terminating=True, left_at=201.0) for rank in (0, 2)]
    assert behind(*followers, drained, replace(member(1), uid="new", began_at=200.0)) == set()


def test_a_container_that_ends_because_its_pod_leaves_has_not_failed() -> None:
    crashed = member(2, ended_at=200.0, began_at=201.0)
    leaving = replace(member(0), terminating=True, left_at=202.0, ended_at=205.0)
    assert behind(crashed, leaving, replace(member(1), began_at=203.0)) == set()
