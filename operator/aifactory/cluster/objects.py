"""The newest known version of every object of a family, fed by watch events and by answers to own writes."""

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from sys import intern
from types import MappingProxyType
from typing import Any, Generic, NamedTuple, TypeVar

from aifactory.observed import ChildId

from .kinds import Family, Key

P = TypeVar("P")
_TOMBSTONES = 4096


class _Entry(NamedTuple, Generic[P]):
    version: int
    pod: P


class Objects(Generic[P]):
    """Not thread-safe: one event loop owns it. Objects are trimmed of what nobody reads; pods are kept as `read`."""

    def __init__(self, family: Family, read: Callable[[Mapping[str, Any]], P]) -> None:
        self.family = family
        self._read = read
        self._owners: dict[Key, dict[str, Any]] = {}
        self._children: dict[Key, dict[ChildId, dict[str, Any]]] = {}
        self._pods: dict[Key, dict[str, _Entry[P]]] = {}
        self._gone: OrderedDict[str, int] = OrderedDict()

    def put(self, kind: str, obj: Mapping[str, Any]) -> bool:
        """Remember an object; False if nothing was learned: an older version, or a pod that differs in no known way."""
        metadata = obj["metadata"]
        key, version = self.family.key(kind, metadata), int(metadata["resourceVersion"])
        if key is None or version <= self._version(kind, key, metadata):
            return False
        if kind == self.family.kind:
            self._owners[key] = _trim(obj)
        elif kind == "Pod":
            pods, pod = self._pods.setdefault(key, {}), self._read(obj)
            before = pods.get(metadata["name"])
            pods[metadata["name"]] = _Entry(version, pod)
            return before is None or before.pod != pod
        else:
            self._children.setdefault(key, {})[kind, metadata["name"]] = _trim(obj)
        return True

    def drop(self, kind: str, obj: Mapping[str, Any]) -> None:
        """Forget an object that is gone; late answers about it are ignored, a successor of its name is kept."""
        metadata = obj["metadata"]
        key, version = self.family.key(kind, metadata), int(metadata["resourceVersion"])
        succeeded = key is not None and version < self._version(kind, key, metadata)
        self._gone[metadata["uid"]] = version
        if len(self._gone) > _TOMBSTONES:
            self._gone.popitem(last=False)
        if key is not None and not succeeded:
            self._forget(kind, key, metadata["name"])

    def keep(self, kind: str, namespace: str | None, there: Collection[Key], version: int) -> set[Key]:
        """Forget objects of a kind that a complete list of this version does not name.

        `there` holds namespace and name of each; the list covers one namespace or, if None, all. The result is the
        owners that lost something.
        """
        gone = [
            (key, name)
            for key, name, known in self._versions(kind)
            if namespace in (None, key[0]) and known <= version and (key[0], name) not in there
        ]
        for key, name in gone:
            self._forget(kind, key, name)
        return {key for key, _ in gone}

    def owner(self, key: Key) -> dict[str, Any] | None:
        """The object of our kind as last seen."""
        return self._owners.get(key)

    def owners(self) -> Iterable[Key]:
        """All objects of our kind."""
        return tuple(self._owners)

    def objects(self) -> Mapping[Key, dict[str, Any]]:
        """Every object of our kind as the API server gave it."""
        return MappingProxyType(self._owners)

    def children(self, key: Key) -> dict[ChildId, dict[str, Any]]:
        """What belongs to one object; children of an earlier object of the same name are left out."""
        owner = self._owners.get(key)
        uid = owner["metadata"]["uid"] if owner else ""
        return {
            name: child
            for name, child in self._children.get(key, {}).items()
            if any(owner["uid"] == uid for owner in child["metadata"].get("ownerReferences") or [])
        }

    def pods(self, key: Key) -> tuple[P, ...]:
        """Pods of one object."""
        return tuple(entry.pod for entry in self._pods.get(key, {}).values())

    def _forget(self, kind: str, key: Key, name: str) -> None:
        if kind == self.family.kind:
            self._owners.pop(key, None)
        elif kind == "Pod":
            _remove(self._pods, key, name)
        else:
            _remove(self._children, key, (kind, name))

    def _versions(self, kind: str) -> Iterator[tuple[Key, str, int]]:
        """Owner, name and version of every object of a kind."""
        if kind == self.family.kind:
            yield from ((key, key[1], _version_of(obj)) for key, obj in self._owners.items())
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
            obj = self._owners.get(key) if kind == self.family.kind else self._children.get(key, {}).get((kind, name))
            known = _version_of(obj) if obj else 0
        return max(known, self._gone.get(metadata["uid"], 0))


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
