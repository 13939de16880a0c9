"""How one generation of workers follows another, where frontends serve with those of one generation.

A change of what workers run makes another generation. Its first workers start beside the former ones, which stay all
until a frontend that serves with the new ones is ready and the last frontend that knew others is gone. Where there are
more workers of a role than one, frontends that know both generations stand in between, so that workers are exchanged
within the rollout's surge.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from aifactory.api import GROUP
from aifactory.api.role import RoleName
from aifactory.observed import Observed, Pod
from aifactory.render import labels, naming
from aifactory.runtimes import BETWEEN, Role

Child = dict[str, Any]
# The longest that Kubernetes takes (int32), and what it takes for no deadline: no former pod is removed before a new
# one has been ready for so long.
_FOREVER = 2**31 - 2
_WAITING = {"minReadySeconds": _FOREVER, "progressDeadlineSeconds": 2**31 - 1}
LOST_SECONDS = 300.0
"""Longer than a frontend takes that fetches the tokenizer of its workers over a slow network."""


@dataclass(frozen=True, slots=True)
class Succession:
    """What becomes of the Deployments of a service whose roles find each other.

    The frontends' is `kept` as it is, or serves `between` two generations, or with the wanted one. Former pods of the
    roles `staying` are not removed. `unfinished` Deployments were about to be exchanged for another generation than the
    wanted one, and are kept; those in `freed` may remove their former pods.
    """

    kept: bool = False
    between: bool = False
    staying: frozenset[RoleName] = frozenset()
    unfinished: frozenset[RoleName] = frozenset()
    freed: bool = False


_NOTHING = Succession()


def succession(parts: tuple[Role, ...], observed: Observed, wanted: Mapping[RoleName, int], now: float) -> Succession:
    """The next step; `wanted` replicas of each role, `now` in epoch seconds."""
    entry, workers = parts[0], parts[1:]
    generation = entry.server.generation
    used = _generation(entry, observed)
    if entry.between is None or used is None:
        return _NOTHING
    every = frozenset(role.name for role in workers)
    halfway = frozenset(role.name for role in workers if _halfway(role, observed, used))
    if halfway and used not in (generation, BETWEEN) and not _stuck(entry, observed):
        return Succession(kept=True, unfinished=halfway, freed=_settled(entry, observed, used))
    if not any(_former(role, observed) for role in workers):
        return _NOTHING
    found = {role.name: len(_found(role, observed, now)) for role in workers}
    whole = all(found[name] >= wanted[name] for name in every)
    if used == generation:
        return _NOTHING if _settled(entry, observed, used) else Succession(staying=every)
    if whole:
        return Succession(staying=every)
    if used != BETWEEN and not all(found[name] >= min(1, wanted[name]) for name in every):
        return Succession(kept=True, staying=every)
    begun = {role.name: len(_current(role, observed)) for role in workers}
    last = frozenset(name for name in every if begun[name] >= wanted[name])
    return Succession(between=True, staying=last if _settled(entry, observed, BETWEEN) else every)


def paced(step: Succession, parts: tuple[Role, ...], rendered: Iterable[Child]) -> Iterator[Child]:
    """The rendered children as this step has them, without those that keep what they have."""
    kept = {naming.child(role) for role in parts if role.name in step.unfinished or (step.kept and role is parts[0])}
    staying = {naming.child(role) for role in parts if role.name in step.staying}
    for child in rendered:
        name = child["metadata"]["name"] if child["kind"] == "Deployment" else ""
        if name in staying:
            yield {**child, "spec": {**child["spec"], **_WAITING}}
        elif name not in kept:
            yield child


def freed(step: Succession, parts: tuple[Role, ...], observed: Observed, rendered: Iterable[Child]) -> Iterator[Child]:
    """Deployments as they are, but with the limits of the rendered ones: their former pods may leave."""
    names = {naming.child(role) for role in parts if step.freed and role.name in step.unfinished}
    for child in rendered:
        if child["kind"] == "Deployment" and child["metadata"]["name"] in names:
            live = observed.children["Deployment", child["metadata"]["name"]]
            own = {name: text for name, text in live["metadata"]["annotations"].items() if name.startswith(GROUP)}
            spec = {**live["spec"], **{name: child["spec"][name] for name in _WAITING}}
            yield {**child, "metadata": {**child["metadata"], "annotations": own}, "spec": spec}


def lost(parts: tuple[Role, ...], observed: Observed, now: float) -> Iterator[Pod]:
    """Frontends that do not serve although workers of every kind have been there for long; `now` in epoch seconds.

    One of Dynamo 1.6 now and then misses a worker that turns ready while it begins, and never looks again. Anew it
    finds all.
    """
    entry, workers = parts[0], parts[1:]
    if entry.discovery is None:
        return
    since = now - LOST_SECONDS
    there = [{pod.generation for pod in observed.group(role.name).pods if _ready_since(pod, since)} for role in workers]
    for pod in observed.group(entry.name).pods:
        waits = pod.pending and pod.began_at is not None and pod.began_at <= since
        if waits and all(found if pod.generation == BETWEEN else pod.generation in found for found in there):
            yield pod


def _ready_since(pod: Pod, time: float) -> bool:
    return pod.ready and not pod.terminating and pod.ready_at is not None and pod.ready_at <= time


def _generation(role: Role, observed: Observed) -> str | None:
    """The generation that a Deployment was given, None while there is none."""
    live = observed.children.get(("Deployment", naming.child(role)))
    if live is None:
        return None
    given: str = (live["spec"]["template"]["metadata"].get("labels") or {}).get(labels.GENERATION, "")
    return given


def _halfway(role: Role, observed: Observed, used: str) -> bool:
    live = observed.children.get(("Deployment", naming.child(role)))
    held = live is not None and live["spec"].get("minReadySeconds") == _FOREVER
    return held and _generation(role, observed) == used


def _stuck(entry: Role, observed: Observed) -> bool:
    workload = observed.group(entry.name).workload
    return workload is None or workload.progress_deadline_exceeded


def _settled(entry: Role, observed: Observed, generation: str) -> bool:
    """All frontends are of this generation, and those of others are gone with the requests that they held."""
    group = observed.group(entry.name)
    done = group.workload is not None and not group.workload.rolling_out
    return done and all(pod.generation == generation for pod in group.pods)


def _former(role: Role, observed: Observed) -> list[Pod]:
    return [pod for pod in _staying_pods(role, observed) if pod.generation != role.server.generation]


def _current(role: Role, observed: Observed) -> list[Pod]:
    return [pod for pod in _staying_pods(role, observed) if pod.generation == role.server.generation]


def _found(role: Role, observed: Observed, now: float) -> list[Pod]:
    """Pods that have been ready for long enough to be found by those of other roles."""
    seconds = role.discovery.seconds if role.discovery else 0
    return [pod for pod in _current(role, observed) if _ready_since(pod, now - seconds)]


def _staying_pods(role: Role, observed: Observed) -> list[Pod]:
    return [pod for pod in observed.group(role.name).pods if not pod.terminating]
