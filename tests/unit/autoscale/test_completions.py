"""What an offline service has completed is seen and told, and decides nothing."""

from typing import Any

from aifactory.api.inferenceservice import InferenceService
from aifactory.autoscale.memory import Memory
from aifactory.autoscale.role import Decided, decide_role
from aifactory.observed import Group, Pod, Workload
from aifactory.runtimes import roles
from aifactory.signals import answers
from aifactory.signals.objectives import Signal, resolve
from aifactory.signals.readings import State
from aifactory.signals.snapshot import Snapshot

from tests.unit.signals.vectors import buckets, sample

LATE = {"30": "0", "60": "3", "120": "4", "+Inf": "4"}
PODS = (Pod(name="llama-1", created_at=0.0, ready=True),)


def decided(**histograms: dict[str, str]) -> Decided:
    """One tick of a replica with a queue."""
    spec = {
        "model": {"name": "m"},
        "runtime": {"engine": "vllm"},
        "slo": {"workload": "offline", "completeWithin": "1m"},
        "scaling": {"maxReplicas": 4},
    }
    metadata = {"name": "llama", "namespace": "chat"}
    (role,) = roles(InferenceService.model_validate({"metadata": metadata, "spec": spec}))
    rates = {"completed": "4", "growth": "0", "prompt_tokens": "40", "generation_tokens": "400"}
    gauges: dict[str, Any] = {"running": "14", "waiting": "200", "kv_cache_usage": "0.5", "sample_age": "4"}
    seen = Snapshot(
        1000.0,
        60.0,
        histograms={name: answers.histograms(buckets(counts)) for name, counts in histograms.items()},
        rates={name: answers.numbers([sample(value)]) for name, value in rates.items()},
        gauges={name: answers.by_pod([sample(value, pod="llama-1")]) for name, value in gauges.items()},
    )
    return decide_role(role, resolve(role.spec.slo), seen, Group(Workload(replicas=1), PODS), Memory(), 1000.0)


def test_the_share_that_was_completed_in_time_is_seen() -> None:
    (seen,) = decided(
        end_to_end_latency=LATE, end_to_end_latency_5m=LATE, end_to_end_latency_1h=LATE
    ).readings.completions
    assert (seen.objective.signal, seen.objective.target) == (Signal.E2E, 60.0)
    assert (seen.attainment_5m, seen.attainment_1h) == (0.75, 0.75)


def test_it_decides_nothing_and_its_absence_holds_nothing() -> None:
    blind, seeing = decided(), decided(end_to_end_latency=LATE)
    assert blind.readings.completions[0].observed.state is State.ERROR
    assert blind.decision == seeing.decision
    assert blind.decision is not None
    assert [one.signal for one in blind.decision.recommendations] == [Signal.BACKLOG]
    assert blind.memory == seeing.memory
