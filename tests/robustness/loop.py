"""The operator in a loop with a simulated service while things go wrong, on virtual time; what a run must always keep.

Everything is the operator's own code but the engines, the cluster and the HTTP server of Prometheus: its queries, its
client and parser, its tick, its control law, its status.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from math import inf
from typing import Any

from aifactory.api.inferenceservice import InferenceService
from aifactory.api.status import InferenceServiceStatus
from aifactory.autoscale.decision import Decision, DecisionReason
from aifactory.autoscale.role import Decided
from aifactory.observed import Group, Observed
from aifactory.render import resolved
from aifactory.signals.prometheus import PrometheusSource
from aifactory.signals.snapshot import Snapshot
from aifactory.signals.wanted import Wanted
from aifactory.simulate.engine.batching import Limits, Timing
from aifactory.simulate.engine.models import EngineModel
from aifactory.simulate.policies.base import Choice, Seen
from aifactory.simulate.policies.operator import Operator
from aifactory.simulate.record import Record
from aifactory.simulate.scenario import Scenario, Watch, scenario
from aifactory.simulate.trace import Request
from aifactory.simulate.world import World
from aifactory.status.facts import Facts, RoleFacts
from aifactory.status.report import report

from tests.robustness.loads import MINUTE, Load, ramp, steady
from tests.robustness.prometheus_api import Fault, PrometheusAPI
from tests.robustness.sound import unsound

# One replica keeps 500 ms to the first and 50 ms between tokens up to nearly one request a second.
ENGINE = EngineModel(
    "small",
    Timing(base=0.008, per_decode=0.003, per_prefill_token=0.0003, per_kv_token=1e-6),
    Limits(max_num_seqs=16, max_num_batched_tokens=512, kv_tokens=16_384),
    "invented",
)
_URL = "http://prometheus.test"
_LONG = 900.0  # a scale-up so long after a scale-down answers to the load and not to the scale-down


# One replica at a time, five minutes after load has gone: what a fault would remove before its time is easy to tell.
PATIENT = {"scaleDown": {"stabilizationWindow": "5m", "maxPercent": 1, "period": "2m"}}


def service(
    startup_timeout: str = "30m",
    targets: Mapping[str, str] | None = None,
    offline: Mapping[str, str] | None = None,
    **scaling: Any,
) -> InferenceService:
    """`targets` are durations by objective, such as `timeToFirstToken`, in place of the preset's.

    `offline` makes it an offline service and has further fields of spec.slo.
    """
    objectives = {name: {"target": target} for name, target in (targets or {}).items()}
    return InferenceService.model_validate(
        {
            "metadata": {"name": "chat", "namespace": "demo", "uid": "uid-1", "generation": 1},
            "spec": {
                "model": {"name": "m"},
                "runtime": {"engine": "vllm", "startupTimeout": startup_timeout},
                "slo": {"objectives": objectives} if offline is None else {"workload": "offline", **offline},
                "scaling": {"minReplicas": 1, "maxReplicas": 10, "behavior": PATIENT, **scaling},
            },
        }
    )


@dataclass(frozen=True)
class Tick:
    """What the operator saw, decided and would write into the status at one time."""

    time: float
    clock: float
    group: Group
    decided: Decided
    scenario: Scenario

    @property
    def decision(self) -> Decision:
        assert self.decided.decision is not None
        return self.decided.decision

    @property
    def ready(self) -> int:
        return len(self.group.serving_pods)

    @property
    def unknown(self) -> bool:
        """Some signal that should be there cannot be read, or of some pod."""
        readings = self.decided.readings
        signals = [readings.waiting, readings.kv_cache_usage, *(one.observed for one in readings.objectives)]
        return bool(readings.error) or any(one.state.unknown for one in signals) or len(readings.pods) < self.ready

    @property
    def status(self) -> InferenceServiceStatus:
        """As it would be written, had nothing been written before."""
        return self.status_after(InferenceServiceStatus())

    def status_after(self, before: InferenceServiceStatus) -> InferenceServiceStatus:
        """As it would be written over another one."""
        role, learned = self.scenario.role, self.decided.memory.learned()
        derived = resolved(role, self.scenario.objectives)
        part = RoleFacts(role, derived, self.group, self.decision, self.decided.readings, learned)
        observed = Observed({}, {role.name: self.group})
        return report(Facts(role.service, (part,), observed, before, self.clock))

    @property
    def conditions(self) -> Mapping[str, tuple[str, str]]:
        """Status and reason by type, as they would be written."""
        return {one.type: (one.status, one.reason) for one in self.status.conditions}


class Watched(Operator):
    """The operator, whose ticks are kept; its clock may be wrong, and what it is shown of the cluster be changed."""

    def __init__(self, scenario: Scenario, faults: Sequence[Fault]) -> None:
        super().__init__(scenario)
        self.ticks: list[Tick] = []
        self.clock: Callable[[float], float] = lambda now: now
        self.group: Callable[[Group, float], Group] = lambda group, _: group
        self.away: Callable[[float], bool] = lambda _: False
        self._scenario = scenario
        self._faults = tuple(faults)
        self._wanted = Wanted(frozenset(scenario.targets), dict.fromkeys(scenario.role.dialects))
        self._runner = asyncio.Runner()
        self._api: PrometheusAPI | None = None
        self._source: PrometheusSource | None = None
        self._true_now = 0.0

    def decide(self, seen: Seen) -> Choice:
        return Choice(seen.replicas) if self.away(seen.now) else super().decide(seen)

    def tick(self, seen: Seen) -> Decided:
        group, clock = self.group(seen.group, seen.now), self.clock(seen.now)
        self._true_now = seen.now
        decided = super().tick(replace(seen, now=clock, group=group))
        self.ticks.append(Tick(seen.now, clock, group, decided, self._scenario))
        return decided

    def read(self, seen: Seen) -> Snapshot:
        """Over HTTP as far as faults need it; both ways give the same (test_the_wire)."""
        if not any(fault.at(self._true_now) for fault in self._faults):
            found = super().read(replace(seen, now=self._true_now))
            return replace(found, time=seen.now)
        if self._source is None:
            service = self._scenario.role.service.key
            self._api = PrometheusAPI(seen.prometheus, service, self._wanted, self.window)
            self._source = PrometheusSource(_URL, window_seconds=self.window, transport=self._api)
        assert self._api is not None
        self._api.now, self._api.faults = self._true_now, self._faults
        return self._runner.run(self._read(self._source, seen.now))

    async def _read(self, source: PrometheusSource, now: float) -> Snapshot:
        snapshot = await source.read(now, self._wanted)
        await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()})
        return snapshot

    def close(self) -> None:
        if self._source is not None:
            self._source.close()
        self._runner.close()


@dataclass(frozen=True)
class Run:
    """A run that has ended."""

    scenario: Scenario
    record: Record
    ticks: Sequence[Tick]
    world: World = field(repr=False)

    def within(self, begin: float = 0.0, end: float = inf) -> list[Tick]:
        return [tick for tick in self.ticks if begin <= tick.time < end]

    def actions(self, begin: float = 0.0, end: float = inf) -> list[tuple[float, int, int]]:
        """(time, replicas before, after) of the operator's own changes."""
        return [action for action in self.record.actions if begin <= action[0] < end]

    def removed(self, begin: float = 0.0, end: float = inf) -> int:
        return sum(max(0, before - after) for _, before, after in self.actions(begin, end))

    def added(self, begin: float = 0.0, end: float = inf) -> int:
        return sum(max(0, after - before) for _, before, after in self.actions(begin, end))

    def replicas(self, at: float) -> int:
        """What the Deployment asks for."""
        return next(tick.decision.from_ for tick in self.ticks if tick.time >= at)

    def most(self, begin: float = 0.0, end: float = inf) -> int:
        return max(tick.decision.to for tick in self.within(begin, end))

    def reasons(self, begin: float = 0.0, end: float = inf) -> set[DecisionReason]:
        return {tick.decision.reason for tick in self.within(begin, end)}

    def conditions(self, at: float) -> Mapping[str, tuple[str, str]]:
        return next(tick.conditions for tick in self.ticks if tick.time >= at)

    def attainment(self, begin: float = 0.0, end: float = inf) -> float:
        """The share of requests that arrived then which met all objectives; 1 of none."""
        good = [answer.good for answer in self.record.answers if begin <= answer.arrived_at < end]
        return sum(good) / len(good) if good else 1.0

    def returns(self, begin: float = 0.0, end: float = inf) -> int:
        """Replicas that were removed and came back within a quarter of an hour: flapping."""
        found, actions = 0, self.actions(begin, end)
        for index, (when, before, after) in enumerate(actions):
            if after < before:
                later = [one for one in actions[index + 1 :] if one[0] - when < _LONG and one[2] > one[1]]
                found += bool(later)
        return found


