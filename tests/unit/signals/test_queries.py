import re
from dataclasses import replace

import pytest
from aifactory.api.engine import Engine
from aifactory.runtimes import RUNTIMES
from aifactory.runtimes.base import MetricDialect
from aifactory.signals import queries
from aifactory.signals.answers import Service
from aifactory.signals.objectives import LATENCIES, Signal
from aifactory.signals.wanted import EVERYTHING, Wanted

VLLM = RUNTIMES[Engine.VLLM].dialects[0]


def build(*dialects: MetricDialect, seconds: int = 60) -> queries.Queries:
    """Queries for these engines and every latency."""
    return queries.build(Wanted(frozenset(LATENCIES), dict.fromkeys(dialects)), seconds)


def of_services(dialect: MetricDialect, *services: Service) -> queries.Queries:
    """Queries for metric names that stand in the specs of some services."""
    return queries.build(Wanted(frozenset(LATENCIES), {VLLM: None, dialect: frozenset(services)}), 60)


def test_there_is_one_query_per_signal_however_many_engines() -> None:
    built = queries.build(EVERYTHING, 60)
    assert len(built.histograms) == 3
    assert len(built.rates) == 4 + 3  # with the sum of each histogram
    assert len(built.gauges) == 5
    assert len(built.slow) == 6


def test_every_series_has_to_carry_its_service() -> None:
    built = queries.build(EVERYTHING, 60)
    gauges = [text for name, text in built.gauges.items() if name != queries.SILENT]
    for text in (*built.histograms.values(), *built.rates.values(), *gauges, *built.slow.values()):
        selectors = re.findall(r"[a-z][a-z_:]*[a-z](\{[^}]*\})", text)
        assert len(selectors) == len(re.findall(r"rate\(|deriv\(|timestamp\(|pod\) \((?!timestamp)", text))
        assert all(selector.endswith('inferenceservice!=""}') for selector in selectors)


def test_pods_that_make_no_token_are_asked_of_engines_that_count_each_one() -> None:
    """Where tokens are counted when a request ends, a long answer would look like none."""
    assert queries.SILENT not in build(replace(VLLM, live_tokens=False)).gauges
    text = queries.build(EVERYTHING, 60).gauges[queries.SILENT]
    named = re.findall(r"([a-z][a-z_:]*[a-z])(\{[^}]*\})", text)
    assert all(selector.endswith('inferenceservice!=""}') for _, selector in named)
    assert {name.replace(":", "_") for name, _ in named} == {
        *("vllm_num_requests_running", "vllm_num_requests_waiting", "vllm_generation_tokens_total"),
        *("sglang_num_running_reqs", "sglang_num_queue_reqs", "sglang_realtime_tokens_total"),
    }


def test_two_names_of_one_signal_are_alternatives_per_service_and_never_added() -> None:
    older = replace(VLLM, inter_token_latency="vllm:time_per_output_token_seconds")
    text = build(VLLM, older).histograms["inter_token_latency"]
    new, old = text.split(" or on (namespace, inferenceservice) ")
    assert "vllm:request_time_per_output_token_seconds_bucket" in new
    assert "vllm:time_per_output_token_seconds_bucket" in old


def test_a_name_that_dialects_share_is_asked_once() -> None:
    assert " or " not in build(VLLM, replace(VLLM, waiting="other")).gauges["running"]


def test_buckets_are_told_apart_by_template_as_their_edges_may_differ() -> None:
    built = build(VLLM)
    for text in (*built.histograms.values(), *built.slow.values()):
        assert text.startswith("sum by (namespace, inferenceservice, pod_template_hash, le) ")


def test_ranks_of_one_pod_add_up_as_requests_and_not_as_usage() -> None:
    gauges = build(VLLM).gauges
    assert gauges["waiting"].startswith("sum by (namespace, inferenceservice, pod)")
    assert gauges["kv_cache_usage"].startswith("max by (namespace, inferenceservice, pod)")


def test_the_window_is_the_one_asked_for() -> None:
    assert "[20s]" in build(VLLM, seconds=20).histograms["time_to_first_token"]


def test_an_engine_without_a_series_has_no_query_for_it() -> None:
    bare = replace(VLLM, end_to_end_latency=None, kv_cache_usage=None, completed=None)
    built = build(bare)
    assert "end_to_end_latency" not in built.histograms
    assert "kv_cache_usage" not in built.gauges
    assert "completed" not in built.rates


@pytest.mark.parametrize("name", ["up or vector(1)", "a-b", "x{}", "1a", 'x{a="b"} or y', 'x{a="b\\\\""}', 'x{a=~"b"}'])
def test_text_that_is_no_metric_name_never_reaches_a_query(name: str) -> None:
    with pytest.raises(ValueError, match="not a Prometheus metric name"):
        build(replace(VLLM, completed=name))


def test_a_name_may_ask_for_one_label() -> None:
    triton = replace(VLLM, waiting='nv_trt_llm_request_metrics{request_type="waiting"}')
    assert 'nv_trt_llm_request_metrics{request_type="waiting",inferenceservice!=""}' in build(triton).gauges["waiting"]


def test_names_from_a_spec_are_read_for_its_service_alone() -> None:
    own = replace(VLLM, running="my_running")
    gauges = of_services(own, ("team-a", "chat"), ("team-b", "code")).gauges
    assert 'my_running{namespace=~"team-a|team-b",inferenceservice=~"chat|code"}' in gauges["running"]
    assert gauges["running"].startswith("sum by (namespace, inferenceservice, pod) (vllm:num_requests_running{inf")


def test_names_from_a_spec_that_an_engine_has_are_asked_once() -> None:
    assert of_services(replace(VLLM, running="my_running"), ("team-a", "chat")).gauges["waiting"].count("waiting") == 1


def test_latencies_that_nobody_has_objectives_for_are_not_asked() -> None:
    built = queries.build(Wanted(frozenset({Signal.TTFT}), {VLLM: None}), 60)
    assert set(built.histograms) == {"time_to_first_token"}
    assert set(built.slow) == {"time_to_first_token_5m", "time_to_first_token_1h"}
    assert "time_to_first_token_sum" in built.rates
    assert "inter_token_latency_sum" not in built.rates


def test_without_services_nothing_is_asked() -> None:
    built = queries.build(Wanted(frozenset(), {}), 60)
    assert [built.histograms, built.rates, built.gauges, built.slow] == [{}, {}, {}, {}]


def test_what_the_entry_of_a_service_measures_comes_before_what_the_pods_behind_it_do() -> None:
    entry = replace(VLLM, entry=True, time_to_first_token="entry_ttft", completed="entry_done")
    built = build(VLLM, entry)
    assert "entry_ttft" in built.histograms["time_to_first_token"].split(" or on ")[0]
    assert "entry_done" in built.rates["completed"].split(" or on ")[0]
