"""Prefill and decode apart: each role by its own signals, and what becomes of a request on its way."""

from dataclasses import replace
from functools import cache

import pytest
from aifactory.api.inferenceservice import InferenceService
from aifactory.api.role import RoleName
from aifactory.signals.queries import GROWTH, HISTOGRAMS
from aifactory.simulate.capacity import Capacity, demand, profile
from aifactory.simulate.engine.models import ENGINES
from aifactory.simulate.oracle import timetables
from aifactory.simulate.policies.base import Choice, Seen
from aifactory.simulate.policies.fixed import Fixed
from aifactory.simulate.policies.operator import Operator
from aifactory.simulate.record import Record, figures
from aifactory.simulate.registry import POLICIES, WHOLE_POLICIES
from aifactory.simulate.run import run_policy
from aifactory.simulate.scenario import Scenario, ScenarioError, Watch, scenario
from aifactory.simulate.trace import Request
from aifactory.simulate.world import World
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.simulate.scenes import poisson, sized, split_manifest, split_scene

DEMO = ENGINES["demo"]
PATIENT = {"objectives": {"timeToFirstToken": {"target": "500ms"}, "interTokenLatency": {"target": "100ms"}}}


def ramp(step: float, prompt: int, answer: int) -> list[Request]:
    """Twenty minutes, so many requests a second more every 200 s."""
    waves = [sized(step, 1200.0 - start, prompt, answer, start=start) for start in range(0, 1200, 200)]
    return sorted(request for wave in waves for request in wave)


def fixed(scene: Scenario, prefill: int = 1, decode: int = 1) -> Record:
    """Numbers of replicas that stay."""
    return World(scene, Fixed([(0.0, prefill)]), Fixed([(0.0, decode)])).run(prefill, decode)


def operated(scene: Scenario) -> Record:
    """Decided by the operator, from one replica of each."""
    return World(scene, *map(Operator, scene.parts)).run(1, 1)


@cache
def rising() -> tuple[Scenario, list[Capacity]]:
    """Four times the load after two minutes."""
    scene = split_scene([*sized(2, 120, 400, 40), *sized(8, 120, 400, 40, start=120)])
    return scene, list(map(profile, scene.parts))


def most(record: Record) -> dict[RoleName, int]:
    return {one.role: max(moment.replicas for moment in one.moments) for one in record.scaled}


