"""The simulator's Prometheus answers as the real one does to the same samples."""

import subprocess
from collections.abc import Iterator
from math import inf
from pathlib import Path
from typing import Any

import yaml
from aifactory.runtimes.dynamo import DIALECT as DYNAMO
from aifactory.runtimes.vllm import DIALECT
from aifactory.signals.objectives import LATENCIES
from aifactory.signals.queries import COUNTERS as COUNTERS_OF
from aifactory.signals.queries import GAUGES, HISTOGRAMS, SILENT, build
from aifactory.signals.wanted import Wanted
from aifactory.simulate import frontend
from aifactory.simulate.engine.counters import Sample
from aifactory.simulate.policies.fixed import Fixed
from aifactory.simulate.prometheus import Edges, Prometheus, growth, slope
from aifactory.simulate.world import World

from tests.e2e.waiting import PATIENCE
from tests.kind import binaries
from tests.simulate.scenes import EDGES, poisson, sample, split_scene

INTERVAL = 15
# Counters that begin before the window, inside it, at zero, high and late.
COUNTERS = [
    [0, 5, 10, 15, 20, 25, 30, 35, 40],
    [3, 3, 3, 9, 40, 41, 41, 90, 91],
    [100, 250, 251, 900, 901, 902, 903, 904, 905],
    [None, None, None, None, None, None, 2, 9, 11],
    [None, None, None, None, None, None, 400, 401, 402],
]
GAUGE = [1, 7, 3, 9, 4, 4, 0, 12, 5]
# Number of observations per step in the buckets up to 0.25 s, 0.5 s and 1 s, and steps by scrape: the engine of one pod
# begins anew within the window.
OBSERVED = {0.25: 4, 0.5: 9, 1.0: 2}
SERVICE = ("demo", "chat")
SPLIT = 'namespace="demo",inferenceservice="chat"'
STEPS = {"steady": range(9), "anew": (1, 2, 3, 4, 7, 12, 0, 1, 4)}


def series(values: list[int | None]) -> str:
    return " ".join("_" if value is None else str(value) for value in values)


def windowed(values: list[int | None], now: float, window: float) -> list[tuple[float, int]]:
    found = [(INTERVAL * index, value) for index, value in enumerate(values) if value is not None]
    return [(time, value) for time, value in found if now - window < time <= now]


def test_rate_deriv_and_quantiles_are_those_of_prometheus(tmp_path: Path) -> None:
    now, window = 124, 60
    tests = []
    inputs = [{"series": f'counter{{pod="{index}"}}', "values": series(one)} for index, one in enumerate(COUNTERS)]
    inputs.append({"series": "gauge", "values": series(list(GAUGE))})
    for index, values in enumerate(COUNTERS):
        points = windowed(values, now, window)
        found = growth([time for time, _ in points], now, window)
        assert found is not None
        expected = found.rate(points[0][1], points[-1][1])
        tests.append((f'rate(counter{{pod="{index}"}}[{window}s])', expected))
    tests.append((f"deriv(gauge[{window}s])", slope(windowed(list(GAUGE), now, window))))
    prometheus, total = Prometheus(EDGES), 0
    for pod, steps in STEPS.items():
        for index, step in enumerate(steps):
            counts = {edge: count * step for edge, count in OBSERVED.items()}
            prometheus.scraped(pod, sample(INTERVAL * index, first_tokens=counts))
    for edge in (*EDGES["time_to_first_token"], inf):
        total += OBSERVED.get(edge, 0)
        for pod, steps in STEPS.items():
            name = f'ttft_bucket{{pod="{pod}",le="{"+Inf" if edge == inf else f"{edge:g}"}"}}'
            inputs.append({"series": name, "values": series([total * step for step in steps])})
    histogram = prometheus.histogram("time_to_first_token", now, window)
    assert histogram is not None
    for q in (0.5, 0.9, 0.95, 0.99):
        query = f"histogram_quantile({q}, sum by (le) (rate(ttft_bucket[{window}s])))"
        tests.append((query, histogram.quantile(q)))
    tests.append((f'sum(rate(ttft_bucket{{le="+Inf"}}[{window}s]))', histogram.total))
    evaluated(tmp_path / "test.yaml", inputs, [single(now, query, value) for query, value in tests])


def evaluated(file: Path, inputs: list[dict[str, str]], checks: list[dict[str, Any]]) -> None:
    """The real Prometheus gives these answers to these samples."""
    group = {"interval": f"{INTERVAL}s", "input_series": inputs, "promql_expr_test": checks}
    file.write_text(yaml.safe_dump({"evaluation_interval": f"{INTERVAL}s", "fuzzy_compare": True, "tests": [group]}))
    promtool = binaries.ensure_prometheus("promtool")
    command = [promtool, "test", "rules", file]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


# By service and pod: requests that wait, and tokens made, by scrape. The pod `hung` alone is silent; those of the
# service `vectors` are not asked for tokens.
SILENT_ONES = {
    "chat": {
        "busy": ((2, 3, 1, 2, 2, 3), (100, 130, 150, 190, 220, 250)),
        "hung": ((1, 5, 9, 14, 19, 25), (400, 400, 400, 400, 400, 400)),
        "idle": ((0, 0, 0, 0, 0, 0), (70, 70, 70, 70, 70, 70)),
        "called": ((0, 0, 0, 0, 0, 4), (50, 50, 50, 50, 50, 50)),
        "slow": ((2, 2, 2, 2, 2, 2), (90, 90, 90, 90, 90, 91)),
    },
    "vectors": {"embedding": ((2, 3, 1, 2, 2, 3), (0, 0, 0, 0, 0, 0))},
}


