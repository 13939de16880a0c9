"""What is known of services, and of caches."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from aifactory.api.role import RoleName
from aifactory.api.rollout import Track
from aifactory.observed import ChildId, Group, Observed, Pod
from aifactory.render import labels, naming
from aifactory.together import folded

from .kinds import SERVICES, Key
from .objects import Objects
from .read import pod_of
from .workloads import workload, workload_of

_ROLES = frozenset(RoleName)
_NOTHING = Group()


class _RolePod(NamedTuple):
    role: RoleName | Track | None
    pod: Pod


class Store(Objects[_RolePod]):
    """InferenceServices with their children and pods."""

    def __init__(self) -> None:
        super().__init__(SERVICES, _read)
        self._departed: dict[Key, dict[str, _RolePod]] = {}

    def drop(self, kind: str, obj: Mapping[str, Any]) -> None:
        """Forget an object that is gone; late answers about it are ignored, a successor of its name is kept."""
        super().drop(kind, obj)
        key = self.family.key(kind, obj["metadata"])
        if key is not None and kind == "Pod":
            self._depart(key, _read(obj))

    def service(self, key: Key) -> dict[str, Any] | None:
        """The InferenceService as last seen."""
        return self.owner(key)

    def services(self) -> Iterable[Key]:
        """All services."""
        return self.owners()

    def observe(self, key: Key) -> Observed:
        """What the cluster holds for one service; objects of an earlier service of the same name are left out."""
        children, pods, departed = self.children(key), self.pods(key), self._departed.get(key, {}).values()
        groups = {role: _group(key[1], role, children, pods, departed) for role in RoleName}
        canary = _canary(key[1], children, pods)
        return Observed(children, {role: group for role, group in groups.items() if group != _NOTHING}, canary)

    def _depart(self, key: Key, entry: _RolePod) -> None:
        """Remember a pod that served together with others for as long as there are some of them."""
        departed = self._departed.pop(key, {})
        if entry.pod.left_at is not None and entry.pod.began_at is not None:
            departed[entry.pod.name] = entry
        if missed := {name: one for name, one in departed.items() if self._has_peers(key, one.pod)}:
            self._departed[key] = missed

    def _has_peers(self, key: Key, pod: Pod) -> bool:
        return any(entry.pod.replica == pod.replica for entry in self.pods(key))

    def _forget(self, kind: str, key: Key, name: str) -> None:
        if kind == self.family.kind:
            self._departed.pop(key, None)
        super()._forget(kind, key, name)


def _read(pod: Mapping[str, Any]) -> _RolePod:
    return _RolePod(_role_of(pod["metadata"]), pod_of(pod))


def _role_of(metadata: Mapping[str, Any]) -> RoleName | Track | None:
    """What the pod's labels say: the canary, or the role of all others; None if that is no role."""
    found = metadata.get("labels") or {}
    if found.get(labels.TRACK) == Track.CANARY:
        return Track.CANARY
    text = found.get(labels.ROLE) or found.get(labels.MEMBER_OF)
    return RoleName(text) if text in _ROLES else None


def _group(
    name: str,
    role: RoleName,
    children: Mapping[ChildId, Any],
    pods: Iterable[_RolePod],
    departed: Iterable[_RolePod],
) -> Group:
    """One role of the service of this name."""
    every = tuple(entry.pod for entry in pods if entry.role is role)
    together = folded(every)
    members = tuple(pod for pod in every if pod.grouped)
    gone = tuple(entry.pod for entry in departed if entry.role is role) if members else ()
    return Group(workload(name, role, children, together), together, members, gone)


def _canary(name: str, children: Mapping[ChildId, Any], pods: Iterable[_RolePod]) -> Group:
    """The canary of the service of this name."""
    deployment = children.get(("Deployment", naming.canary(name)))
    found = tuple(entry.pod for entry in pods if entry.role is Track.CANARY)
    return Group(workload_of(deployment) if deployment else None, found)
