"""Whole runs: what every policy can rely on, and the figures that sum a run up."""

from dataclasses import replace
from typing import Any

import pytest
from aifactory.api.inferenceservice import InferenceService
from aifactory.simulate.engine.edges import FIRST_TOKEN_DYNAMO
from aifactory.simulate.engine.models import ENGINES
from aifactory.simulate.policies.base import Choice, Seen
from aifactory.simulate.policies.fixed import Fixed
from aifactory.simulate.policies.operator import Operator
from aifactory.simulate.record import Answer, figures, worst_share
from aifactory.simulate.registry import POLICIES
from aifactory.simulate.run import run_policies, run_policy
from aifactory.simulate.scenario import Watch, scenario
from aifactory.simulate.trace import Request
from aifactory.simulate.world import World
from aifactory.status.pods import lacks_gpus

from tests.simulate.scenes import capacity, manifest, poisson, scene

STEP = [*poisson(3, 120), *poisson(12, 240, start=120), *poisson(2, 540, start=360)]


class Watching(Fixed):
    """A timetable that remembers what it saw."""

    def __init__(self, timetable: list[tuple[float, int]]) -> None:
        super().__init__(timetable)
        self.seen: list[Seen] = []

    def decide(self, seen: Seen) -> Choice:
        self.seen.append(replace(seen, engines=dict))
        return super().decide(seen)


@pytest.mark.parametrize("policy", POLICIES)
def test_every_request_ends_once_under_every_policy(policy: str) -> None:
    scenario = scene(STEP, startup=30.0)
    record = run_policy(policy, scenario, capacity()).record
    assert sorted(answer.arrived_at for answer in record.answers) == [request.at for request in STEP]
    assert sum(answer.first_token is None for answer in record.answers) == record.aborted


@pytest.mark.parametrize("policy", ["aifactory", "kpa", "dynamo"])
def test_a_seed_gives_the_same_run_again_and_another_seed_another(policy: str) -> None:
    scenario = scene(STEP, startup=30.0)
    first, again = (run_policy(policy, scenario, capacity()).figures for _ in range(2))
    other = run_policy(policy, replace(scenario, seed=1), capacity()).figures
    assert first == again
    assert first != other


def test_of_several_policies_no_answers_are_kept_but_what_sums_them_up() -> None:
    scenario = scene(STEP, startup=30.0)
    alone, kept = run_policy("kpa", scenario, capacity()), run_policies(["kpa"], scenario, capacity())["kpa"]
    assert (kept.figures, kept.slowest, kept.record.answers) == (alone.figures, alone.slowest, [])
    assert len(kept.slowest[0]) == len(kept.slowest[1]) == 30


def test_the_operator_follows_a_step_of_load_and_keeps_the_promise_better_than_the_mean() -> None:
    scenario = scene(STEP, startup=30.0)
    operator, mean = (run_policy(name, scenario, capacity()) for name in ("aifactory", "static-mean"))
    assert max(moment.ready for moment in operator.record.moments) >= 3
    assert operator.figures.attainment > mean.figures.attainment
    assert operator.record.moments[-1].replicas < max(moment.replicas for moment in operator.record.moments)


def test_replicas_serve_after_their_start_and_are_paid_for_from_the_beginning() -> None:
    scenario = scene(poisson(1, 600), startup=100.0)
    policy = Watching([(0.0, 1), (300.0, 2)])
    record = World(scenario, policy).run(1)
    serving = [seen.now for seen in policy.seen if seen.ready == 2]
    assert 390.0 <= serving[0] <= 300.0 + 110.0 + policy.every
    assert record.gpu_seconds == pytest.approx(2 * (scenario.end + scenario.end - 300.0))
    assert record.actions == [(300.0, 1, 2)]


def test_a_replica_that_leaves_finishes_its_requests_and_is_paid_for_until_then() -> None:
    long = [Request(index * 0.1, 64, 400) for index in range(100)]
    scenario = scene([*long, Request(300.0, 64, 32)])
    record = World(scenario, Fixed([(0.0, 4), (15.0, 1)])).run(4)
    assert record.aborted == 0
    assert record.gpu_seconds > 2 * (300.0 + 3 * 16.0)
    assert record.gpu_seconds < 2 * (300.0 + 3 * 100.0)


