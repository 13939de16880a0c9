"""Which replica gets a request."""

from collections.abc import Callable
from itertools import count
from random import Random

from aifactory.api.dynamo import DynamoSpec, Router

from .cluster import Deployment, SimulatedPod
from .scenario import Scenario

Route = Callable[[Deployment, float], SimulatedPod]


def route(scenario: Scenario, random: Random) -> Route:
    """Chooses among the pods of a Deployment that serve at a time (seconds); there is at least one.

    A Service sends requests to random pods. Where prompts and answers are computed apart, frontends choose as
    `runtime.dynamo.router` says; no prefix is cached here, so that `kv` goes by what workers have to do alone.
    """
    if scenario.prefill is None:
        return _random(random)
    router = (scenario.role.spec.runtime.dynamo or DynamoSpec()).router
    if router is Router.RANDOM:
        return _random(random)
    return _in_turn() if router is Router.ROUND_ROBIN else _idlest


def _random(random: Random) -> Route:
    return lambda deployment, _: deployment.serving[int(random.random() * len(deployment.serving))]


def _in_turn() -> Route:
    turns = count()
    return lambda deployment, _: deployment.serving[next(turns) % len(deployment.serving)]


def _idlest(deployment: Deployment, now: float) -> SimulatedPod:
    deployment.run(now)
    return min(deployment.serving, key=lambda pod: pod.replica.in_flight)
