"""The operator itself."""

from aifactory.autoscale.memory import Memory
from aifactory.autoscale.role import Decided, decide_role
from aifactory.signals.queries import HISTOGRAM_OF
from aifactory.signals.snapshot import Snapshot
from aifactory.simulate.scenario import Scenario

from .base import Choice, Seen


class Operator:
    """The code of the operator's own tick, at its own intervals, on the same readings."""

    initial: int | None = None

    def __init__(self, scenario: Scenario) -> None:
        self.memory = Memory()
        self.every = scenario.watch.tick
        self.window = scenario.watch.window
        self.role = scenario.role
        self._objectives = scenario.objectives
        self._latencies = [HISTOGRAM_OF[signal] for signal in scenario.targets]

    def decide(self, seen: Seen) -> Choice:
        """Replicas from now on."""
        readings, decision, _ = self.tick(seen)
        return Choice(decision.to if decision else seen.replicas, readings.in_flight)

    def tick(self, seen: Seen) -> Decided:
        """What is read and decided, and from now on remembered."""
        decided = decide_role(self.role, self._objectives, self.read(seen), seen.group, self.memory, seen.now)
        self.memory = decided.memory
        return decided

    def read(self, seen: Seen) -> Snapshot:
        """What Prometheus says."""
        return seen.prometheus.snapshot(self.role.service.key, self._latencies, seen.now, self.window)
