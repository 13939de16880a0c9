"""A Deployment of simulated engines: pods that start, serve, drain and go."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf
from random import Random
from typing import TYPE_CHECKING

from aifactory.decide import leaving
from aifactory.observed import Group, Pod, Workload
from aifactory.render.naming import child
from aifactory.status.pods import lack

from .engine.batching import Sequence
from .engine.replica import Replica
from .policies.base import EngineLoad
from .scenario import Scenario

if TYPE_CHECKING:
    from .engine.counters import Counters

# A start takes the mean time give or take this share: image and weights come from caches more or less warm.
STARTUP_SPREAD = 0.1


@dataclass(slots=True, eq=False)
class SimulatedPod:
    """A pod and its engine.

    A node takes it at `placed_at`, it serves from `ready_at` on, drains from `leaving_at` on, and has gone at
    `gone_at`. Times are seconds; an engine that is not ready yet has no requests. Its container began anew `restarts`
    times, last at `began_at`. Without `scraped`, Prometheus does not find it.
    """

    name: str
    deployment: "Deployment"
    created_at: float
    replica: Replica
    placed_at: float | None = None
    ready_at: float = inf
    ready: bool = False
    leaving_at: float | None = None
    gone_at: float | None = None
    began_at: float | None = None
    restarts: int = 0
    scraped: bool = True

    @property
    def observed(self) -> Pod:
        """As the API server has it."""
        return Pod(
            self.name,
            self.created_at,
            ready=self.ready,
            ready_at=self.ready_at if self.ready else None,
            terminating=self.leaving_at is not None,
            unschedulable_since=self.created_at if self.placed_at is None else None,
            unschedulable_message="" if self.placed_at is not None else self.deployment.no_node,
            restarts=self.restarts,
            began_at=self.began_at,
            scheduled=self.placed_at is not None,
            scheduled_at=self.placed_at,
        )


class Deployment:
    """Pods by name. `on_finished` is told of each finished sequence. Nodes have `room` for so many pods at once.

    A pod that leaves serves on for `serves_on` seconds, and has ended `drain_seconds` after it was told to leave.
    `counters` are those of all containers that ever were; where nobody reads metrics, these need not be `counted`.
    """

    def __init__(
        self, scenario: Scenario, on_finished: Callable[[Sequence], None], starts: Random, counted: bool = True
    ) -> None:
        server = scenario.role.server
        self.serves_on = scenario.serves_on
        self.drain_seconds = self.serves_on + server.shutdown_seconds
        self.room = scenario.room
        self.no_node = f"0/1 nodes are available: 1 {lack(scenario.role.spec.accelerator)}."
        self.replicas = 0
        self.pods: dict[str, SimulatedPod] = {}
        self.past: list[SimulatedPod] = []
        self.serving: list[SimulatedPod] = []
        self.counters: list[Counters] = []
        self._scenario = scenario
        self._on_finished = on_finished
        self._starts = starts
        self._counted = counted
        self._made = 0

    def begin(self, replicas: int) -> list[SimulatedPod]:
        """Replicas that serve from the start, as far as there is room; the others wait."""
        self.replicas = replicas
        made = [self._make(0.0) for _ in range(replicas)]
        pods = [pod for rank, pod in enumerate(made) if rank < self.room]
        for pod in pods:
            pod.placed_at = pod.began_at = pod.ready_at = 0.0
            self.started(pod)
        return pods

    def resize(self, replicas: int, in_flight: Mapping[str, float], now: float) -> list[SimulatedPod]:
        """Make pods, which wait for a node, or remove some; the answer are those removed."""
        missing = replicas - self.replicas
        self.replicas = replicas
        for _ in range(missing):
            self._make(now)
        removed = [self.pods[name] for name in self._leaving(max(0, -missing), in_flight)]
        for pod in removed:
            pod.leaving_at = now
        self.serving = [pod for pod in self.serving if pod.leaving_at is None]
        return removed

    def bounded(self, replicas: int) -> int:
        """Within the bounds of the service."""
        return self._scenario.scaling.bounded(replicas)

    def run(self, now: float) -> None:
        """Bring every engine up to date."""
        for pod in self.pods.values():
            pod.replica.run(now)

    def place(self, now: float) -> list[SimulatedPod]:
        """Give nodes to the pods that have waited longest, as far as there is room; these start now."""
        waiting = [pod for pod in self.pods.values() if pod.placed_at is None]
        free = self.room - (len(self.pods) - len(waiting))
        placed = [pod for rank, pod in enumerate(waiting) if rank < free]
        for pod in placed:
            pod.placed_at = now
            self._begin(pod, now)
        return placed

    def crashed(self, pod: SimulatedPod, now: float) -> list[Sequence]:
        """The container ends with all its requests, which are the answer, and starts again with counters at zero."""
        pod.replica.run(now)
        cut = pod.replica.abort_all(now)
        pod.ready = False
        pod.restarts += 1
        self.serving = [other for other in self.serving if other is not pod]
        pod.replica = self._engine(now)
        self._begin(pod, now)
        return cut

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
        """GPUs times seconds that pods have had a node, to the end of draining."""
        lives = [(pod.placed_at, pod.gone_at) for pod in (*self.past, *self.pods.values())]
        seconds = sum(
            min(until, gone if gone is not None else until) - min(until, placed)
            for placed, gone in lives
            if placed is not None
        )
        return seconds * self._scenario.gpus

    def _leaving(self, count: int, in_flight: Mapping[str, float]) -> list[str]:
        """Pods that are starting leave first, the youngest of them before others."""
        group = self.group()
        pending = sorted(group.pending_pods, key=lambda pod: -pod.created_at)[:count]
        return [pod.name for pod in pending] + list(leaving(group, count, in_flight))

    def _make(self, now: float) -> SimulatedPod:
        self._made += 1
        name = f"{child(self._scenario.role)}-{self._made:05d}"
        pod = self.pods[name] = SimulatedPod(name, self, now, self._engine(now))
        return pod

    def _engine(self, now: float) -> Replica:
        engine = self._scenario.engine
        edges = self._scenario.edges
        replica = Replica(engine.timing, engine.limits, edges, self._on_finished, now, self._counted)
        self.counters.append(replica.counters)
        return replica

    def _begin(self, pod: SimulatedPod, now: float) -> None:
        """The container starts loading."""
        pod.began_at = now
        pod.ready_at = now + self._scenario.startup * self._starts.uniform(1 - STARTUP_SPREAD, 1 + STARTUP_SPREAD)


def _load(replica: Replica, now: float) -> EngineLoad:
    replica.run(now)
    scheduler = replica.scheduler
    return EngineLoad(
        running=len(scheduler.running),
        waiting=len(scheduler.waiting),
        queued_prefill_tokens=sum(sequence.pending for sequence in scheduler.waiting),
        decode_kv_tokens=scheduler.decode_kv_tokens + sum(sequence.computed for sequence in scheduler.waiting),
    )
