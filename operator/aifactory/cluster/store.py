"""The newest known version of every object that matters, fed by watch events and by answers to own writes."""

from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator, Mapping
from sys import intern
from types import MappingProxyType
from typing import Any, NamedTuple

from aifactory.api.inferenceservice import KIND
from aifactory.api.role import RoleName
from aifactory.api.rollout import Track
from aifactory.observed import Group, Observed, Pod
from aifactory.render import labels, naming
from aifactory.together import folded

from .read import pod_of
from .workloads import workload, workload_of

Key = tuple[str, str]
_ChildId = tuple[str, str]
_ROLES = frozenset(RoleName)
_TOMBSTONES = 4096


def service_key(kind: str, metadata: Mapping[str, Any]) -> Key | None:
    """Namespace and name of the service that an object is or belongs to: by its owner, or else by its label."""
    namespace = metadata.get("namespace", "")
    if kind == KIND:
        return namespace, metadata["name"]
    owners = [owner["name"] for owner in metadata.get("ownerReferences") or [] if owner["kind"] == KIND]
    name = owners[0] if owners else (metadata.get("labels") or {}).get(labels.SERVICE)
    return (namespace, name) if name else None


class _PodEntry(NamedTuple):
    version: int
    role: RoleName | Track | None
    pod: Pod


_NOTHING = Group()


