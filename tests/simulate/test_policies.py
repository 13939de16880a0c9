"""Each policy that the operator is compared with, on small cases worked out by hand."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pytest
from aifactory.signals.objectives import Signal
from aifactory.simulate.engine.batching import Limits, Timing
from aifactory.simulate.engine.counters import TOKENS
from aifactory.simulate.engine.models import ENGINES
from aifactory.simulate.policies import hpa, keda
from aifactory.simulate.policies.base import Asked, EngineLoad
from aifactory.simulate.policies.dynamo import THROUGHPUT_SECONDS, Dynamo, Kalman, Model
from aifactory.simulate.policies.hpa import Behavior, Rules
from aifactory.simulate.policies.keda import KedaSLO
from aifactory.simulate.policies.kpa import KPA
from aifactory.simulate.prometheus import Prometheus

from tests.simulate.scenes import EDGES, poisson, sample, scene, seen, split_scene


def queues(*waiting: int, now: float = 10.0) -> Prometheus:
    prometheus = Prometheus(EDGES)
    for index, count in enumerate(waiting):
        prometheus.scraped(f"pod-{index}", sample(now, waiting=count))
    return prometheus


class TestHPA:
    def test_grows_in_proportion_to_the_metric(self) -> None:
        # Mean 10 against 5: twice the 2 pods.
        assert hpa.on_queue().decide(seen(10, 2, prometheus=queues(8, 12))).replicas == 4

    def test_leaves_a_tenth_alone(self) -> None:
        assert hpa.on_kv_cache().decide(seen(10, 1, prometheus=_usage(0.87))).replicas == 1
        assert hpa.on_kv_cache().decide(seen(10, 1, prometheus=_usage(0.89))).replicas == 2

    def test_pods_that_start_count_as_idle(self) -> None:
        # 20 waiting on 2 pods asks for 4; with 2 more starting it is 20 on 4, still at the target.
        assert hpa.on_queue().decide(seen(10, 2, starting=2, prometheus=queues(10, 10))).replicas == 4

    def test_a_pod_without_a_sample_counts_as_at_its_target_on_the_way_down(self) -> None:
        # (0 + 5) / 2 of 5 on 2 pods: one is enough, but only after five minutes.
        policy = hpa.on_queue()
        found = [policy.decide(seen(now, 2, prometheus=queues(0, now=now))).replicas for now in range(0, 331, 15)]
        assert found[0] == 2
        assert found[-1] == 1

    def test_holds_without_any_sample(self) -> None:
        assert hpa.on_queue().decide(seen(10, 3)).replicas == 3

    def test_grows_by_100_percent_or_4_pods_in_15_seconds(self) -> None:
        assert Behavior().limited(1, 50, 0.0) == 5
        assert Behavior().limited(10, 50, 0.0) == 20
        behavior = Behavior()
        assert [behavior.limited(10, 50, 0.0), behavior.limited(20, 50, 5.0), behavior.limited(20, 50, 15.0)] == [
            20,
            20,
            40,
        ]

    def test_shrinks_to_the_highest_recommendation_of_five_minutes(self) -> None:
        behavior = Behavior()
        assert behavior.limited(10, 8, 0.0) == 10
        assert behavior.limited(10, 1, 299.0) == 10
        assert behavior.limited(10, 1, 300.0) == 1

    def test_a_window_on_the_way_up_waits_for_the_lowest_recommendation(self) -> None:
        behavior = Behavior(up=Rules(100, 4, 60.0, 30.0))
        behavior.limited(4, 4, 0.0)
        assert behavior.limited(4, 8, 15.0) == 4
        assert behavior.limited(4, 8, 31.0) == 8


def _usage(share: float) -> Prometheus:
    prometheus = Prometheus(EDGES)
    prometheus.scraped("pod-0", sample(10.0, kv=share))
    return prometheus


class TestKPA:
    def busy(self, *concurrency: int) -> list[EngineLoad]:
        return [EngineLoad(running, 0, 0, 0) for running in concurrency]

    def test_asks_for_the_mean_concurrency_over_70_percent_of_100(self) -> None:
        policy = KPA(concurrency=1000)
        found = [policy.decide(seen(now, 1, engines=self.busy(71))).replicas for now in range(0, 60, 2)]
        assert found[-1] == 2

    def test_a_replica_that_holds_less_gets_less(self) -> None:
        assert KPA(concurrency=10).decide(seen(0, 1, engines=self.busy(8))).replicas == 2

    def test_a_burst_counts_within_6_seconds_and_is_kept_for_a_minute(self) -> None:
        policy = KPA(concurrency=1000)
        for now in range(0, 60, 2):
            policy.decide(seen(now, 1, engines=self.busy(10)))
        bursts = [policy.decide(seen(now, 1, engines=self.busy(280))).replicas for now in (60, 62, 64)]
        assert bursts[-1] == 4
        later = {now: policy.decide(seen(now, 4, engines=self.busy(1, 1, 1, 1))).replicas for now in range(66, 140, 2)}
        assert later[120] == 4
        assert later[138] == 2

    def test_shrinks_by_half_at_most(self) -> None:
        policy = KPA(concurrency=1000)
        assert policy.decide(seen(0, 1, engines=self.busy(0))).replicas == 0
        found = [policy.decide(seen(now, 8, engines=self.busy(*[0] * 8))).replicas for now in range(2, 100, 2)]
        assert found[-1] == 4

    def test_begins_in_panic_with_more_than_one_pod(self) -> None:
        policy = KPA(concurrency=1000)
        assert policy.decide(seen(0, 4, engines=self.busy(0, 0, 0, 0))).replicas == 4


class TestKedaSLO:
    def test_the_formula_of_the_guide(self) -> None:
        assert keda.wanted(4, 4, 0.5) == 4
        assert keda.wanted(4, 4, 1.1) == 8
        assert keda.wanted(2, 2, 2.0) == 8
        assert keda.wanted(8, 8, 0.2) == 4
        assert keda.wanted(8, 4, 1.1) == 8  # half of them start still, which is credited
        assert keda.wanted(8, 1, 2.0) == 4  # as published: credited below what is there

    def test_reads_p90_of_the_last_minute_and_averages_it(self) -> None:
        policy, prometheus = KedaSLO({Signal.TTFT: 0.5, Signal.ITL: 0.05}), Prometheus(EDGES)
        for step in range(12):
            prometheus.scraped("pod-0", sample(15.0 * step, first_tokens={1.0: 30 * step}))
        found = [policy.decide(seen(now, 1, prometheus=prometheus)).replicas for now in (166.0, 181.0, 196.0)]
        # p90 of 0.975 s is 1.95 of the objective: 1 + ceil(1.95 / 0.55 - 1), after 30 s.
        assert found == [1, 1, 4]

    def test_the_time_between_tokens_is_that_of_requests_and_not_of_each_token(self) -> None:
        def after(requests: float, tokens: float) -> int:
            policy, prometheus = KedaSLO({Signal.ITL: 0.1}), Prometheus(EDGES)
            for step in range(16):
                found = {"inter_token_latency": {requests: 30 * step}, TOKENS: {tokens: 900 * step}}
                prometheus.scraped("pod-0", sample(15.0 * step, **found))
            return max(policy.decide(seen(now, 4, prometheus=prometheus)).replicas for now in (166, 181, 196, 211))

        # P90 is 98 ms of 100: 4 + ceil(4 (0.98 / 0.55 - 1)), or 24 ms.
        assert [after(requests=0.1, tokens=0.025), after(requests=0.025, tokens=0.1)] == [8, 4]

    def test_reads_the_ninetieth_percentile(self) -> None:
        prometheus = Prometheus(EDGES)
        for step in range(12):
            prometheus.scraped("pod-0", sample(15.0 * step, first_tokens={0.1: 92 * step, 2.5: 8 * step}))
        # 8 of 100 are slow: at the 95th percentile 1.7 s of 1 s, at the 90th 0.1.
        policy = KedaSLO({Signal.TTFT: 1.0})
        assert [policy.decide(seen(now, 2, prometheus=prometheus)).replicas for now in (166.0, 181.0, 196.0)] == [2] * 3

    def test_averages_over_45_seconds(self) -> None:
        policy, prometheus, found = KedaSLO({Signal.TTFT: 1.0}), Prometheus(EDGES), []
        for step in range(8):
            slow = 100_000 * max(0, step - 4)
            prometheus.scraped("pod-0", sample(15.0 * step, first_tokens={0.001: 30 * step, 1.0: slow}))
            found.append(policy.decide(seen(15.0 * step + 1, 4, prometheus=prometheus)).replicas)
        # 0.97 in one of three values is less than 0.55; in two it is 0.65, 4 + ceil(4 (0.65 / 0.55 - 1)) after 30 s.
        assert found == [4, 4, 4, 4, 4, 4, 4, 5]

    def test_the_tolerance_of_the_hpa_holds_a_tenth_back(self) -> None:
        def after(replicas: int) -> int:
            policy, prometheus = KedaSLO({Signal.TTFT: 1.7}), Prometheus(EDGES)
            for step in range(16):
                prometheus.scraped("pod-0", sample(15.0 * step, first_tokens={1.0: 30 * step}))
            return max(
                policy.decide(seen(now, replicas, prometheus=prometheus)).replicas for now in (166, 181, 196, 211)
            )

        # 0.975 s of 1.7 s, over 0.55: n + ceil(0.043 n).
        assert [after(5), after(10), after(30)] == [6, 10, 30]

    def test_without_traffic_it_shrinks_by_one_in_two_minutes_after_three(self) -> None:
        policy, replicas, times = KedaSLO({Signal.TTFT: 0.5}), 4, []
        for step in range(60):
            found = policy.decide(seen(15.0 * step, replicas)).replicas
            if found != replicas:
                times.append(15.0 * step)
            replicas = found
        assert times[0] >= 180
        assert len(times) >= 3
        assert all(later - earlier >= 120 for earlier, later in pairwise(times))


class TestDynamo:
    def loaded(self, queued: int = 0, kv: int = 400) -> EngineLoad:
        return EngineLoad(5, 0, queued, kv)

    def policy(self) -> Dynamo:
        """After a first interval of 3 requests a second."""
        policy = Dynamo(scene(poisson(3, 60)))
        policy.decide(seen(175, 1, engines=[self.loaded()], asked=Asked(100, 6400, 3200)))
        return policy

    def test_kalman_follows_a_line(self) -> None:
        kalman = Kalman()
        found = [kalman.next(10.0 * step) for step in range(1, 40)]
        assert found[-1] == pytest.approx(400, rel=0.02)

    def test_kalman_waits_for_the_first_load(self) -> None:
        kalman = Kalman()
        assert [kalman.next(0.0), kalman.next(0.0), kalman.next(7.0)] == [0.0, 0.0, 7.0]

    def test_the_best_batch_is_the_largest_within_both_objectives(self) -> None:
        model = Model(scene(poisson(3, 60)))
        model.timing, model.limits = Timing(0.02, 0.001, 0.0, 0.0), Limits(100, 1000, 100_000)
        # 20 ms + 1 ms a sequence within 50 ms: 30 of them, 32 tokens each.
        assert model.best_rate(64, 32) == pytest.approx(30 / (32 * 0.05))

    def test_a_forecast_is_the_floor(self) -> None:
        policy = self.policy()
        rate = Model(scene(poisson(3, 60))).best_rate(64, 32)
        asked = Asked(int(2.5 * rate * 180), int(2.5 * rate * 180) * 64, int(2.5 * rate * 180) * 32)
        assert policy.decide(seen(180, 1, engines=[self.loaded()], asked=asked)).replicas == 3

    def test_one_more_when_all_engines_are_too_slow(self) -> None:
        policy = self.policy()
        asked = Asked(200, 12_800, 6400)
        policy.decide(seen(180, 2, engines=[self.loaded()] * 2, asked=asked))
        slow, idle = self.loaded(queued=20_000), self.loaded()
        assert policy.decide(seen(185, 2, engines=[slow, slow], asked=asked)).replicas == 3
        assert policy.decide(seen(190, 2, engines=[slow, idle], asked=asked)).replicas == 2

    def test_one_fewer_when_the_others_can_take_the_load(self) -> None:
        policy = self.policy()
        asked = Asked(200, 12_800, 6400)
        light = [EngineLoad(1, 0, 0, 80)] * 3
        assert policy.decide(seen(180, 3, engines=light, asked=asked)).replicas == 2
        full = [EngineLoad(8, 0, 0, 640)] * 3
        assert policy.decide(seen(185, 3, engines=full, asked=asked)).replicas == 3

    def fewer_of_two(self, engine: EngineLoad, timing: Timing, limits: Limits) -> bool:
        """Whether one of two such engines is given up after 10 requests of 64 and 32 tokens."""
        found = Dynamo(scene(poisson(3, 60)))
        found._model.timing, found._model.limits = timing, limits
        now = seen(THROUGHPUT_SECONDS, 2, engines=[engine] * 2, asked=Asked(10, 640, 320))
        return found.decide(now).replicas == 1

    def test_a_replica_is_given_up_within_80_percent_of_what_the_own_prefill_leaves_of_the_objective(self) -> None:
        # 20 ms + 64 x 1 ms are its own, so that 333 ms of 416 may be waited: 333 tokens of others.
        timing, limits = Timing(0.02, 0.0, 0.001, 0.0), Limits(100, 1000, 100_000)
        assert self.fewer_of_two(EngineLoad(0, 2, 166, 0), timing, limits)
        assert not self.fewer_of_two(EngineLoad(0, 3, 167, 0), timing, limits)

    def test_a_replica_is_given_up_within_80_percent_of_the_objective_between_tokens(self) -> None:
        # 10 ms + 1 ms a sequence of 80 tokens: 29 of them and the next one take 40 ms of 50.
        timing, limits = Timing(0.01, 0.001, 0.0, 0.0), Limits(100, 1000, 100_000)
        assert self.fewer_of_two(EngineLoad(14, 0, 0, 14 * 80), timing, limits)
        assert not self.fewer_of_two(EngineLoad(15, 0, 0, 15 * 80), timing, limits)

    def test_a_replica_is_kept_for_its_cache(self) -> None:
        timing = Timing(0.001, 0.0, 0.0, 0.0)
        assert self.fewer_of_two(EngineLoad(10, 0, 0, 800), timing, Limits(100, 1000, 1601))
        assert not self.fewer_of_two(EngineLoad(10, 0, 0, 800), timing, Limits(100, 1000, 1600))

    def test_nothing_while_a_pod_starts(self) -> None:
        policy = self.policy()
        slow = self.loaded(queued=20_000)
        asked = Asked(200, 12_800, 6400)
        assert policy.decide(seen(180, 2, starting=1, engines=[slow, slow], asked=asked)).replicas == 3


class TestDynamoOfTwoRoles:
    SCENE = split_scene(poisson(3, 60))

    def policies(self, asked: Asked) -> Sequence[Dynamo]:
        """After a first interval."""
        found = [Dynamo(part) for part in self.SCENE.parts]
        for policy in found:
            policy.decide(seen(THROUGHPUT_SECONDS, 1, engines=[EngineLoad(0, 0, 0, 0)], asked=asked))
        return found

    def test_prefill_takes_prompts_one_after_the_other(self) -> None:
        timing = ENGINES["demo"].timing
        alone = timing.base + 100 * (timing.per_prefill_token + timing.per_kv_token)
        assert Model(self.SCENE.parts[0]).best_rate(100, 50) == pytest.approx(1 / alone)

    def test_decode_takes_the_largest_batch_within_its_objective(self) -> None:
        model = Model(self.SCENE.parts[1])
        model.timing = replace(ENGINES["demo"].timing, per_kv_token=0.0)
        # 20 ms + 2.2 ms a sequence within 50 ms: 13 of them, 50 tokens each.
        assert model.best_rate(100, 50) == pytest.approx(13 / (50 * (0.020 + 13 * 0.0022)))

    def test_a_prompt_too_long_for_its_objective_gets_as_many_engines_as_it_is_too_long(self) -> None:
        assert Model(self.SCENE.parts[0]).fewest(6000) == 2  # 0.6 s of tokens and 12 iterations of 20 ms within 0.5 s
        assert Model(self.SCENE.parts[1]).fewest(6000) == 1

    def test_each_role_is_answered_by_its_own_latency(self) -> None:
        asked = Asked(180, 180 * 64, 180 * 32)
        queued, full = EngineLoad(0, 90, 90 * 64, 0), EngineLoad(14, 0, 0, 14 * 80 * 10)
        prefill, decode = self.policies(asked)
        later = THROUGHPUT_SECONDS + 5
        assert prefill.decide(seen(later, 1, engines=[queued], asked=asked)).replicas == 2
        assert decode.decide(seen(later, 1, engines=[full], asked=asked)).replicas == 2
        assert prefill.decide(seen(later, 1, engines=[EngineLoad(1, 0, 0, 0)], asked=asked)).replicas == 1

    def test_nothing_while_a_pod_of_the_other_role_starts(self) -> None:
        asked = Asked(180, 180 * 64, 180 * 32)
        queued = EngineLoad(0, 90, 90 * 64, 0)
        prefill, _ = self.policies(asked)
        now = seen(THROUGHPUT_SECONDS + 5, 1, engines=[queued], asked=asked)
        starting = seen(now.now, 1, starting=1).group
        assert prefill.decide(replace(now, others=(starting,))).replicas == 1
