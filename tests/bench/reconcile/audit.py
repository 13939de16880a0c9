"""What the API server's audit log says of a run: who wrote what, and when, to the microsecond."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

OPERATOR = "operator"  # the user that it authenticates as


@dataclass(frozen=True, slots=True)
class Write:
    """A request that changed something; `resource` has the subresource after a slash, times are epoch seconds."""

    verb: str
    resource: str
    name: str
    user: str
    code: int
    received: float
    done: float


class Audit:
    """Reads an audit log in pieces as it grows."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._offset = 0

    def news(self) -> list[Write]:
        """Writes that were logged since the last call."""
        with self._log.open("rb") as lines:
            lines.seek(self._offset)
            content = lines.read()
        complete = content[: content.rfind(b"\n") + 1]
        self._offset += len(complete)
        return [_write(json.loads(line)) for line in complete.splitlines()]


def by_operator(writes: Iterable[Write]) -> list[Write]:
    """The operator's own writes but those to its Lease."""
    return [write for write in writes if write.user == OPERATOR and write.resource != "leases"]


def counts(writes: Iterable[Write]) -> dict[str, int]:
    """Number of writes by resource."""
    return dict(sorted(Counter(write.resource for write in writes).items()))


def delays(writes: Iterable[Write]) -> list[float]:
    """Seconds from the existence of each service to that of its Deployment, sorted."""
    created, deployed = _existence(writes)
    return sorted(deployed[name] - created[name] for name in deployed)


def span(writes: Iterable[Write]) -> float:
    """Seconds from the first request for a service to the last Deployment."""
    writes = list(writes)
    first = min(write.received for write in writes if write.resource == "inferenceservices" and write.verb == "create")
    return max(_existence(writes)[1].values()) - first


def percentile(values: list[float], share: float) -> float:
    """Of sorted values, the smallest that at least this share is not above."""
    return values[max(0, -int(-share * len(values) // 1) - 1)]


def _existence(writes: Iterable[Write]) -> tuple[dict[str, float], dict[str, float]]:
    created: dict[str, float] = {}
    deployed: dict[str, float] = {}
    for write in writes:
        if write.resource == "inferenceservices" and write.verb == "create" and write.code == 201:
            created[write.name] = write.done
        elif write.resource == "deployments" and write.code == 201:
            deployed[write.name] = write.done
    return created, deployed


def _write(event: dict) -> Write:  # type: ignore[type-arg]
    target = event["objectRef"]
    subresource = f"/{target['subresource']}" if "subresource" in target else ""
    return Write(
        verb=event["verb"],
        resource=target["resource"] + subresource,
        name=target.get("name", ""),
        user=event["user"]["username"],
        code=event["responseStatus"]["code"],
        received=_epoch(event["requestReceivedTimestamp"]),
        done=_epoch(event["stageTimestamp"]),
    )


def _epoch(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
