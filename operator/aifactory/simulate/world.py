"""The event loop: requests, scrapes, decisions, starts and drains in the order of time.

A heap of callbacks, and no kernel such as simpy: engines are computed lazily between events (`Replica.run`), so that
few events are left, and none of them has to be interrupted.
"""

import heapq
from collections.abc import Callable, Mapping
from itertools import count
from math import inf
from random import Random
from types import MappingProxyType

from .cluster import Deployment, SimulatedPod
from .engine.batching import RequestTooLongError, Sequence
from .policies.base import Asked, Policy, Seen
from .prometheus import Prometheus
from .record import Moment, Record
from .scenario import Scenario
from .trace import Request

# A pod that drains is looked at this often, to see whether it is done.
_DRAIN_POLL_SECONDS = 1.0
_MOMENT_SECONDS = 15.0
# Requests that are in flight when the trace ends get this long.
_AFTERMATH_SECONDS = 3600.0

Event = Callable[[float], None]


class World:
    """One run of one policy. What happens beside requests and decisions can be put between them with `at`."""

    def __init__(self, scenario: Scenario, policy: Policy) -> None:
        self.record = Record(scenario)
        self.deployment = Deployment(scenario, self.record.finished)
        self.prometheus = Prometheus(scenario.edges)
        self._scenario = scenario
        self._policy = policy
        self._routing = Random(f"{scenario.seed} routing")
        self._scraping = Random(f"{scenario.seed} scraping")
        self._events: list[tuple[float, int, Event]] = []
        self._order = count()
        self._asked = Asked()
        server = scenario.role.server
        self._serves_on = float(server.pre_stop_seconds)
        self._drain_seconds = self._serves_on + server.shutdown_seconds

    def run(self, initial: int) -> Record:
        """The whole trace, beginning with `initial` replicas that serve."""
        for pod in self.deployment.begin(self._bounded(initial)):
            self._scrape_from(pod, 0.0)
        self.at(self._policy.every, self._decide)
        self.at(0.0, self._remember)
        for request in self._scenario.requests:
            self._catch_up(request.at)
            self._arrive(request)
        self._catch_up(self._scenario.end)
        self._finish()
        return self.record

    def _catch_up(self, until: float) -> None:
        events = self._events
        while events and events[0][0] <= until:
            at, _, event = heapq.heappop(events)
            event(at)

    def at(self, time: float, event: Event) -> None:
        """Call `event` at a time (seconds), with that time."""
        heapq.heappush(self._events, (time, next(self._order), event))

    def _arrive(self, request: Request) -> None:
        """A Service sends each request to a random ready pod; without one, and to requests too long, it fails."""
        asked = self._asked
        self._asked = Asked(
            asked.requests + 1,
            asked.prompt_tokens + request.prompt_tokens,
            asked.output_tokens + request.output_tokens,
        )
        serving = self.deployment.serving
        try:
            if not serving:
                raise RequestTooLongError
            pod = serving[int(self._routing.random() * len(serving))]
            pod.replica.submit(Sequence(request.prompt_tokens, request.output_tokens, arrived_at=request.at))
        except RequestTooLongError:
            self.record.failed(request.at)

    def resize(self, replicas: int, now: float, in_flight: Mapping[str, float] = MappingProxyType({})) -> None:
        """Somebody changes the replicas of the Deployment; `in_flight` (requests by pod) says who leaves first."""
        for pod in self.deployment.resize(replicas, in_flight, now):
            if pod.placed_at is None:
                self.deployment.gone(pod, now)
            else:
                self.at(now + self._serves_on, lambda at, pod=pod: self._drain(pod, at))  # type: ignore[misc]
        self.place(now)

    def place(self, now: float) -> None:
        """Pods that wait get the nodes that are free."""
        for pod in self.deployment.place(now):
            self._scrape_from(pod, pod.ready_at)
            self._start(pod)

    def crash(self, name: str, now: float) -> None:
        """The container of a pod ends, its requests fail, and it loads again."""
        pod = self.deployment.pods[name]
        for sequence in self.deployment.crashed(pod, now):
            self.record.failed(sequence.arrived_at)
        self._start(pod)

    def _decide(self, now: float) -> None:
        self.at(now + self._policy.every, self._decide)
        deployment = self.deployment
        seen = Seen(now, deployment.group(), self.prometheus, lambda: deployment.loads(now), self._asked)
        choice = self._policy.decide(seen)
        replicas = self._bounded(choice.replicas)
        if replicas != deployment.replicas:
            self.record.actions.append((now, deployment.replicas, replicas))
            self.resize(replicas, now, choice.in_flight)

    def _bounded(self, replicas: int) -> int:
        return max(self._scenario.scaling.min_replicas, min(self._scenario.scaling.max_replicas, replicas))

    def _start(self, pod: SimulatedPod) -> None:
        """It serves when it has loaded, unless its container has begun anew until then."""
        began = pod.began_at

        def started(_: float) -> None:
            if pod.began_at == began:
                self.deployment.started(pod)

        self.at(pod.ready_at, started)

    def _scrape_from(self, pod: SimulatedPod, start: float) -> None:
        interval = self._scenario.watch.scrape

        def scrape(now: float) -> None:
            if pod.gone_at is not None:
                return
            self.at(now + interval, scrape)
            if pod.ready and pod.scraped:
                self.prometheus.scraped(pod.name, pod.replica.sample(now))
            else:
                self.prometheus.lost(pod.name)

        self.at(start + self._scraping.uniform(0.0, interval), scrape)

    def _drain(self, pod: SimulatedPod, now: float) -> None:
        """A pod that was told to stop finishes what it has, until its time is over and requests are cut."""
        deadline = (pod.leaving_at if pod.leaving_at is not None else now) + self._drain_seconds
        pod.replica.run(now)
        if pod.replica.in_flight and now < deadline:
            self.at(min(deadline, now + _DRAIN_POLL_SECONDS), lambda at: self._drain(pod, at))
            return
        for sequence in pod.replica.abort_all(now):
            self.record.failed(sequence.arrived_at)
        self.record.counted(pod.replica.counters)
        self.deployment.gone(pod, now)
        self.prometheus.lost(pod.name)
        self.place(now)

    def _remember(self, now: float) -> None:
        self.at(now + _MOMENT_SECONDS, self._remember)
        self.record.moments.append(Moment(now, self.deployment.replicas, len(self.deployment.serving)))

    def _finish(self) -> None:
        """After the end nothing is decided any more; what is in flight is finished."""
        end = self._scenario.end
        self.record.gpu_seconds = self.deployment.gpu_seconds(end)
        for pod in list(self.deployment.pods.values()):
            leaving = pod.leaving_at
            deadline = end + _AFTERMATH_SECONDS if leaving is None else leaving + self._drain_seconds
            pod.replica.run(max(end, min(deadline, inf)))
            for sequence in pod.replica.abort_all(deadline):
                self.record.failed(sequence.arrived_at)
            self.record.counted(pod.replica.counters)
