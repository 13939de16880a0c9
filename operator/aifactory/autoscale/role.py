"""One tick of one role: from what Prometheus and the cluster say to a decision."""

from typing import NamedTuple

from aifactory.api.role import RoleName
from aifactory.observed import Group
from aifactory.runtimes import Role
from aifactory.signals.objectives import Objective, Signal, completion
from aifactory.signals.readings import ServiceReadings
from aifactory.signals.snapshot import Snapshot

from .backlog import Promise
from .bounds import bounds_of
from .decision import Decision
from .fleet import Fleet
from .law import decide_replicas
from .memory import Memory


class Decided(NamedTuple):
    """What was read, what follows (None for a role that does not scale or has no workload), what to remember."""

    readings: ServiceReadings
    decision: Decision | None
    memory: Memory


def decide_role(
    role: Role, objectives: tuple[Objective, ...], snapshot: Snapshot, group: Group, memory: Memory, now: float
) -> Decided:
    """Read the signals of a role, and run the control law if it scales. `now` is epoch seconds."""
    serving = frozenset(pod.name for pod in group.serving_pods)
    readings = snapshot.service(*role.service.key, serving, objectives, role.dialects, completions(role))
    given, bounds = role.spec.scaling, bounds_of(role, now)
    if given is None or bounds is None or group.workload is None:
        return Decided(readings, None, memory)
    fleet = Fleet.of(group, role.spec.runtime.startup_timeout, now, serial=role.name is RoleName.PREFILL)
    promise = Promise.of(role.spec)
    own = readings.generating if role.name is RoleName.DECODE else readings
    decision, memory = decide_replicas(bounds.applied(given), objectives, fleet, own, memory, now, given, promise)
    return Decided(readings, bounds.explained(decision), memory)


def completions(role: Role) -> tuple[Objective, ...]:
    """What the completed requests of an offline service are judged by, where this role is."""
    found = completion(role.spec.slo)
    follows = role.follows is None or Signal.E2E in role.follows
    return (found,) if found and follows else ()