class TestScaling:
    def test_long_prompts_scale_prefill_alone(self) -> None:
        found = most(operated(split_scene(ramp(1.5, 800, 4), slo=PATIENT)))
        assert found[RoleName.PREFILL] >= 3
        assert found[RoleName.DECODE] == 1

    def test_long_answers_scale_decode_alone(self) -> None:
        found = most(operated(split_scene(ramp(0.5, 32, 300))))
        assert found[RoleName.PREFILL] == 1
        assert found[RoleName.DECODE] >= 4

    def test_both_objectives_are_kept_on_a_rising_load(self) -> None:
        record = operated(split_scene(ramp(1.5, 400, 60)))
        assert figures(record).attainment >= 0.99
        assert all(replicas > 1 for replicas in most(record).values())

    def test_prompts_that_wait_for_each_other_scale_prefill_though_hardly_more_than_one_runs(self) -> None:
        """One alone takes 330 of 500 ms, so that a replica may be busy for a small part of its time."""
        record = operated(split_scene(ramp(0.3, 2000, 4), slo=PATIENT))
        assert figures(record).attainment >= 0.95
        assert most(record)[RoleName.PREFILL] >= 5

    def test_prompts_that_wait_for_decode_add_no_prefill_replicas(self) -> None:
        """One replica of prefill is enough for four requests a second, and one of decode is not."""
        record = operated(split_scene(sized(4, 900.0, 400, 100), decode={"scaling": {"maxReplicas": 1}}))
        assert figures(record).attainment < 0.1
        assert most(record)[RoleName.PREFILL] == 1

    def test_long_prompts_are_no_load_of_decode(self) -> None:
        """What it is expected to carry is counted in tokens that it makes."""
        scene = split_scene(sized(1.0, 600.0, 800, 40))
        _, decode = (Operator(part) for part in scene.parts)
        World(scene, Operator(scene.parts[0]), decode).run(2, 2)
        assert decode.memory.knowledge.load == pytest.approx(40.0, rel=0.3)

    def test_each_role_keeps_within_its_own_bounds(self) -> None:
        bounds = {
            "prefill": {"scaling": {"minReplicas": 2, "maxReplicas": 3}},
            "decode": {"scaling": {"maxReplicas": 4}},
        }
        record = operated(split_scene(ramp(2, 800, 120), **bounds))
        prefill, decode = ([moment.replicas for moment in one.moments] for one in record.scaled)
        assert (min(prefill), max(prefill)) == (2, 3)
        assert (min(decode), max(decode)) == (1, 4)

    def test_a_role_with_fixed_replicas_stays_as_it_is(self) -> None:
        record = operated(split_scene(ramp(1.5, 800, 4), prefill={"replicas": 2}))
        assert {moment.replicas for moment in record.scaled[0].moments} == {2}

    def test_a_role_is_shown_what_frontends_measure_and_its_own_pods(self) -> None:
        """TTFT to the one and ITL to the other, of whole requests; requests in flight by pod of the role."""
        scene = split_scene(poisson(3, 120))
        read = []

        class Reading(Operator):
            def decide(self, seen: Seen) -> Choice:
                read.append((self.role.name, self.tick(seen).readings))
                return Choice(seen.replicas)

        World(scene, *map(Reading, scene.parts)).run(2, 3)
        (_, prefill), (_, decode) = read[-2:]
        assert [one.objective.signal for one in prefill.objectives] == ["timeToFirstToken"]
        assert [one.objective.signal for one in decode.objectives] == ["interTokenLatency"]
        assert (len(prefill.pods), len(decode.pods)) == (2, 3)
        assert all("-prefill-" in name for name in prefill.pods)
        assert prefill.completed.value == decode.completed.value == pytest.approx(3, rel=0.3)
        assert prefill.prompt_tokens.value == pytest.approx(64 * (prefill.completed.value or 0), rel=0.05)
        assert decode.objectives[0].observations == pytest.approx(60 * 31 * (decode.completed.value or 0), rel=0.05)


