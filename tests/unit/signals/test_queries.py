import re
from dataclasses import replace

import pytest
from aifactory.api.spec import Engine
from aifactory.runtimes import RUNTIMES
from aifactory.signals import queries

DIALECTS = tuple(dialect for runtime in RUNTIMES.values() for dialect in runtime.dialects)
VLLM = RUNTIMES[Engine.VLLM].dialects[0]


def test_there_is_one_query_per_signal_however_many_engines() -> None:
    built = queries.build(DIALECTS, 60)
    assert len(built.histograms) == 3
    assert len(built.rates) == 4 + 3  # with the sum of each histogram
    assert len(built.gauges) == 4
    assert len(built.slow) == 6


def test_every_series_has_to_carry_its_service() -> None:
    built = queries.build(DIALECTS, 60)
    for text in (*built.histograms.values(), *built.rates.values(), *built.gauges.values(), *built.slow.values()):
        selectors = re.findall(r"[a-z_:]+(?:_bucket|_sum|_total|_running|_waiting|_perc)(\{[^}]*\})?", text)
        assert selectors
        assert all(selector == '{inferenceservice!=""}' for selector in selectors)


def test_two_names_of_one_signal_are_alternatives_per_service_and_never_added() -> None:
    older = replace(VLLM, inter_token_latency="vllm:time_per_output_token_seconds")
    text = queries.build((VLLM, older), 60).histograms["inter_token_latency"]
    new, old = text.split(" or on (namespace, inferenceservice) ")
    assert "vllm:inter_token_latency_seconds_bucket" in new
    assert "vllm:time_per_output_token_seconds_bucket" in old


def test_a_name_that_dialects_share_is_asked_once() -> None:
    assert " or " not in queries.build((VLLM, VLLM), 60).gauges["running"]


def test_ranks_of_one_pod_add_up_as_requests_and_not_as_usage() -> None:
    gauges = queries.build((VLLM,), 60).gauges
    assert gauges["waiting"].startswith("sum by (namespace, inferenceservice, pod)")
    assert gauges["kv_cache_usage"].startswith("max by (namespace, inferenceservice, pod)")


def test_the_window_is_the_one_asked_for() -> None:
    assert "[20s]" in queries.build((VLLM,), 20).histograms["time_to_first_token"]


def test_an_engine_without_a_series_has_no_query_for_it() -> None:
    bare = replace(VLLM, end_to_end_latency=None, kv_cache_usage=None, completed=None)
    built = queries.build((bare,), 60)
    assert "end_to_end_latency" not in built.histograms
    assert "kv_cache_usage" not in built.gauges
    assert "completed" not in built.rates


@pytest.mark.parametrize("name", ["up or vector(1)", "a-b", "x{}", "1a"])
def test_text_that_is_no_metric_name_never_reaches_a_query(name: str) -> None:
    with pytest.raises(ValueError, match="not a Prometheus metric name"):
        queries.build((replace(VLLM, completed=name),), 60)
