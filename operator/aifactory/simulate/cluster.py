"""A Deployment of simulated engines: pods that start, serve, drain and go."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

from aifactory.decide import leaving
from aifactory.observed import Group, Pod, Workload

from .engine.batching import Sequence
from .engine.replica import Replica
from .policies.base import EngineLoad
from .scenario import Scenario

# A start takes the mean time give or take this share: image and weights come from caches more or less warm.
STARTUP_SPREAD = 0.1


@dataclass(slots=True, eq=False)
class SimulatedPod:
    """A pod and its engine. It serves from `ready_at` on, drains from `leaving_at` on, and has gone at `gone_at`.

    Times are seconds; an engine that is not ready yet has no requests.
    """

    name: str
    created_at: float
    ready_at: float
    replica: Replica
    ready: bool = False
    leaving_at: float | None = None
    gone_at: float | None = None

    @property
    def observed(self) -> Pod:
        """As the API server has it."""
        return Pod(
            self.name,
            self.created_at,
            ready=self.ready,
            ready_at=self.ready_at if self.ready else None,
            terminating=self.leaving_at is not None,
        )


class Deployment:
    """Pods by name. `on_finished` is told of each finished sequence."""

    def __init__(self, scenario: Scenario, on_finished: Callable[[Sequence], None]) -> None:
        self.replicas = 0
        self.pods: dict[str, SimulatedPod] = {}
        self.past: list[SimulatedPod] = []
        self.serving: list[SimulatedPod] = []
        self._scenario = scenario
        self._on_finished = on_finished
        self._random = Random(f"{scenario.seed} pods")
        self._made = 0

    def begin(self, replicas: int) -> list[SimulatedPod]:
        """Replicas that serve from the start."""
        self.replicas = replicas
        pods = [self._make(0.0, 0.0) for _ in range(replicas)]
        for pod in pods:
            self.started(pod)
        return pods

    def resize(self, replicas: int, in_flight: Mapping[str, float], now: float) -> list[SimulatedPod]:
        """Make or remove pods; the answer are those made or removed, of which the removed ones have `leaving_at`."""
        missing = replicas - self.replicas
        self.replicas = replicas
        if missing > 0:
            spread = STARTUP_SPREAD
            mean = self._scenario.startup
            return [self._make(now, now + mean * self._random.uniform(1 - spread, 1 + spread)) for _ in range(missing)]
        removed = [self.pods[name] for name in self._leaving(-missing, in_flight)]
        for pod in removed:
            pod.leaving_at = now
        self.serving = [pod for pod in self.serving if pod.leaving_at is None]
        return removed

    def started(self, pod: SimulatedPod) -> None:
        """The pod becomes ready, unless it has to leave already."""
        if pod.leaving_at is None:
            pod.ready = True
            self.serving.append(pod)

    def gone(self, pod: SimulatedPod, now: float) -> None:
        """The pod exists no longer."""
        pod.gone_at = now
        del self.pods[pod.name]
        self.past.append(pod)

    def group(self) -> Group:
        """As the API server has it."""
        present = [pod.observed for pod in self.pods.values()]
        wanted = self.replicas
        ready = len(self.serving)
        return Group(
            Workload(wanted, updated=wanted, ready=ready, available=ready, total=wanted),
            tuple(present),
        )

    def loads(self, now: float) -> Mapping[str, EngineLoad]:
        """Of each serving pod."""
        return {pod.name: _load(pod.replica, now) for pod in self.serving}

    def gpu_seconds(self, until: float) -> float:
        """GPUs times seconds that pods have existed, from creation to the end of draining."""
        lives = [(pod.created_at, pod.gone_at) for pod in (*self.past, *self.pods.values())]
        seconds = sum(min(until, gone if gone is not None else until) - min(until, made) for made, gone in lives)
        return seconds * self._scenario.gpus

    def _leaving(self, count: int, in_flight: Mapping[str, float]) -> list[str]:
        """Pods that are starting leave first, the youngest of them before others."""
        group = self.group()
        pending = sorted(group.pending_pods, key=lambda pod: -pod.created_at)[:count]
        return [pod.name for pod in pending] + list(leaving(group, count, in_flight))

    def _make(self, created_at: float, ready_at: float) -> SimulatedPod:
        self._made += 1
        engine = self._scenario.engine
        replica = Replica(engine.timing, engine.limits, self._scenario.edges, self._on_finished, ready_at)
        name = f"{self._scenario.role.service.metadata.name}-{self._made:05d}"
        pod = self.pods[name] = SimulatedPod(name, created_at, ready_at, replica)
        return pod


def _load(replica: Replica, now: float) -> EngineLoad:
    replica.run(now)
    scheduler = replica.scheduler
    return EngineLoad(
        running=len(scheduler.running),
        waiting=len(scheduler.waiting),
        queued_prefill_tokens=sum(sequence.pending for sequence in scheduler.waiting),
        decode_kv_tokens=scheduler.decode_kv_tokens,
    )
