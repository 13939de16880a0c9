"""Histograms of engines that are told the objectives."""

from collections import defaultdict
from collections.abc import Mapping
from math import inf
from typing import Any

import modelserver.commands
import modelserver.vllm
import pytest
from aifactory.api.engine import Engine
from aifactory.api.spec import InferenceServiceSpec
from aifactory.runtimes import RUNTIMES, MetricDialect
from aifactory.signals.histogram import Histogram
from aifactory.signals.objectives import resolve
from hypothesis import given
from hypothesis import strategies as st
from modelserver.engine import Engine as Simulation
from modelserver.metrics import measure
from modelserver.power import PowerMeter
from modelserver.settings import Settings, SettingsError
from prometheus_client.parser import text_string_to_metric_families

COMMANDS = {"vllm": (modelserver.vllm.serve, 2), "sglang": (modelserver.commands.sglang, 3)}
LATENCIES = ("timeToFirstToken", "interTokenLatency", "endToEndLatency")
engines = pytest.mark.parametrize("engine", COMMANDS)


def spec(engine: str, buckets: str | None, targets: Mapping[str, str]) -> InferenceServiceSpec:
    objectives = {name: {"target": target} for name, target in targets.items()}
    runtime = {"engine": engine} | ({"latencyBuckets": buckets} if buckets else {})
    given = {"model": {"name": "m"}, "runtime": runtime, "slo": {"objectives": objectives}}
    return InferenceServiceSpec.model_validate(given)


def histograms(service: InferenceServiceSpec) -> Mapping[str, Histogram]:
    """By name, of a server that was started as the operator would start it."""
    runtime = RUNTIMES[service.runtime.engine]
    container = runtime.server(service)
    read, program = COMMANDS[service.runtime.engine]
    settings = read(Settings(), [*container.command[program:], *container.args])
    simulation = Simulation(settings.timing, settings.limits, PowerMeter(0.0, 1.0, lambda: 0.0))
    page = measure(settings, simulation).page.render().decode()
    buckets: dict[str, dict[float, float]] = defaultdict(dict)
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            if "le" in sample.labels:
                buckets[family.name][float(sample.labels["le"])] = sample.value
    found = {name: Histogram.of(counts) for name, counts in buckets.items()}
    return {name: histogram for name, histogram in found.items() if histogram}


def read_by(engine: str) -> MetricDialect:
    return RUNTIMES[Engine(engine)].dialects[0]


def edge_below(service: InferenceServiceSpec) -> Mapping[str, float | None]:
    """For each objective the edge at which its attainment is counted."""
    dialect, found = read_by(service.runtime.engine), histograms(service)
    names = {
        "timeToFirstToken": dialect.time_to_first_token,
        "interTokenLatency": dialect.inter_token_latency,
        "endToEndLatency": dialect.end_to_end_latency,
    }
    return {
        objective.signal: found[names[objective.signal] or ""].edge_below(objective.target)
        for objective in resolve(service.slo)
    }


targets = st.fixed_dictionaries({}, optional={name: st.integers(1, 3_600_000).map("{}ms".format) for name in LATENCIES})


@engines
@given(targets=targets)
def test_attainment_of_any_target_is_counted_at_the_target(engine: str, targets: Mapping[str, str]) -> None:
    service = spec(engine, "Objectives", targets)
    assert edge_below(service) == {objective.signal: objective.target for objective in resolve(service.slo)}


@engines
@pytest.mark.parametrize("buckets", [None, "Default"])
def test_an_engine_keeps_its_own_edges_unless_asked(engine: str, buckets: str | None) -> None:
    assert edge_below(spec(engine, buckets, {"timeToFirstToken": "700ms"}))["timeToFirstToken"] != 0.7


@engines
def test_half_and_three_quarters_of_a_target_can_be_told_apart(engine: str) -> None:
    """Scaling decides there."""
    found = histograms(spec(engine, "Objectives", {"timeToFirstToken": "900ms"}))
    edges = found[read_by(engine).time_to_first_token or ""].edges
    assert len([edge for edge in edges if 0.45 <= edge <= 0.675]) == 3
    assert inf not in edges


@engines
def test_a_latency_without_an_objective_keeps_its_edges(engine: str) -> None:
    name = read_by(engine).end_to_end_latency or ""
    assert histograms(spec(engine, "Objectives", {}))[name].edges == histograms(spec(engine, None, {}))[name].edges


@engines
def test_the_promise_of_an_offline_service_is_an_edge_as_well(engine: str) -> None:
    slo = {"workload": "offline", "completeWithin": "7m"}
    runtime = {"engine": engine, "latencyBuckets": "Objectives"}
    asked = InferenceServiceSpec.model_validate({"model": {"name": "m"}, "runtime": runtime, "slo": slo})
    name = read_by(engine).end_to_end_latency or ""
    assert histograms(asked)[name].edge_below(420.0) == 420.0
    assert histograms(spec(engine, None, {}))[name].edge_below(420.0) != 420.0


def test_a_changed_objective_restarts_nothing_unless_asked() -> None:
    def arguments(**asked: Any) -> tuple[str, ...]:
        return RUNTIMES[Engine.VLLM].server(spec("vllm", **asked)).args

    fast, slow = {"timeToFirstToken": "100ms"}, {"timeToFirstToken": "3s"}
    assert arguments(buckets=None, targets=fast) == arguments(buckets=None, targets=slow)
    assert arguments(buckets="Objectives", targets=fast) != arguments(buckets="Objectives", targets=slow)


@pytest.mark.parametrize(
    "families", ['{"first_token": [1]}', '{"request_latency": [2, 1]}', '{"request_latency": [0]}']
)
def test_the_simulated_vllm_refuses_what_vllm_refuses(families: str) -> None:
    with pytest.raises(SettingsError):
        modelserver.vllm.serve(Settings(), ["m", "--custom-histogram-buckets", families])