@pytest.mark.parametrize(("runtime", "seconds"), [("vllm", 5), ("nim", 120)])
def test_an_idle_replica_that_leaves_is_paid_for_while_its_pod_serves_on(runtime: str, seconds: int) -> None:
    """Until no Service names it; one that cuts requests when told to stop is told only after `drain.timeout`."""
    scenario = scene([Request(0.0, 64, 32), Request(600.0, 64, 32)], runtime=runtime)
    record = World(scenario, Fixed([(0.0, 2), (300.0, 1)])).run(2)
    assert record.gpu_seconds == pytest.approx(2 * (600.0 + 300.0 + seconds))


def test_a_replica_that_leaves_before_it_serves_is_paid_for_as_any_other() -> None:
    scenario = scene([Request(0.0, 64, 32), Request(600.0, 64, 32)], startup=100.0)
    record = World(scenario, Fixed([(0.0, 1), (300.0, 2), (330.0, 1)])).run(1)
    assert record.gpu_seconds == pytest.approx(2 * (600.0 + 30.0 + 5.0))


def test_requests_that_outlast_the_drain_are_cut_and_counted() -> None:
    endless = [Request(index * 0.1, 64, 10_000) for index in range(20)]
    scenario = scene([*endless, Request(600.0, 64, 32)])
    record = World(scenario, Fixed([(0.0, 2), (15.0, 1)])).run(2)
    assert 0 < record.aborted < 20


def test_a_request_that_no_replica_could_hold_fails() -> None:
    scenario = scene([Request(0.0, 20_000, 10), Request(1.0, 64, 10)])
    record = World(scenario, Fixed([(0.0, 1)])).run(1)
    assert record.aborted == 1
    assert [answer.good for answer in record.answers] == [False, True]


def test_policies_stay_within_the_bounds_of_the_service() -> None:
    scenario = scene(poisson(1, 200), minReplicas=2, maxReplicas=4)
    policy = Watching([(0.0, 1), (60.0, 9)])
    World(scenario, policy).run(1)
    assert {seen.replicas for seen in policy.seen} == {2, 4}


def test_prometheus_sees_a_pod_within_a_scrape_interval_of_its_start() -> None:
    policy = Watching([(0.0, 1), (60.0, 2)])
    World(scene(poisson(1, 300), startup=60.0), policy).run(1)
    ready = next(seen.now for seen in policy.seen if seen.ready == 2)
    prometheus = policy.seen[-1].prometheus
    assert len(prometheus.latest(ready + 15.0)) == 2


def test_samples_are_as_old_as_the_scrape_interval_of_the_scenario() -> None:
    policy = Watching([(0.0, 1)])
    World(replace(scene(poisson(1, 300)), watch=Watch(scrape=2.0)), policy).run(1)
    ages = [seen.now - sample.time for seen in policy.seen for sample in seen.prometheus.latest(seen.now).values()]
    assert max(ages) <= 300.0
    last = policy.seen[-1]
    assert all(last.now - sample.time <= 2.0 for sample in last.prometheus.latest(last.now).values())


def test_the_operator_decides_at_its_tick_over_its_window() -> None:
    quick = replace(scene(STEP, startup=30.0), watch=Watch(scrape=2.0, tick=2.0, window=16.0))
    usual = scene(STEP, startup=30.0)
    first = [World(each, Operator(each)).run(1).actions[0][0] for each in (quick, usual)]
    assert first[0] % 2.0 == 0 != first[0] % 15.0
    assert first[0] < first[1]


def test_a_trace_begins_with_the_replicas_that_were_asked_for() -> None:
    scenario = replace(scene(STEP, startup=30.0), initial=5)
    assert run_policy("aifactory", scenario, capacity()).record.moments[0].replicas == 5