def test_a_pod_that_holds_requests_and_makes_no_token_is_found_by_both(tmp_path: Path) -> None:
    now, window, inputs, found = 80, 60, [], {}
    for service, pods in SILENT_ONES.items():
        prometheus = Prometheus(EDGES)
        for pod, values in pods.items():
            labels = f'{{namespace="prod",inferenceservice="{service}",pod="{pod}"}}'
            names = ("vllm:num_requests_waiting", "vllm:generation_tokens_total", "vllm:num_requests_running")
            inputs += [
                {"series": f"{name}{labels}", "values": series(list(one))}
                for name, one in zip(names, (*values, (0,) * 6), strict=True)
            ]
            for index, (waiting, tokens) in enumerate(zip(*values, strict=True)):
                prometheus.scraped(pod, sample(INTERVAL * index, waiting=waiting, first_tokens={0.25: tokens}))
        found |= {(service, pod): held for pod, held in prometheus.silent(now, window).items()}
    assert found == {("chat", "hung"): 9.0}
    query = build(Wanted(frozenset(), {DIALECT: None}), window).gauges[SILENT]
    expected = [
        {"labels": f'{{namespace="prod", inferenceservice="{service}", pod="{pod}"}}', "value": held}
        for (service, pod), held in found.items()
    ]
    evaluated(tmp_path / "test.yaml", inputs, [{"expr": query, "eval_time": f"{now}s", "exp_samples": expected}])


def test_of_prefill_and_decode_apart_both_find_the_same(tmp_path: Path) -> None:
    """The operator's queries over what frontends and workers export, under their own names."""
    scene = split_scene(poisson(3, 200))
    world, scrapes = World(scene, Fixed([(0.0, 2)]), Fixed([(0.0, 3)])), dict[str, list[Sample]]()
    simulated = Prometheus(scene.edges)

    def scrape(now: float) -> None:
        for pod in (pod for deployment in world.deployments for pod in deployment.pods.values()):
            scrapes.setdefault(pod.name, []).append(pod.replica.sample(now))
            simulated.scraped(pod.name, scrapes[pod.name][-1])
        in_flight = sum(len(answers) for answers in scrapes.values()) % 7
        scrapes.setdefault(frontend.NAME, []).append(frontend.sample(world.deployments, in_flight, now))
        simulated.scraped(frontend.NAME, scrapes[frontend.NAME][-1], entry=True)

    for step in range(9):
        world.at(float(INTERVAL * step), scrape)
    world.run(2, 3)
    now, window = INTERVAL * 8 + 4, 60
    asked = build(Wanted(frozenset(LATENCIES), dict.fromkeys((DYNAMO, DIALECT))), window)
    found = simulated.snapshot(SERVICE, HISTOGRAMS, now, window)
    checks = [single(now, query, found.rates[name][SERVICE]) for name, query in asked.rates.items()]
    for name, query in asked.histograms.items():
        quantile = found.histograms[name][SERVICE].quantile(0.9)
        checks.append(single(now, f"histogram_quantile(0.9, {query})", quantile))
    for name in GAUGES:
        values = {
            pod: value
            for pod, value in found.gauges[name][SERVICE].items()
            if getattr(DYNAMO, name) or pod != frontend.NAME
        }
        samples = [{"labels": f'{{{SPLIT},pod="{pod}"}}', "value": value} for pod, value in values.items()]
        checks.append({"expr": asked.gauges[name], "eval_time": f"{now}s", "exp_samples": samples})
    evaluated(
        tmp_path / "test.yaml", [one for pod in scrapes for one in exported(pod, scrapes[pod], scene.edges)], checks
    )


def exported(pod: str, scrapes: list[Sample], edges: Edges) -> Iterator[dict[str, str]]:
    """The series of a pod, as promtool takes them."""
    dialect = DYNAMO if pod == frontend.NAME else DIALECT
    for field in (*COUNTERS_OF, *GAUGES):
        name = getattr(dialect, field)
        if name is not None:
            values = [getattr(one, field) for one in scrapes]
            yield {"series": labelled(name, pod), "values": " ".join(map(repr, values))}
    for field in HISTOGRAMS:
        counted = [one.histograms[field] for one in scrapes]
        for index, edge in enumerate((*edges[field], inf)):
            le = "+Inf" if edge == inf else f"{edge:g}"
            values = [sum(counts[: index + 1]) for counts, _ in counted]
            yield {"series": labelled(f"{getattr(dialect, field)}_bucket", pod, le), "values": series(values)}
        yield {
            "series": labelled(f"{getattr(dialect, field)}_sum", pod),
            "values": " ".join(repr(s) for _, s in counted),
        }


def labelled(name: str, pod: str, le: str = "") -> str:
    """With the labels of the scrape beside those that the name comes with."""
    bare, _, own = name.rstrip("}").partition("{")
    labels = (own, SPLIT, f'pod="{pod}"', f'le="{le}"' if le else "")
    return f"{bare}{{{','.join(filter(None, labels))}}}"


def single(now: int, query: str, value: float | None) -> dict[str, Any]:
    """Rounded, as the last bits of two sums differ."""
    expected = [{"labels": "{}", "value": round((value or 0.0) * 1e9)}]
    return {"expr": f"sum(round(({query}) * 1e9))", "eval_time": f"{now}s", "exp_samples": expected}
