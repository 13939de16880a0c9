"""The operator itself."""

from aifactory.autoscale.memory import Memory
from aifactory.autoscale.role import decide_role
from aifactory.signals.queries import HISTOGRAM_OF
from aifactory.simulate.scenario import Scenario

from .base import Choice, Seen


class Operator:
    """The code of the operator's own tick, at its own intervals, on the same readings."""

    initial: int | None = None

    def __init__(self, scenario: Scenario) -> None:
        self._role = scenario.role
        self._objectives = scenario.objectives
        self.every = scenario.watch.tick
        self._window = scenario.watch.window
        self._latencies = [HISTOGRAM_OF[signal] for signal in scenario.targets]
        self._memory = Memory()

    def decide(self, seen: Seen) -> Choice:
        """One tick."""
        snapshot = seen.prometheus.snapshot(self._role.service.key, self._latencies, seen.now, self._window)
        readings, decision, self._memory = decide_role(
            self._role, self._objectives, snapshot, seen.group, self._memory, seen.now
        )
        in_flight = {name: pod.in_flight for name, pod in readings.pods.items()}
        return Choice(decision.to if decision else seen.replicas, in_flight)