def test_a_request_with_a_late_first_token_is_not_good() -> None:
    record = World(scene([Request(0.0, 64, 32), Request(10.0, 6000, 32)]), Fixed([(0.0, 1)])).run(1)
    assert [answer.first_token and answer.first_token <= 0.5 for answer in record.answers] == [True, False]
    assert [answer.between_tokens and answer.between_tokens <= 0.05 for answer in record.answers] == [True, True]
    assert [answer.good for answer in record.answers] == [True, False]
    found = figures(record)
    assert found.attainment == 0.5
    assert found.goodput_per_gpu_hour == pytest.approx(1 / found.gpu_hours)


def test_nor_is_one_whose_tokens_come_too_slowly() -> None:
    # 14 sequences at once: 20 ms and 2.2 ms for each is more than 50 ms.
    record = World(scene([*[Request(0.0, 16, 64)] * 14, Request(60.0, 16, 64)]), Fixed([(0.0, 1)])).run(1)
    assert all(answer.first_token and answer.first_token <= 0.5 for answer in record.answers)
    assert [answer.good for answer in record.answers] == [False] * 14 + [True]


def test_the_worst_five_minutes_are_found_wherever_they_begin() -> None:
    answers = [Answer(float(second), 0.1, 0.01, good=not 450 <= second < 600) for second in range(1800)]
    assert worst_share(answers, 1800.0) == pytest.approx(0.5, abs=0.03)
    assert worst_share(answers[:100], 100.0) == 1.0


@pytest.mark.parametrize("policy", ["aifactory", "hpa-queue", "kpa", "dynamo"])
def test_a_last_replica_stays_as_nobody_holds_requests_here(policy: str) -> None:
    requests = [*poisson(2, 60), *poisson(2, 60, start=1500)]
    record = run_policy(policy, scene(requests, minReplicas=0), capacity()).record
    assert min(moment.replicas for moment in record.moments) == 1


def test_a_budget_bounds_every_policy_and_a_schedule_none() -> None:
    always = {"name": "always", "start": "00:00", "end": "00:00", "minReplicas": 9}
    found = scene(poisson(1, 10), schedules=[always], budget={"gpus": 6})
    assert (found.scaling.min_replicas, found.scaling.max_replicas) == (1, 3)
    assert found.role.spec.scaling == found.scaling
    assert (found.scaling.schedules, found.scaling.budget) == (None, None)


def test_pods_wait_for_a_node_cost_nothing_meanwhile_and_the_oldest_gets_the_next() -> None:
    scenario = scene(poisson(1, 600), startup=30.0)
    policy = Watching([(0.0, 1), (60.0, 4)])
    world = World(scenario, policy)
    world.deployment.room = 2
    world.at(305.0, lambda now: set_room(world, 3, now))
    record = world.run(1)
    waiting = [{pod.name for pod in seen.group.pods if pod.unschedulable} for seen in policy.seen]
    assert [len(names) for names in waiting[5:]] == [2] * 15 + [1] * (len(waiting) - 20)
    assert waiting[-1] < waiting[5]
    assert max(waiting[5]) in waiting[-1]
    accelerator = scenario.role.spec.accelerator
    nowhere = [pod for seen in policy.seen for pod in seen.group.pods if pod.unschedulable]
    assert all(lacks_gpus(pod, accelerator) for pod in nowhere)
    assert record.gpu_seconds == pytest.approx(2 * (scenario.end + scenario.end - 60.0 + scenario.end - 300.0), abs=100)


def test_replicas_beyond_the_gpus_of_the_cluster_wait_from_the_start() -> None:
    scenario = replace(scene(poisson(1, 60)), room=2)
    policy = Watching([(0.0, 5)])
    World(scenario, policy).run(5)
    assert {sum(pod.ready for pod in seen.group.pods) for seen in policy.seen} == {2}
    assert {sum(pod.unschedulable for pod in seen.group.pods) for seen in policy.seen} == {3}


def test_the_gpus_of_a_replica_of_several_pods_are_those_of_all_of_them() -> None:
    spec = {"accelerator": {"count": 8, "nodes": 2}, "scaling": {"maxReplicas": 4}}
    service = InferenceService.model_validate({**manifest(), "spec": {**manifest()["spec"], **spec}})
    found = scenario(service, ENGINES["demo"], poisson(1, 60), startup=30.0, seed=0, gpus=47)
    assert (found.gpus, found.room) == (16, 2)