class TestRequest:
    def test_the_first_token_is_out_after_prefill_transfer_and_one_iteration_of_decode(self) -> None:
        scene = split_scene([Request(0.0, 400, 10), Request(10.0, 400, 10)])
        timing, context = DEMO.timing, 400
        prefill = timing.base + timing.per_prefill_token * 400 + timing.per_kv_token * context
        decode = timing.base + timing.per_prefill_token + timing.per_kv_token * context
        for answer in fixed(scene).answers:
            assert answer.first_token == pytest.approx(prefill + DEMO.per_handed_token * 400 + decode)
            assert answer.between_tokens == pytest.approx(timing.base + timing.per_decode, rel=0.05)

    def test_a_prompt_does_not_make_the_answers_of_others_wait(self) -> None:
        """As it does where one replica does both."""
        scene = split_scene([Request(0.0, 16, 400), *(Request(1.0 + at, 4000, 1) for at in range(8))])
        slowest = max(answer.between_tokens or 0.0 for answer in fixed(scene).answers)
        assert slowest < 1.3 * (DEMO.timing.base + DEMO.timing.per_decode)

    def test_a_prompt_that_is_full_of_others_waits_in_prefill_and_nowhere_else(self) -> None:
        scene = split_scene([Request(0.0, 4000, 2), Request(0.001, 100, 2)])
        long, short = sorted(fixed(scene).answers, key=lambda answer: answer.arrived_at)
        assert (short.first_token or 0.0) > 0.9 * (long.first_token or 0.0) > 0.5
        beside = sorted(fixed(scene, prefill=2).answers, key=lambda answer: answer.arrived_at)
        assert (beside[1].first_token or 0.0) < 0.1

    @settings(deadline=None, max_examples=30)
    @given(
        st.lists(
            st.builds(Request, st.floats(0, 100), st.integers(1, 3000), st.integers(1, 300)), min_size=1, max_size=60
        ),
        st.sampled_from(["round-robin", "random", "least-loaded", "kv"]),
        st.integers(1, 3),
        st.integers(1, 3),
    )
    def test_no_token_is_lost_and_none_comes_twice(
        self, requests: list[Request], router: str, prefill: int, decode: int
    ) -> None:
        last = Request(1000.0, 1, 1)
        scene = split_scene([*sorted(requests), last], router=router)
        world = World(scene, Fixed([(0.0, prefill)]), Fixed([(0.0, decode)]))
        record = world.run(prefill, decode)
        assert sorted(answer.arrived_at for answer in record.answers) == [one.at for one in scene.requests]
        assert record.aborted == 0
        assert record.tokens == sum(one.prompt_tokens + one.output_tokens for one in scene.requests)
        prompts, answers = (each.counters for each in world.deployments)
        assert sum(one.prompt_tokens for one in prompts) == sum(one.prompt_tokens for one in scene.requests)
        assert sum(one.generation_tokens for one in answers) == sum(one.output_tokens for one in scene.requests)
        assert all(answer.first_token and answer.first_token >= 2 * DEMO.timing.base for answer in record.answers)

    @pytest.mark.parametrize("name", [name for name in POLICIES if name not in WHOLE_POLICIES])
    def test_every_request_ends_once_under_every_policy(self, name: str) -> None:
        scene, capacities = rising()
        record = run_policy(name, scene, *capacities).record
        assert sorted(answer.arrived_at for answer in record.answers) == [request.at for request in scene.requests]
        assert record.aborted == sum(answer.first_token is None for answer in record.answers)

    def test_requests_in_flight_at_the_end_are_finished(self) -> None:
        record = fixed(split_scene([Request(index * 0.01, 500, 500) for index in range(50)]))
        assert record.aborted == 0
        assert len(record.answers) == 50

    def test_prompts_in_a_container_that_crashes_are_lost_and_those_beyond_it_are_not(self) -> None:
        scene = split_scene([*(Request(index * 0.1, 2000, 50) for index in range(20)), Request(300.0, 64, 32)])
        world = World(scene, Fixed([(0.0, 1)]), Fixed([(0.0, 1)]))
        world.at(2.0, lambda now: world.crash(next(iter(world.deployments[0].pods)), now))
        record = world.run(1, 1)
        assert 10 <= record.aborted < 20
        assert len(record.answers) == 21

    def test_frontends_choose_workers_in_turn_unless_they_are_told_otherwise(self) -> None:
        same = [Request(5.0 * index, 64, 32) for index in range(12)]

        def spread(router: str) -> list[int]:
            scene = split_scene(same, router=router)
            world = World(scene, Fixed([(0.0, 3)]), Fixed([(0.0, 1)]))
            world.run(3, 1)
            return [one.completed for one in world.deployments[0].counters]

        assert spread("round-robin") == [4, 4, 4]
        assert spread("random") != [4, 4, 4]
        assert spread("least-loaded") == [12, 0, 0]


