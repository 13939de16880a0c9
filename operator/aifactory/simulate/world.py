"""The event loop: requests, scrapes, decisions, starts and drains in the order of time.

Engines are computed lazily between events (`Replica.run`), so that few events are left.
"""

from collections.abc import Callable, Mapping
from functools import partial
from random import Random
from types import MappingProxyType

import simpy

from . import frontend
from .cluster import Deployment, SimulatedPod
from .engine.batching import RequestTooLongError, Sequence
from .engine.replica import Replica
from .policies.base import Asked, Policy, Seen
from .prometheus import Prometheus
from .record import Moment, Record
from .routing import route
from .scenario import Scenario, frontends
from .trace import Request

# A pod that drains is looked at this often, to see whether it is done.
_DRAIN_POLL_SECONDS = 1.0
_MOMENT_SECONDS = 15.0
# Requests that are in flight when the trace ends get this long.
_AFTERMATH_SECONDS = 3600.0

Event = Callable[[float], None]


class World:
    """One run, with a policy for each part of the scenario.

    What happens beside requests and decisions can be put between them with `at`. Requests come to the first of the
    `deployments` and are answered by the last, `deployment`. With `enough`, a run is only to show whether such a share
    of requests is good: metrics stay at zero, and it ends, without GPU-seconds, as soon as that many cannot be.
    """

    def __init__(self, scenario: Scenario, *policies: Policy, enough: float | None = None) -> None:
        self.record = Record(scenario)
        self.prometheus = Prometheus(scenario.edges)
        self._scenario = scenario
        self._last = scenario.end + _AFTERMATH_SECONDS
        self._policies = policies
        self._enough = enough or 0.0
        starts = Random(f"{scenario.seed} pods")
        told = [self._prefilled, self.record.finished][-len(scenario.parts) :]
        counted = enough is None
        self.deployments = [Deployment(*each, starts, counted) for each in zip(scenario.parts, told, strict=True)]
        self.deployment = self.deployments[-1]
        routing = Random(f"{scenario.seed} routing")
        self._routes = {deployment: route(scenario, routing) for deployment in self.deployments}
        self._scraping = Random(f"{scenario.seed} scraping")
        self._clock = simpy.Environment()
        self._asked = [0, 0, 0]
        self._prefilling: dict[Sequence, Request] = {}
        self._followed: set[Replica] = set()

    def run(self, *initial: int) -> Record:
        """The whole trace, beginning with `initial` replicas of each part that serve."""
        for deployment, replicas in zip(self.deployments, initial, strict=True):
            for pod in deployment.begin(deployment.bounded(replicas)):
                self._scrape_from(pod, 0.0)
        if frontends(self._scenario.role):
            self.at(self._scraping.uniform(0.0, self._scenario.watch.scrape), self._scrape_frontend)
        for rank, policy in enumerate(self._policies):
            self.at(policy.every, partial(self._decide, rank))
        self.at(0.0, self._remember)
        for request in self._scenario.requests:
            self._catch_up(request.at)
            self._arrive(request)
            if self.record.attainable < self._enough:
                return self.record
        self._catch_up(self._scenario.end)
        self._finish()
        return self.record

    def _catch_up(self, until: float) -> None:
        while self._clock.peek() <= until:
            self._clock.step()

    def at(self, time: float, event: Event) -> None:
        """Call `event` at a time (seconds), with that time."""
        due = self._clock.timeout(max(0.0, time - self._clock.now))
        due.callbacks.append(lambda _: event(time))

    def _again(self, time: float, event: Event) -> None:
        """As `at`, for what is done again and again until the trace ends."""
        if time <= self._scenario.end:
            self.at(time, event)

    def _arrive(self, request: Request) -> None:
        asked = self._asked
        asked[0] += 1
        asked[1] += request.prompt_tokens
        asked[2] += request.output_tokens
        if self._scenario.prefill is None:
            self._send(self.deployment, self._scenario.sequence(request, request.at), request.at)
            return
        sequence = Sequence(request.prompt_tokens, 1, request.at)
        self._prefilling[sequence] = request
        self._send(self.deployments[0], sequence, request.at)

    def _send(self, deployment: Deployment, sequence: Sequence, now: float) -> None:
        """To a pod that serves; without one, and if it is too long, it fails."""
        try:
            if not deployment.serving:
                raise RequestTooLongError
            pod = self._routes[deployment](deployment, now)
            pod.replica.submit(sequence, now)
        except RequestTooLongError:
            self.record.failed(sequence.arrived_at)
            return
        if deployment is not self.deployment and pod.replica not in self._followed:
            self._followed.add(pod.replica)
            self._follow(pod.replica, now)

    def _follow(self, replica: Replica, now: float) -> None:
        """What leaves it is looked at in each iteration, as it goes on elsewhere, until it has nothing to do."""
        replica.run(now)
        if replica.in_flight:
            self.at(replica.ends, partial(self._follow, replica))
        else:
            self._followed.discard(replica)

    def _prefilled(self, sequence: Sequence) -> None:
        """A decode replica gets it with its keys and values; meanwhile engines work on others.

        As in "Disaggregated Serving" of Dynamo's documentation. The prefill replica has room for others at once, and
        transfers do not slow each other down.
        """
        request, engine = self._prefilling.pop(sequence), self._scenario.engine
        decoded = self._scenario.sequence(request, sequence.arrived_at)
        handed_at = (sequence.finished_at or 0.0) + engine.per_handed_token * request.prompt_tokens
        self.at(min(handed_at, self._last), partial(self._send, self.deployment, decoded))

    def resize(
        self,
        replicas: int,
        now: float,
        in_flight: Mapping[str, float] = MappingProxyType({}),
        deployment: Deployment | None = None,
    ) -> None:
        """Somebody changes the replicas of a Deployment; `in_flight` (requests by pod) says who leaves first."""
        deployment = deployment or self.deployment
        for pod in deployment.resize(replicas, in_flight, now):
            if pod.placed_at is None:
                deployment.gone(pod, now)
            else:
                self.at(now + deployment.serves_on, partial(self._drain, pod))
        self.place(now)

    def place(self, now: float) -> None:
        """Pods that wait get the nodes that are free."""
        for deployment in self.deployments:
            for pod in deployment.place(now):
                self._scrape_from(pod, pod.ready_at)
                self._start(pod)

    def crash(self, name: str, now: float) -> None:
        """The container of a pod ends, its requests fail, and it loads again."""
        pod = next(one.pods[name] for one in self.deployments if name in one.pods)
        for sequence in pod.deployment.crashed(pod, now):
            self.record.failed(sequence.arrived_at)
        self._start(pod)

    def _decide(self, rank: int, now: float) -> None:
        policy, deployment = self._policies[rank], self.deployments[rank]
        self._again(now + policy.every, partial(self._decide, rank))
        others = tuple(one.group() for one in self.deployments if one is not deployment)
        group = deployment.group()
        asked, engines = Asked(*self._asked), partial(deployment.loads, now)
        choice = policy.decide(Seen(now, group, self.prometheus, engines, asked, others))
        replicas = deployment.bounded(choice.replicas)
        if replicas != deployment.replicas:
            self.record.scaled[rank].actions.append((now, deployment.replicas, replicas))
            self.resize(replicas, now, choice.in_flight, deployment)

    def _start(self, pod: SimulatedPod) -> None:
        """It serves when it has loaded, unless its container has begun anew until then."""
        began = pod.began_at

        def started(_: float) -> None:
            if pod.began_at == began:
                pod.deployment.started(pod)

        self.at(pod.ready_at, started)

    def _scrape_from(self, pod: SimulatedPod, start: float) -> None:
        interval = self._scenario.watch.scrape

        def scrape(now: float) -> None:
            if pod.gone_at is not None:
                return
            self._again(now + interval, scrape)
            if pod.ready and pod.scraped:
                self.prometheus.scraped(pod.name, pod.replica.sample(now))
            else:
                self.prometheus.lost(pod.name)

        self.at(start + self._scraping.uniform(0.0, interval), scrape)

    def _scrape_frontend(self, now: float) -> None:
        self._again(now + self._scenario.watch.scrape, self._scrape_frontend)
        for deployment in self.deployments:
            deployment.run(now)
        in_flight = self._asked[0] - len(self.record.answers)
        self.prometheus.scraped(frontend.NAME, frontend.sample(self.deployments, in_flight, now), entry=True)

    def _drain(self, pod: SimulatedPod, now: float) -> None:
        """A pod that was told to stop finishes what it has, until its time is over and requests are cut."""
        deadline = (pod.leaving_at if pod.leaving_at is not None else now) + pod.deployment.drain_seconds
        pod.replica.run(now)
        if pod.replica.in_flight and now < deadline:
            self.at(min(deadline, now + _DRAIN_POLL_SECONDS), partial(self._drain, pod))
            return
        for sequence in pod.replica.abort_all(now):
            self.record.failed(sequence.arrived_at)
        self.record.counted(pod.replica.counters)
        pod.deployment.gone(pod, now)
        self.prometheus.lost(pod.name)
        self.place(now)

    def _remember(self, now: float) -> None:
        self._again(now + _MOMENT_SECONDS, self._remember)
        for one, deployment in zip(self.record.scaled, self.deployments, strict=True):
            one.moments.append(Moment(now, deployment.replicas, len(deployment.serving)))

    def _finish(self) -> None:
        """After the end nothing is decided any more; what is in flight is finished."""
        end = self._scenario.end
        for one, deployment in zip(self.record.scaled, self.deployments, strict=True):
            one.gpu_seconds = deployment.gpu_seconds(end)
        self._catch_up(self._last)
        for deployment in self.deployments:
            for pod in deployment.pods.values():
                leaves = pod.leaving_at is not None and deployment is self.deployment
                deadline = (pod.leaving_at or 0.0) + deployment.drain_seconds if leaves else self._last
                pod.replica.run(max(end, deadline))
                for sequence in pod.replica.abort_all(deadline):
                    self.record.failed(sequence.arrived_at)
                self.record.counted(pod.replica.counters)