@dataclass(frozen=True)
class Case:
    """A load, the replicas that it begins with, and when (seconds) a fault begins."""

    load: Load
    replicas: int
    begins: float

    @property
    def usual(self) -> Run:
        """Without a fault."""
        return usual(self.load, self.replicas)


# Enough to do for four or five replicas; nearly nothing to do for four; and a load that grows twelvefold meanwhile.
PEAK = Case(steady(2.3, 19), 5, 7 * MINUTE)
IDLE = Case(steady(0.1, 30), 4, 3.5 * MINUTE)
RAMP = Case(ramp(0.25, 3.0, 2, 12, 19), 1, 5 * MINUTE)
CASES = {"peak": PEAK, "idle": IDLE, "mid-ramp": RAMP}

Event = tuple[float, Callable[[World, float], None]]


def run(
    load: Load | Sequence[Request],
    *faults: Fault,
    replicas: int = 1,
    events: Sequence[Event] = (),
    operator: Callable[[Watched], None] = lambda _: None,
    startup: float = 60.0,
    scrape: float = 15.0,
    window: int = 60,
    engine: EngineModel = ENGINE,
    **spec: Any,
) -> Run:
    """Begin with so many serving replicas; `events` are called at their times, `operator` prepares the operator.

    `spec` are the arguments of `service`.
    """
    requests = load.requests() if isinstance(load, Load) else list(load)
    found = scenario(service(**spec), engine, requests, startup=startup, seed=0)
    scene = replace(found, watch=Watch(scrape=scrape, window=window))
    policy = Watched(scene, faults)
    operator(policy)
    world = World(scene, policy)
    for time, event in events:
        world.at(time, lambda now, event=event: event(world, now))  # type: ignore[misc]
    try:
        record = world.run(replicas)
    finally:
        policy.close()
    found = Run(scene, record, policy.ticks, world)
    for broken in unsound(found.scenario, found.ticks):
        raise AssertionError(broken)
    return found


@cache
def usual(load: Load, replicas: int) -> Run:
    """The same without a fault."""
    return run(load, replicas=replicas)