def set_room(world: World, pods: int, now: float) -> None:
    world.deployment.room = pods
    world.place(now)


def test_a_container_that_crashes_loses_its_requests_and_serves_again_after_its_start() -> None:
    policy = Watching([(0.0, 1)])
    scenario = scene(poisson(4, 300), startup=60.0)
    world = World(scenario, policy)
    world.at(100.0, lambda now: world.crash(next(iter(world.deployment.pods)), now))
    record = world.run(1)
    failed = [answer.arrived_at for answer in record.answers if answer.first_token is None]
    assert record.aborted == len(failed)
    assert 90.0 <= min(failed) <= 100.0
    assert 150.0 <= max(failed) <= 170.0
    assert [seen.ready for seen in policy.seen][6:10] == [0] * 4
    assert policy.seen[-1].group.pods[0].restarts == 1


def answered(requests: list[Request], replicas: int, **fields: Any) -> list[int]:
    """Requests that each of some replicas completes."""
    world = World(scene(requests, **fields), Fixed([(0.0, replicas)]))
    world.run(replicas)
    return [one.completed for one in world.deployment.counters]


APART = [Request(5.0 * index, 64, 32) for index in range(12)]
TOGETHER = [Request(0.001 * index, 64, 32) for index in range(12)]


class TestRouting:
    """Who chooses a replica is who does so in a cluster."""

    @pytest.mark.parametrize("engine", ["vllm", "sglang", "nim"])
    def test_a_service_sends_requests_to_random_replicas(self, engine: str) -> None:
        found = answered(APART, 3, runtime=engine)
        assert found != [4, 4, 4]
        assert all(found)

    def test_frontends_of_equal_workers_send_them_in_turn(self) -> None:
        assert answered(APART, 3, runtime="dynamo") == [4, 4, 4]

    @pytest.mark.parametrize("router", ["least-loaded", "kv"])
    def test_frontends_that_are_told_so_send_them_to_the_idlest(self, router: str) -> None:
        found = scenario(routed(router), ENGINES["demo"], TOGETHER, startup=30.0, seed=0)
        world = World(found, Fixed([(0.0, 3)]))
        world.run(3)
        assert [one.completed for one in world.deployment.counters] == [4, 4, 4]

    def test_an_endpoint_picker_avoids_queues(self) -> None:
        assert answered(TOGETHER, 3, runtime="llmd") == [4, 4, 4]
        assert answered(TOGETHER, 3, runtime="vllm") != [4, 4, 4]

    def test_an_endpoint_picker_prefers_replicas_with_room_in_their_cache(self) -> None:
        long = [Request(0.0, 4000, 900), Request(0.0, 4000, 900)]
        later = [Request(15.0 + index, 64, 8) for index in range(8)]
        assert sorted(answered([*long, *later], 3, runtime="llmd")) == [1, 1, 8]

    def test_where_there_are_frontends_they_measure_and_have_edges_of_their_own(self) -> None:
        policy = Watching([(0.0, 2)])
        World(scene(poisson(3, 200), runtime="dynamo"), policy).run(2)
        last = policy.seen[-1]
        assert set(last.prometheus.latest(last.now)) == {"frontend", *(pod.name for pod in last.group.pods)}
        found = last.prometheus.histogram("time_to_first_token", last.now, 60.0)
        assert found is not None
        assert set(found.edges) == set(FIRST_TOKEN_DYNAMO)
        assert found.total == pytest.approx(3, rel=0.3)


def routed(router: str) -> InferenceService:
    spec = {**manifest()["spec"], "runtime": {"engine": "dynamo", "dynamo": {"router": router}}}
    return InferenceService.model_validate({**manifest(), "spec": spec})


@pytest.mark.parametrize("engine", ["dynamo", "llmd"])
@pytest.mark.parametrize("policy", ["aifactory", "keda-slo", "hpa-queue"])
def test_policies_read_what_such_engines_measure(policy: str, engine: str) -> None:
    found = run_policy(policy, scene(STEP, startup=30.0, runtime=engine), capacity()).record
    assert len(found.answers) == len(STEP)
    assert max(moment.replicas for moment in found.moments) > 1