class Store:
    """Not thread-safe: one event loop owns it. Objects are trimmed of what nobody reads."""

    def __init__(self) -> None:
        self._services: dict[Key, dict[str, Any]] = {}
        self._children: dict[Key, dict[tuple[str, str], dict[str, Any]]] = {}
        self._pods: dict[Key, dict[str, _PodEntry]] = {}
        self._departed: dict[Key, dict[str, _PodEntry]] = {}
        self._gone: OrderedDict[str, int] = OrderedDict()

    def put(self, kind: str, obj: Mapping[str, Any]) -> bool:
        """Remember an object; False if nothing was learned: an older version, or a pod that differs in no known way."""
        metadata = obj["metadata"]
        key, version = service_key(kind, metadata), int(metadata["resourceVersion"])
        if key is None or version <= self._version(kind, key, metadata):
            return False
        if kind == KIND:
            self._services[key] = _trim(obj)
        elif kind == "Pod":
            pods, pod = self._pods.setdefault(key, {}), pod_of(obj)
            before = pods.get(metadata["name"])
            pods[metadata["name"]] = _PodEntry(version, _role_of(metadata), pod)
            return before is None or before.pod != pod
        else:
            self._children.setdefault(key, {})[kind, metadata["name"]] = _trim(obj)
        return True

    def drop(self, kind: str, obj: Mapping[str, Any]) -> None:
        """Forget an object that is gone; late answers about it are ignored, a successor of its name is kept."""
        metadata = obj["metadata"]
        key, version = service_key(kind, metadata), int(metadata["resourceVersion"])
        succeeded = key is not None and version < self._version(kind, key, metadata)
        self._gone[metadata["uid"]] = version
        if len(self._gone) > _TOMBSTONES:
            self._gone.popitem(last=False)
        if key is not None and kind == "Pod":
            self._depart(key, _PodEntry(version, _role_of(metadata), pod_of(obj)))
        if key is not None and not succeeded:
            self._forget(kind, key, metadata["name"])

    def keep(self, kind: str, namespace: str | None, there: Collection[Key], version: int) -> set[Key]:
        """Forget objects of a kind that a complete list of this version does not name.

        `there` holds namespace and name of each; the list covers one namespace or, if None, all. The result is the
        services that lost something.
        """
        gone = [
            (key, name)
            for key, name, known in self._versions(kind)
            if namespace in (None, key[0]) and known <= version and (key[0], name) not in there
        ]
        for key, name in gone:
            self._forget(kind, key, name)
        return {key for key, _ in gone}

    def service(self, key: Key) -> dict[str, Any] | None:
        """The InferenceService as last seen."""
        return self._services.get(key)

    def services(self) -> Iterable[Key]:
        """All services."""
        return tuple(self._services)

    def objects(self) -> Mapping[Key, dict[str, Any]]:
        """Every service as the API server gave it."""
        return MappingProxyType(self._services)

    def observe(self, key: Key) -> Observed:
        """What the cluster holds for one service; objects of an earlier service of the same name are left out."""
        service = self._services.get(key)
        uid = service["metadata"]["uid"] if service else ""
        children = {
            child_id: child
            for child_id, child in self._children.get(key, {}).items()
            if any(owner["uid"] == uid for owner in child["metadata"].get("ownerReferences") or [])
        }
        entries, departed = self._pods.get(key, {}).values(), self._departed.get(key, {}).values()
        groups = {role: _group(key[1], role, children, entries, departed) for role in RoleName}
        canary = _canary(key[1], children, entries)
        return Observed(children, {role: group for role, group in groups.items() if group != _NOTHING}, canary)

    def _depart(self, key: Key, entry: _PodEntry) -> None:
        """Remember a pod that served together with others for as long as there are some of them."""
        departed = {name: one for name, one in self._departed.pop(key, {}).items() if self._has_peers(key, one.pod)}
        if entry.pod.left_at is not None and entry.pod.began_at is not None:
            departed[entry.pod.name] = entry
        if departed:
            self._departed[key] = departed

    def _has_peers(self, key: Key, pod: Pod) -> bool:
        return any(entry.pod.replica == pod.replica for entry in self._pods.get(key, {}).values())

    def _forget(self, kind: str, key: Key, name: str) -> None:
        if kind == KIND:
            self._services.pop(key, None)
            self._departed.pop(key, None)
        elif kind == "Pod":
            _remove(self._pods, key, name)
        else:
            _remove(self._children, key, (kind, name))

    def _versions(self, kind: str) -> Iterator[tuple[Key, str, int]]:
        """Service, name and version of every object of a kind."""
        if kind == KIND:
            yield from ((key, key[1], _version_of(obj)) for key, obj in self._services.items())
        elif kind == "Pod":
            yield from ((key, name, pod.version) for key, pods in self._pods.items() for name, pod in pods.items())
        else:
            for key, children in self._children.items():
                yield from ((key, name, _version_of(obj)) for (of, name), obj in children.items() if of == kind)

    def _version(self, kind: str, key: Key, metadata: Mapping[str, Any]) -> int:
        """The newest version heard of, of the object of this name or of this very object if it is gone."""
        name = metadata["name"]
        if kind == "Pod":
            entry = self._pods.get(key, {}).get(name)
            known = entry.version if entry else 0
        else:
            obj = self._services.get(key) if kind == KIND else self._children.get(key, {}).get((kind, name))
            known = _version_of(obj) if obj else 0
        return max(known, self._gone.get(metadata["uid"], 0))


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
    children: Mapping[_ChildId, Any],
    pods: Iterable[_PodEntry],
    departed: Iterable[_PodEntry],
) -> Group:
    """One role of the service of this name."""
    every = tuple(entry.pod for entry in pods if entry.role is role)
    together = folded(every)
    members = tuple(pod for pod in every if pod.grouped)
    gone = tuple(entry.pod for entry in departed if entry.role is role) if members else ()
    return Group(workload(name, role, children, together), together, members, gone)


def _canary(name: str, children: Mapping[_ChildId, Any], pods: Iterable[_PodEntry]) -> Group:
    """The canary of the service of this name."""
    deployment = children.get(("Deployment", naming.canary(name)))
    found = tuple(entry.pod for entry in pods if entry.role is Track.CANARY)
    return Group(workload_of(deployment) if deployment else None, found)


def _version_of(obj: Mapping[str, Any]) -> int:
    return int(obj["metadata"]["resourceVersion"])


def _remove(table: dict[Key, dict[Any, Any]], key: Key, item: Any) -> None:
    table.get(key, {}).pop(item, None)
    if not table.get(key):
        table.pop(key, None)


def _trim(obj: Mapping[str, Any]) -> dict[str, Any]:
    metadata = {name: value for name, value in obj["metadata"].items() if name != "managedFields"}
    trimmed: dict[str, Any] = _shared({**obj, "metadata": metadata})
    return trimmed


def _shared(value: Any) -> Any:
    """A copy whose texts exist once; each object read has field names of its own, which are half of its memory."""
    if isinstance(value, dict):
        return {intern(name): _shared(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_shared(item) for item in value]
    return intern(value) if isinstance(value, str) else value
