"""Which replicas of several pods are made and which go, where every replica is a workload of its own."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from aifactory.api.rollout import RolloutSpec


@dataclass(frozen=True, slots=True)
class Replica:
    """A replica that exists: of the spec that is wanted or of an earlier one; `load` is the requests it holds."""

    current: bool
    ready: bool
    load: float


@dataclass(frozen=True, slots=True)
class Exchange:
    """Numbers of the replicas to have, of the wanted spec, and of earlier ones that still serve."""

    have: tuple[int, ...]
    stay: tuple[int, ...] = ()


def exchange(
    live: Mapping[int, Replica], wanted: int, rollout: RolloutSpec, *, taken: Collection[int] = ()
) -> Exchange:
    """One step towards `wanted` replicas of the wanted spec, as a Deployment would take it.

    Replicas that do not serve go first, then the idlest. Numbers that are `taken` are those of pods that still leave.
    """
    pace = rollout.pace(wanted)
    current = _by_worth({number: one for number, one in live.items() if one.current})[:wanted]
    old = _by_worth({number: one for number, one in live.items() if not one.current})
    spare = sum(live[number].ready for number in (*current, *old)) - (wanted - pace.unavailable)
    serving = [number for number in old if live[number].ready]
    # A replica that waits is of no use to anybody; it goes as soon as its place is needed.
    stay = serving[: max(0, len(serving) - max(0, spare))]
    room = wanted + pace.surge - len(current) - len(stay)
    more = max(0, min(wanted - len(current), room))
    return Exchange(tuple(sorted((*current, *_free(more, {*live, *taken})))), tuple(sorted(stay)))


def makes_way(rollout: RolloutSpec, replicas: int) -> bool:
    """All replicas may be missing during a rollout, and none may be too many."""
    pace = rollout.pace(replicas)
    return pace.surge == 0 and pace.unavailable >= replicas


def _by_worth(replicas: Mapping[int, Replica]) -> list[int]:
    """Those that serve most first."""
    return sorted(replicas, key=lambda number: (not replicas[number].ready, -replicas[number].load, number))


def _free(count: int, taken: Collection[int]) -> tuple[int, ...]:
    """The lowest numbers that are not taken."""
    return tuple(number for number in range(count + len(taken)) if number not in taken)[:count]
