"""From what the cluster holds of a service to where its canary goes next."""

from dataclasses import replace
from datetime import timedelta

from aifactory.api.engine import Engine
from aifactory.api.meta import format_duration
from aifactory.api.role import RoleName
from aifactory.api.rollout import RolloutPhase
from aifactory.api.status import InferenceServiceStatus
from aifactory.canary import Deployed, Rollout, Seen, Side, Split, Staged, advance, goal, pursued, shift
from aifactory.observed import Group, Observed, together
from aifactory.render import labels, naming
from aifactory.render.pod import pod_template
from aifactory.render.template import fingerprint, given
from aifactory.render.workload import start_seconds
from aifactory.runtimes import RUNTIMES, MetricDialect, Role
from aifactory.signals.tracks import TrackReadings
from aifactory.status.placing import nowhere
from aifactory.status.pods import failing, unschedulable

_NONE = Side(0, 0)
_ENGINES = frozenset(Engine)


def stage(
    role: Role, observed: Observed, total: int, before: Rollout | None, readings: TrackReadings | None, now: float
) -> Staged:
    """What becomes of the canary of `role`, of which `total` replicas are wanted; `now` is epoch seconds.

    Whether there is one depends on the spec, on the Deployments and on `before`, which the status remembers, and on
    nothing else. A service that does not exist yet has none, nor has one whose replicas are several pods.
    """
    rollout, deployed = role.spec.rollout, ("Deployment", naming.child(role)) in observed.children
    unused = (rollout.canary is None and before is None) or not deployed
    if role.spec.accelerator.nodes > 1 or (unused and observed.canary.workload is None):
        return Staged(Split(total, 0))
    seen = pursued(rollout.canary, before, _seen(role, observed, total, readings, now))
    after = advance(rollout.canary, before, seen, now)
    exists = seen.canary is not None
    if not exists and (after is None or after.phase is not RolloutPhase.PROGRESSING):
        return Staged(Split(total, 0), after, overtaken=seen.overtaken)
    sides = seen.stable.side, seen.canary.side if seen.canary else _NONE
    split = shift(goal(rollout.canary, after, seen), *sides, total, rollout.pace(total))
    return Staged(split, after, exists, seen.overtaken)


def whole(role: RoleName, observed: Observed, before: InferenceServiceStatus, wanted: int | None = None) -> Group:
    """A role with its canary; `wanted` replicas, by default as many as were wanted last.

    The canary's Deployment says how many those were, before any Deployment is resized; the status, only afterwards.
    """
    stable = observed.group(role)
    if observed.group(RoleName.ACTIVATOR).serving_pods:
        stable = replace(stable, activator=True)
    if observed.canary.workload is None:
        return stable
    desired, both = before.replicas.desired if before.replicas else None, observed.canary.workload.both
    return together(stable, observed.canary, next((one for one in (wanted, both) if one is not None), desired))


def spoken(role: Role, observed: Observed) -> tuple[MetricDialect, ...]:
    """Metric names of the role on both tracks; the stable replicas may still run another engine."""
    deployment = observed.children.get(("Deployment", naming.child(role)))
    engine = deployment["metadata"]["labels"].get(labels.ENGINE) if deployment and observed.canary.workload else None
    others = RUNTIMES[Engine(engine)].dialects if engine in _ENGINES else ()
    return tuple(dict.fromkeys((*role.dialects, *others)))


def _seen(role: Role, observed: Observed, total: int, readings: TrackReadings | None, now: float) -> Seen:
    wanted = fingerprint(pod_template(role))
    served = observed.group(role.name)
    stable = _deployed(observed, naming.child(role), served)
    canary = _deployed(observed, naming.canary(role.service.metadata.name), observed.canary)
    tried = _of_template(observed.canary, wanted) if canary and canary.template == wanted else Group()
    trouble = failing(tried, now, start_seconds(role))
    return Seen(
        wanted,
        total,
        stable or Deployed(wanted, _NONE, settled=False),
        canary,
        failure=trouble.message if trouble else _overdue(role, tried, now),
        shortage=_shortage(role, tried),
        stuck=bool(failing(served, now, start_seconds(role)) or _overdue(role, served, now)),
        readings=readings,
    )


def _shortage(role: Role, tried: Group) -> str:
    """What keeps pods of the canary from a node; empty if nothing does."""
    for pod in unschedulable(tried.pods):
        return f"pod {pod.name}: {nowhere(role, pod)}"
    return tried.workload.replica_failure if tried.workload else ""


def _overdue(role: Role, tried: Group, now: float) -> str:
    """That no node took a pod in the time in which it should have served; empty while one still may.

    It is not waited for any longer: it stands in for a replica of which scaling may be in need.
    """
    late = [pod for pod in unschedulable(tried.pods) if now - (pod.unschedulable_since or now) > start_seconds(role)]
    if not late:
        return ""
    allowed = format_duration(timedelta(seconds=start_seconds(role)))
    return f"pod {late[0].name} found no node in {allowed}: {nowhere(role, late[0]).rstrip('.')}"


def _deployed(observed: Observed, name: str, group: Group) -> Deployed | None:
    deployment = observed.children.get(("Deployment", name))
    if deployment is None or group.workload is None:
        return None
    side = Side(group.workload.replicas, len(group.serving_pods))
    return Deployed(given(deployment), side, not group.workload.rolling_out)


def _of_template(group: Group, template: str) -> Group:
    """Without pods of an earlier attempt, and without what the Deployment said of them."""
    pods = tuple(pod for pod in group.pods if pod.template == template)
    workload = group.workload
    current = workload is not None and workload.observed_generation >= workload.generation
    return Group(workload if current else None, pods)
