"""Replicas of several pods are exchanged as a Deployment exchanges pods: whole, and while enough serve."""

from aifactory.api.rollout import RolloutSpec
from aifactory.exchange import Exchange, Replica, exchange, makes_way
from hypothesis import given
from hypothesis import strategies as st

SURGE = RolloutSpec.model_validate({"maxSurge": 1, "maxUnavailable": 0})
IN_PLACE = RolloutSpec.model_validate({"maxSurge": 0, "maxUnavailable": 1})


def new(*, ready: bool = True, load: float = 0.0) -> Replica:
    return Replica(current=True, ready=ready, load=load)


def old(*, ready: bool = True, load: float = 0.0) -> Replica:
    return Replica(current=False, ready=ready, load=load)


def test_the_lowest_free_numbers_are_made() -> None:
    assert exchange({}, 2, SURGE) == Exchange((0, 1))
    assert exchange({1: new()}, 3, SURGE) == Exchange((0, 1, 2))


def test_numbers_of_pods_that_still_leave_are_not_used_again() -> None:
    assert exchange({1: new()}, 2, SURGE, taken={0}) == Exchange((1, 2))


def test_the_idlest_goes_after_those_that_do_not_serve() -> None:
    live = {0: new(load=3), 1: new(load=1), 2: new(ready=False), 3: new(load=2)}
    assert exchange(live, 3, SURGE) == Exchange((0, 1, 3))
    assert exchange(live, 2, SURGE) == Exchange((0, 3))


def test_with_surge_an_old_replica_goes_when_a_new_one_serves() -> None:
    assert exchange({0: old(), 1: old()}, 2, SURGE) == Exchange((2,), (0, 1))
    assert exchange({0: old(), 1: old(), 2: new(ready=False)}, 2, SURGE) == Exchange((2,), (0, 1))
    assert exchange({0: old(load=1), 1: old(), 2: new()}, 2, SURGE) == Exchange((2, 3), (0,))
    assert exchange({0: old(), 2: new(), 3: new()}, 2, SURGE) == Exchange((2, 3))


def test_without_surge_one_goes_before_its_successor_comes() -> None:
    assert exchange({0: old(load=1), 1: old()}, 2, IN_PLACE) == Exchange((2,), (0,))
    assert exchange({0: old()}, 1, IN_PLACE) == Exchange((1,))


def test_an_old_replica_that_does_not_serve_is_replaced_at_once() -> None:
    assert exchange({0: old(ready=False), 1: old()}, 2, SURGE) == Exchange((2, 3), (1,))


def test_percentages_are_rounded_as_deployments_round_them() -> None:
    quarter = RolloutSpec.model_validate({"maxSurge": "25%", "maxUnavailable": "25%"})
    live = {number: old() for number in range(5)}
    chosen = exchange(live, 5, quarter)
    assert (len(chosen.stay), len(chosen.have)) == (4, 3)


def test_only_a_rollout_without_room_may_leave_nobody_serving() -> None:
    assert makes_way(IN_PLACE, 1)
    assert not makes_way(IN_PLACE, 2)
    assert not makes_way(SURGE, 1)


REPLICAS = st.dictionaries(
    st.integers(0, 9), st.builds(Replica, current=st.booleans(), ready=st.booleans(), load=st.floats(0, 9)), max_size=8
)
ROLLOUTS = st.sampled_from([SURGE, IN_PLACE, RolloutSpec.model_validate({"maxSurge": "50%", "maxUnavailable": "50%"})])


@given(live=REPLICAS, wanted=st.integers(0, 6), rollout=ROLLOUTS)
def test_a_step_never_makes_too_many_nor_lets_too_few_serve(
    live: dict[int, Replica], wanted: int, rollout: RolloutSpec
) -> None:
    chosen = exchange(live, wanted, rollout)
    assert not set(chosen.have) & set(chosen.stay)
    assert all(not live[number].current and live[number].ready for number in chosen.stay)
    surge = {1: 1, 0: 0, "50%": -(-wanted // 2)}[rollout.max_surge]
    missing = {0: 0, 1: 1, "50%": wanted // 2}[rollout.max_unavailable]
    made = set(chosen.have) - live.keys()
    assert len(chosen.have) <= wanted
    assert not made or len(chosen.have) + len(chosen.stay) <= wanted + max(surge, 0)
    serving = sum(one.ready for one in live.values())
    kept = sum(live[number].ready for number in (*chosen.have, *chosen.stay) if number in live)
    assert kept >= min(serving, wanted - max(missing, 1 if surge == 0 else missing))


@given(live=REPLICAS, wanted=st.integers(0, 6), rollout=ROLLOUTS)
def test_steps_end_with_the_wanted_replicas_and_no_others(
    live: dict[int, Replica], wanted: int, rollout: RolloutSpec
) -> None:
    for _ in range(40):
        chosen = exchange(live, wanted, rollout)
        live = {n: live[n] for n in chosen.stay} | {n: Replica(True, True, 0.0) for n in chosen.have}
    assert len(live) == wanted
    assert all(one.current for one in live.values())
