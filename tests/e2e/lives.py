"""The pods of a service over time, as the API server tells of them."""

from dataclasses import dataclass

from .kube import Kube, Object, path
from .waiting import History


@dataclass(slots=True)
class Life:
    """When a pod was created, became ready and was gone, in epoch seconds as seen by a watch."""

    created: float
    ready: float | None = None
    gone: float | None = None


class Lives:
    """All pods of a namespace with a label from now on."""

    def __init__(self, kube: Kube, namespace: str, label: str) -> None:
        self._label = label
        self._seen = History(kube.watch(path(namespace, "pods")))

    def all(self) -> list[Life]:
        """The oldest first."""
        lives: dict[str, Life] = {}
        for at, event, pod in self._seen.seen:
            if self._label not in pod["metadata"].get("labels", {}):
                continue
            life = lives.setdefault(pod["metadata"]["uid"], Life(at))
            if life.ready is None and _ready(pod):
                life.ready = at
            if event == "DELETED":
                life.gone = at
        return list(lives.values())

    def replica_seconds(self, start: float, end: float) -> float:
        """How long pods existed between two times (epoch seconds), from creation to the end of draining."""
        spans = ((max(start, life.created), min(end, life.gone or end)) for life in self.all())
        return sum(max(0.0, last - first) for first, last in spans)

    def startups(self, since: float) -> list[float]:
        """Seconds from creation to readiness of each pod that was created after a time and became ready."""
        return [life.ready - life.created for life in self.all() if life.ready is not None and life.created > since]

    def stop(self) -> None:
        """Close the watch."""
        self._seen.stop()


def _ready(pod: Object) -> bool:
    conditions = pod["status"].get("conditions", [])
    return any((item["type"], item["status"]) == ("Ready", "True") for item in conditions)
