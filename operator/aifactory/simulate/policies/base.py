"""What every policy may look at, and what it answers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from aifactory.observed import Group
from aifactory.simulate.prometheus import Prometheus


@dataclass(frozen=True, slots=True)
class EngineLoad:
    """What an engine has to do at this moment, in requests and tokens, as its own scheduler knows it."""

    running: int
    waiting: int
    queued_prefill_tokens: int
    decode_kv_tokens: int


@dataclass(frozen=True, slots=True)
class Asked:
    """What clients have asked for since the start, as a frontend counts it; tokens are those of whole requests."""

    requests: int = 0
    prompt_tokens: int = 0
    output_tokens: int = 0

    def since(self, before: "Asked") -> "Asked":
        """What came after `before`."""
        return Asked(
            self.requests - before.requests,
            self.prompt_tokens - before.prompt_tokens,
            self.output_tokens - before.output_tokens,
        )

    @property
    def lengths(self) -> tuple[float, float]:
        """Mean tokens of a prompt and of an answer; 0 without requests."""
        requests = max(1, self.requests)
        return self.prompt_tokens / requests, self.output_tokens / requests


@dataclass(frozen=True, slots=True)
class Seen:
    """The cluster at `now`: the Deployment and its pods, Prometheus, and two sources that some policies bring along.

    `engines` gives the load of each serving pod by name, without the delay of a scrape. `others` are the Deployments
    of other roles.
    """

    now: float
    group: Group
    prometheus: Prometheus
    engines: Callable[[], Mapping[str, EngineLoad]]
    asked: Asked
    others: tuple[Group, ...] = ()

    @property
    def replicas(self) -> int:
        """What the Deployment asks for."""
        return self.group.workload.replicas if self.group.workload else 0

    @property
    def ready(self) -> int:
        """Pods that serve."""
        return len(self.group.serving_pods)

    @property
    def settled(self) -> bool:
        """No replica starts or is missing, of any role."""
        groups = (self.group, *self.others)
        return all(len(group.serving_pods) == (group.workload.replicas if group.workload else 0) for group in groups)


@dataclass(frozen=True, slots=True)
class Choice:
    """Replicas from now on; with `in_flight` (requests by pod) the idlest pods leave first, else the youngest."""

    replicas: int
    in_flight: Mapping[str, float] = field(default_factory=dict)


class Policy(Protocol):
    """Decides every so many seconds. `initial` is the number of replicas to start with, if it needs its own."""

    every: float
    initial: int | None

    def decide(self, seen: Seen) -> Choice:
        """Replicas from now on; bounds are kept by the caller."""
        ...