class TestCost:
    def test_gpu_hours_are_those_of_both_roles(self) -> None:
        scene = split_scene(poisson(1, 600), decode={"scaling": {"maxReplicas": 4}, "accelerator": {"count": 4}})
        record = fixed(scene, prefill=3, decode=2)
        prefill, decode = (one.gpu_seconds for one in record.scaled)
        assert prefill == pytest.approx(3 * 2 * scene.end)
        assert decode == pytest.approx(2 * 4 * scene.end)
        assert record.gpu_seconds == prefill + decode

    def test_the_oracle_keeps_the_promise_of_both_for_less_than_the_peak_costs(self) -> None:
        quiet, busy = sized(1, 300, 400, 60), sized(12, 120, 400, 60, start=300)
        scene = split_scene([*quiet, *busy, *sized(1, 300, 400, 60, start=420)])
        capacities = list(map(profile, scene.parts))
        oracle, peak = (run_policy(name, scene, *capacities).figures for name in ("oracle", "static-peak"))
        assert oracle.attainment >= 0.99
        assert oracle.gpu_hours < 0.8 * peak.gpu_hours
        prefill, decode = timetables(scene, capacities)
        assert max(replicas for _, replicas in prefill) < max(replicas for _, replicas in decode)


class TestService:
    def test_starts_and_first_replicas_of_another_scenario_are_those_of_both_roles(self) -> None:
        scene = replace(split_scene(poisson(1, 300)), startup=200.0, initial=3, watch=Watch(scrape=5.0))
        assert {(part.startup, part.initial, part.watch.scrape) for part in scene.parts} == {(200.0, 3, 5.0)}
        record = run_policy("aifactory", scene, *map(profile, scene.parts)).record
        assert [one.moments[0].replicas for one in record.scaled] == [3, 3]

    def test_frontends_see_requests_pile_up_on_their_way(self) -> None:
        world = World(split_scene(poisson(20, 130)), Fixed([(0.0, 1)]), Fixed([(0.0, 1)]))
        world.run(1, 1)
        rates = world.prometheus.snapshot(("demo", "chat"), HISTOGRAMS, 120.0, 60.0).rates
        piled, completed = (rates[name]["demo", "chat"] for name in (GROWTH, "completed"))
        assert piled > 5
        assert piled + completed == pytest.approx(20, rel=0.1)

    def test_the_work_of_prefill_is_that_of_prompts_and_of_decode_that_of_answers(self) -> None:
        requests = [Request(0.0, 4000, 10), Request(70.0, 40, 10), Request(130.0, 40, 100), Request(190.0, 40, 10)]
        prefill, decode = (demand(part, 60.0) for part in split_scene(requests).parts)
        assert prefill[0] > 50 * prefill[1] == 50 * prefill[2]
        assert decode[0] < 3 * decode[1]
        assert decode[2] > 9 * decode[1]

    def test_pods_are_named_and_measured_as_those_of_the_operator(self) -> None:
        scene = split_scene(poisson(1, 60))
        world = World(scene, Fixed([(0.0, 1)]), Fixed([(0.0, 1)]))
        world.run(1, 1)
        assert [list(one.pods) for one in world.deployments] == [["chat-prefill-00001"], ["chat-decode-00001"]]
        snapshot = world.prometheus.snapshot(("demo", "chat"), HISTOGRAMS, 60.0, 60.0)
        assert snapshot.gauges["running"]["demo", "chat"].keys() > {"chat-prefill-00001", "chat-decode-00001"}

    @pytest.mark.parametrize(
        ("parts", "said"),
        [
            (
                {"prefill": {}, "decode": {}},
                "spec.topology.disaggregated.prefill.scaling, or that of decode: is required",
            ),
            (
                {"slo": {"objectives": {"throughput": {"tokensPerSecond": 100}}, "workload": "offline"}},
                r"spec.slo: give a latency objective that decode follows \(interTokenLatency or endToEndLatency\)",
            ),
        ],
    )
    def test_one_that_cannot_be_simulated_is_told_why(self, parts: dict[str, object], said: str) -> None:
        with pytest.raises(ScenarioError, match=said):
            split_scene(poisson(1, 60), **parts)

    def test_gpus_of_the_cluster_cannot_be_given(self) -> None:
        found = InferenceService.model_validate(split_manifest())
        with pytest.raises(ScenarioError, match="--gpus cannot be given for prefill and decode apart"):
            scenario(found, DEMO, poisson(1, 60), startup=30.0, seed=0, gpus=8)
