"""The metrics pages have the names, labels and bucket edges of the real ones."""

import re
from collections import defaultdict
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest
from modelserver.server import Server
from prometheus_client.parser import text_string_to_metric_families

Start = Callable[..., Awaitable[Server]]

SCALING_SIGNALS = {
    "vllm:num_requests_running",
    "vllm:num_requests_waiting",
    "vllm:num_requests_waiting_by_reason",
    "vllm:kv_cache_usage_perc",
    "vllm:num_preemptions",
    "vllm:prompt_tokens",
    "vllm:generation_tokens",
    "vllm:request_success",
    "vllm:time_to_first_token_seconds",
    "vllm:inter_token_latency_seconds",
    "vllm:request_time_per_output_token_seconds",
    "vllm:e2e_request_latency_seconds",
    "vllm:request_queue_time_seconds",
    "vllm:request_prompt_tokens",
    "vllm:request_generation_tokens",
}
NIM1_FAMILIES = {
    "num_requests_running": "gauge",
    "num_requests_waiting": "gauge",
    "num_request_max": "gauge",
    "gpu_cache_usage_perc": "gauge",
    "prompt_tokens": "counter",
    "generation_tokens": "counter",
    "request_finish": "counter",
    "request_success": "counter",
    "request_failure": "counter",
    "time_to_first_token_seconds": "histogram",
    "time_per_output_token_seconds": "histogram",
    "e2e_request_latency_seconds": "histogram",
    "request_prompt_tokens": "histogram",
    "request_generation_tokens": "histogram",
}


def shape(page: str) -> dict[str, tuple[str, dict[str, frozenset[frozenset[str]]], tuple[str, ...]]]:
    """Of every family: its type, the label names of each sample name, and its bucket edges in order."""
    families = {}
    for family in text_string_to_metric_families(page):
        labels = defaultdict(set)
        for sample in family.samples:
            labels[sample.name].add(frozenset(sample.labels))
        edges = dict.fromkeys(sample.labels["le"] for sample in family.samples if "le" in sample.labels)
        families[family.name] = (family.type, {name: frozenset(sets) for name, sets in labels.items()}, tuple(edges))
    return families


async def page_of(http: aiohttp.ClientSession, server: Server, path: str) -> str:
    async with http.get(f"http://127.0.0.1:{server.port}{path}") as response:
        assert response.status == 200
        return await response.text()


async def ask(http: aiohttp.ClientSession, server: Server, **body: object) -> None:
    body = {"model": "m", "prompt": "four" * 10, "max_tokens": 5, **body}
    async with http.post(f"http://127.0.0.1:{server.port}/v1/completions", json=body) as response:
        assert response.status == 200
        await response.read()


def value(page: str, sample: str) -> float:
    match = re.search(rf"^{re.escape(sample)} (\S+)$", page, re.MULTILINE)
    assert match, f"{sample} is not on the page"
    return float(match[1])


@pytest.mark.parametrize(("dialect", "path"), [("vllm", "/metrics"), ("nim2", "/v1/metrics")])
async def test_vllm_families_are_those_of_the_recording(
    start: Start, http: aiohttp.ClientSession, recordings: Path, dialect: str, path: str
) -> None:
    server = await start(dialect=dialect)
    await ask(http, server)

    simulated = {name: it for name, it in shape(await page_of(http, server, path)).items() if name.startswith("vllm:")}

    recorded = shape((recordings / "vllm-0.32.0.prom").read_text())
    assert simulated == {name: recorded.get(name) for name in simulated}
    assert simulated.keys() >= SCALING_SIGNALS


async def test_nim_1_families_are_unprefixed_and_labelled_by_model(start: Start, http: aiohttp.ClientSession) -> None:
    server = await start(dialect="nim1")
    await ask(http, server)

    families = shape(await page_of(http, server, "/v1/metrics"))

    assert {name: families[name][0] for name in NIM1_FAMILIES} == NIM1_FAMILIES
    assert all(
        "model_name" in labels for name in NIM1_FAMILIES for sets in families[name][1].values() for labels in sets
    )
    assert families["time_to_first_token_seconds"][2][-2:] == ("10.0", "+Inf")
    assert families["time_per_output_token_seconds"][2][-2:] == ("2.5", "+Inf")
    assert families["e2e_request_latency_seconds"][2] == (
        *("1.0", "2.5", "5.0", "10.0", "15.0", "20.0", "30.0", "40.0", "50.0", "60.0"),
        "+Inf",
    )


@pytest.mark.parametrize(
    ("dialect", "path", "prefix", "labels"),
    [("vllm", "/metrics", "vllm:", 'engine="0",'), ("nim1", "/v1/metrics", "", "")],
)
async def test_a_request_is_counted(
    start: Start, http: aiohttp.ClientSession, dialect: str, path: str, prefix: str, labels: str
) -> None:
    server = await start(dialect=dialect)
    await ask(http, server)

    page = await page_of(http, server, path)

    model = f'{{{labels}model_name="m"}}'
    assert value(page, f"{prefix}prompt_tokens_total{model}") == 10
    assert value(page, f"{prefix}generation_tokens_total{model}") == 5
    assert value(page, f'{prefix}request_success_total{{{labels}finished_reason="length",model_name="m"}}') == 1
    assert value(page, f"{prefix}time_to_first_token_seconds_count{model}") == 1
    between = "inter_token_latency_seconds" if dialect == "vllm" else "time_per_output_token_seconds"
    assert value(page, f"{prefix}{between}_count{model}") == 4
    assert value(page, f"{prefix}e2e_request_latency_seconds_count{model}") == 1


async def test_every_gpu_of_a_replica_draws_power(start: Start, http: aiohttp.ClientSession) -> None:
    server = await start(gpus=2, idle_watts=90.0)

    page = await page_of(http, server, "/metrics")

    assert value(page, 'DCGM_FI_DEV_POWER_USAGE{gpu="1"}') == pytest.approx(90, abs=1)
    assert value(page, 'DCGM_FI_DEV_GPU_UTIL{gpu="1"}') == pytest.approx(0, abs=1)
