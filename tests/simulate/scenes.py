"""Small scenarios: a service on the demo engine, which serves 5 short requests a second."""

import random
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from aifactory.api.inferenceservice import InferenceService
from aifactory.observed import Group, Pod, Workload
from aifactory.simulate.capacity import Capacity, profile
from aifactory.simulate.engine.batching import Limits, Timing
from aifactory.simulate.engine.counters import Sample, histogram_edges
from aifactory.simulate.engine.models import ENGINES
from aifactory.simulate.policies.base import Asked, EngineLoad, Seen
from aifactory.simulate.prometheus import Prometheus
from aifactory.simulate.scenario import Scenario, scenario
from aifactory.simulate.trace import Request

EDGES = histogram_edges({})
FAST = Timing(base=0.01, per_decode=0.001, per_prefill_token=1e-5, per_kv_token=1e-7)
ROOMY = Limits(max_num_seqs=64, max_num_batched_tokens=512, kv_tokens=100_000)


def manifest(*, runtime: str = "vllm", slo: Any = None, **scaling: Any) -> dict[str, Any]:
    return {
        "apiVersion": "aifactory.dev/v1alpha1",
        "kind": "InferenceService",
        "metadata": {"name": "chat", "namespace": "demo"},
        "spec": {
            "model": {"name": "m"},
            "runtime": {"engine": runtime},
            "accelerator": {"count": 2},
            "slo": slo or {},
            "scaling": {"maxReplicas": 10, **scaling},
        },
    }


def service(**fields: Any) -> InferenceService:
    """As of `manifest`."""
    return InferenceService.model_validate(manifest(**fields))


def poisson(rate: float, seconds: float, *, start: float = 0.0, seed: int = 1) -> list[Request]:
    """Requests of 64 prompt and 32 output tokens."""
    rng, at, found = random.Random(seed), start, []
    while (at := at + rng.expovariate(rate)) < start + seconds:
        found.append(Request(at, 64, 32))
    return found


def scene(requests: list[Request], *, startup: float = 60.0, seed: int = 0, **fields: Any) -> Scenario:
    return scenario(service(**fields), ENGINES["demo"], requests, startup=startup, seed=seed)


@cache
def capacity() -> Capacity:
    """Of the demo engine with requests as of `poisson`."""
    return profile(scene(poisson(5, 60)))


def write_service(folder: Path, **scaling: int) -> Path:
    path = folder / "service.yaml"
    path.write_text(yaml.safe_dump(manifest(**scaling)))
    return path


def sample(
    time: float,
    *,
    waiting: int = 0,
    kv: float = 0.0,
    first_tokens: dict[float, int] | None = None,
    **others: dict[float, int],
) -> Sample:
    """`first_tokens` maps an edge of the histogram to observations at or below it and above the one before.

    As many tokens have been generated. `others` are those of the other histograms, by name.
    """
    histograms = {name: ((0,) * (len(edges) + 1), 0.0) for name, edges in EDGES.items()}
    for name, observed in {"time_to_first_token": first_tokens or {}, **others}.items():
        counts = [observed.get(edge, 0) for edge in EDGES[name]]
        histograms[name] = ((*counts, 0), 0.0)
    return Sample(time, histograms, 0, 0, sum((first_tokens or {}).values()), 0, waiting, kv)


def seen(
    now: float,
    ready: int,
    *,
    starting: int = 0,
    prometheus: Prometheus | None = None,
    engines: list[EngineLoad] | None = None,
    asked: Asked | None = None,
) -> Seen:
    """Pods are called pod-0, pod-1, ..."""
    pods = [Pod(f"pod-{index}", 0.0, ready=index < ready) for index in range(ready + starting)]
    loads = {f"pod-{index}": load for index, load in enumerate(engines or [])}
    total = ready + starting
    return Seen(
        now,
        Group(Workload(total, updated=total, total=total), tuple(pods)),
        prometheus or Prometheus(EDGES),
        lambda: loads,
        asked or Asked(),
    )


def split_manifest(**parts: Any) -> dict[str, Any]:
    """Prefill and decode apart, each with two GPUs and scaling to 10 replicas unless `parts` says otherwise.

    `router` is that of the frontends, `slo` that of the service.
    """
    spec = manifest(runtime="dynamo", slo=parts.pop("slo", None))["spec"]
    del spec["scaling"]
    spec["runtime"] |= {"dynamo": {"router": parts.pop("router", "round-robin")}}
    workers = {"prefill": {"scaling": {"maxReplicas": 10}}, "decode": {"scaling": {"maxReplicas": 10}}}
    return {**manifest(), "spec": {**spec, "topology": {"disaggregated": workers | parts}}}


def split_scene(requests: list[Request], *, startup: float = 30.0, seed: int = 0, **parts: Any) -> Scenario:
    """As of `split_manifest`."""
    found = InferenceService.model_validate(split_manifest(**parts))
    return scenario(found, ENGINES["demo"], requests, startup=startup, seed=seed)


def sized(rate: float, seconds: float, prompt: int, answer: int, *, start: float = 0.0) -> list[Request]:
    """As of `poisson`, with so many tokens."""
    return [Request(one.at, prompt, answer) for one in poisson(rate, seconds, start=start)]
