"""The event loop: requests, scrapes, decisions, starts and drains in the order of time.

A heap of callbacks, and no kernel such as simpy: engines are computed lazily between events (`Replica.run`), so that
few events are left, and none of them has to be interrupted.
"""

import heapq
from collections.abc import Callable
from itertools import count
from math import inf
from random import Random

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
    """One run of one policy."""

    def __init__(self, scenario: Scenario, policy: Policy) -> None:
        self.record = Record(scenario)
        self._scenario = scenario
        self._policy = policy
        self._deployment = Deployment(scenario, self.record.finished)
        self._prometheus = Prometheus(scenario.edges)
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
        for pod in self._deployment.begin(self._bounded(initial)):
            self._scrape_from(pod, 0.0)
        self._at(self._policy.every, self._decide)
        self._at(0.0, self._remember)
        for request in self._scenario.requests:
            self._catch_up(request.at)
            self._arrive(request)
        self._finish()
        return self.record

    def _catch_up(self, until: float) -> None:
        events = self._events
        while events and events[0][0] <= until:
            at, _, event = heapq.heappop(events)
            event(at)

    def _at(self, time: float, event: Event) -> None:
        heapq.heappush(self._events, (time, next(self._order), event))

    def _arrive(self, request: Request) -> None:
        """A Service sends each request to a random ready pod; without one, and to requests too long, it fails."""
        asked = self._asked
        self._asked = Asked(
            asked.requests + 1,
            asked.prompt_tokens + request.prompt_tokens,
            asked.output_tokens + request.output_tokens,
        )
        serving = self._deployment.serving
        try:
            if not serving:
                raise RequestTooLongError
            pod = serving[int(self._routing.random() * len(serving))]
            pod.replica.submit(Sequence(request.prompt_tokens, request.output_tokens, arrived_at=request.at))
        except RequestTooLongError:
            self.record.failed(request.at)

    def _decide(self, now: float) -> None:
        self._at(now + self._policy.every, self._decide)
        deployment = self._deployment
        seen = Seen(now, deployment.group(), self._prometheus, lambda: deployment.loads(now), self._asked)
        choice = self._policy.decide(seen)
        replicas = self._bounded(choice.replicas)
        if replicas == deployment.replicas:
            return
        self.record.actions.append((now, deployment.replicas, replicas))
        for pod in deployment.resize(replicas, choice.in_flight, now):
            if pod.leaving_at is None:
                self._at(pod.ready_at, lambda at, pod=pod: self._started(pod, at))  # type: ignore[misc]
            else:
                self._at(now + self._serves_on, lambda at, pod=pod: self._drain(pod, at))  # type: ignore[misc]

    def _bounded(self, replicas: int) -> int:
        return max(self._scenario.scaling.min_replicas, min(self._scenario.scaling.max_replicas, replicas))

    def _started(self, pod: SimulatedPod, now: float) -> None:
        if pod.leaving_at is None:
            self._deployment.started(pod)
            self._scrape_from(pod, now)

    def _scrape_from(self, pod: SimulatedPod, start: float) -> None:
        def scrape(now: float) -> None:
            if pod.gone_at is None:
                self._prometheus.scraped(pod.name, pod.replica.sample(now))
                self._at(now + interval, scrape)

        interval = self._scenario.watch.scrape
        self._at(start + self._scraping.uniform(0.0, interval), scrape)

    def _drain(self, pod: SimulatedPod, now: float) -> None:
        """A pod that was told to stop finishes what it has, until its time is over and requests are cut."""
        deadline = (pod.leaving_at if pod.leaving_at is not None else now) + self._drain_seconds
        pod.replica.run(now)
        if pod.replica.in_flight and now < deadline:
            self._at(min(deadline, now + _DRAIN_POLL_SECONDS), lambda at: self._drain(pod, at))
            return
        for sequence in pod.replica.abort_all(now):
            self.record.failed(sequence.arrived_at)
        self.record.counted(pod.replica.counters)
        self._deployment.gone(pod, now)
        self._prometheus.lost(pod.name)

    def _remember(self, now: float) -> None:
        self._at(now + _MOMENT_SECONDS, self._remember)
        self.record.moments.append(Moment(now, self._deployment.replicas, len(self._deployment.serving)))

    def _finish(self) -> None:
        """After the last request nothing is decided any more; what is in flight is finished."""
        end = self._scenario.end
        self.record.gpu_seconds = self._deployment.gpu_seconds(end)
        for pod in list(self._deployment.pods.values()):
            leaving = pod.leaving_at
            deadline = end + _AFTERMATH_SECONDS if leaving is None else leaving + self._drain_seconds
            pod.replica.run(max(end, min(deadline, inf)))
            for sequence in pod.replica.abort_all(deadline):
                self.record.failed(sequence.arrived_at)
            self.record.counted(pod.replica.counters)
