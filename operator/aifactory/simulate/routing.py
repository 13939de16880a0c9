"""Which replica gets a request."""

from collections.abc import Callable
from itertools import count
from random import Random

from aifactory.api.dynamo import Router
from aifactory.api.engine import Engine

from .cluster import Deployment, SimulatedPod
from .scenario import Scenario, frontends

Route = Callable[[Deployment, float], SimulatedPod]


def route(scenario: Scenario, random: Random) -> Route:
    """Chooses among the pods of a Deployment that serve at a time (seconds); there is at least one.

    Frontends of Dynamo choose as `runtime.dynamo.router` says, llm-d's endpoint picker by what it knows of replicas;
    no prefix is cached here, so that both go by what replicas have to do alone. Without either there is the Service,
    which sends requests to random pods.
    """
    runtime, dynamo = scenario.role.spec.runtime, frontends(scenario.role)
    if runtime.engine is Engine.LLMD:
        return _picked(random)
    if dynamo is None or dynamo.router is Router.RANDOM:
        return _random(random)
    return _in_turn() if dynamo.router is Router.ROUND_ROBIN else _idlest


def _random(random: Random) -> Route:
    return lambda deployment, _: deployment.serving[int(random.random() * len(deployment.serving))]


def _in_turn() -> Route:
    turns = count()
    return lambda deployment, _: deployment.serving[next(turns) % len(deployment.serving)]


def _idlest(deployment: Deployment, now: float) -> SimulatedPod:
    deployment.run(now)
    return min(deployment.serving, key=lambda pod: pod.replica.in_flight)


def _picked(random: Random) -> Route:
    """The highest sum of two scores, of several any.

    Without a configuration llm-d's picker weighs both the same (runtimes/llmd.py): queue-scorer gives the shortest
    queue 1 and the longest 0, kv-cache-utilization-scorer the share that is free. It reads metrics every 50 ms, which
    are known at once here.
    """

    def pick(deployment: Deployment, now: float) -> SimulatedPod:
        deployment.run(now)
        schedulers = [pod.replica.scheduler for pod in deployment.serving]
        waiting = [len(one.waiting) for one in schedulers]
        longest, spread = max(waiting), max(1, max(waiting) - min(waiting))
        scores = [
            ((longest - queue) / spread - one.kv_usage, random.random(), rank)
            for rank, (queue, one) in enumerate(zip(waiting, schedulers, strict=True))
        ]
        return deployment.serving[max(scores)[2]]

    return pick
