"""A service on virtual time: replicas that start after a delay and queue requests like one server each."""

import random
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from aifactory.api.scaling import ScaleDown, ScaleUp, ScalingBehavior, ScalingSpec
from aifactory.autoscale.decision import Decision
from aifactory.autoscale.fleet import Fleet
from aifactory.autoscale.law import decide_replicas
from aifactory.autoscale.memory import Memory
from aifactory.signals.objectives import Objective, Signal
from aifactory.signals.readings import ObjectiveReading, PodReading, Reading, ServiceReadings, State

TTFT = Objective(Signal.TTFT, 0.5, 95)
# One replica at a time, long after the load has gone: numbers of steps are easy to tell.
SLOW = ScalingBehavior(
    scale_up=ScaleUp(threshold=Decimal("0.55")),
    scale_down=ScaleDown(
        threshold=Decimal("0.40"),
        stabilization_window=timedelta(minutes=5),
        max_percent=1,
        period=timedelta(minutes=2),
    ),
)
TICK = 15.0
WINDOW = 60.0


def ok(value: float) -> Reading:
    return Reading(value, State.OK)


def readings(
    *,
    now: float = 0.0,
    pods: int = 1,
    ttft: float | None = 0.1,
    waiting: float = 0.0,
    running: float = 10.0,
    kv: float | None = 0.1,
    completed: float = 5.0,
    offered: float | None = None,
    tokens: float = 500.0,
    prompts: float | None = None,
    objective: Objective = TTFT,
) -> ServiceReadings:
    """A healthy service unless told otherwise; None is a series that is missing, or that the engine lacks: `prompts`.

    Without prompt tokens the law cannot learn what a replica carries.
    """
    return ServiceReadings(
        time=now,
        window_seconds=WINDOW,
        objectives=(ObjectiveReading(objective, ok(ttft) if ttft is not None else Reading(), 1000.0),),
        running=ok(running),
        waiting=ok(waiting),
        kv_cache_usage=ok(kv) if kv is not None else Reading(),
        kv_cache_usage_worst=ok(kv) if kv is not None else Reading(),
        completed=ok(completed),
        offered=ok(completed if offered is None else offered),
        prompt_tokens=ok(prompts) if prompts is not None else Reading(None, State.UNSUPPORTED),
        generation_tokens=ok(tokens),
        pods={f"pod-{index}": PodReading(running / pods, waiting / pods, kv) for index in range(pods)},
    )


def spec(**bounds: Any) -> ScalingSpec:
    """With the constants of `SLOW`."""
    return ScalingSpec(**{"behavior": SLOW} | bounds)


SCALING = spec(max_replicas=10)


class Watch:
    """Decisions tick by tick on a fleet that stays as it is told."""

    def __init__(self, fleet: Fleet, scaling: ScalingSpec = SCALING) -> None:
        self.fleet, self.scaling, self.memory, self.now = fleet, scaling, Memory(), 0.0

    def see(self, seen: ServiceReadings | None, seconds: float = TICK) -> Decision:
        """The last of the decisions when `seen` goes on for some time (seconds)."""
        end = self.now + seconds
        while self.now < end:
            self.now += TICK
            current = replace(seen, time=self.now) if seen else None
            decision, self.memory = decide_replicas(self.scaling, (TTFT,), self.fleet, current, self.memory, self.now)
        return decision


def steady(replicas: int, **more: Any) -> Fleet:
    return Fleet(replicas, replicas, **more)


@dataclass
class Service:
    """Each replica completes `rate` requests per second; one alone takes `base` seconds to the first token.

    The p95 rises as base / (1 - load) below saturation, or with a `cliff` not at all. Beyond it requests wait.
    """

    rate: float = 5.0
    base: float = 0.05
    startup: float = 60.0
    noise: float = 0.0
    seed: int = 0
    cliff: bool = False
    learns: bool = False
    gpus: int = 10_000
    replicas: int = 1
    ready_at: list[float] = field(default_factory=lambda: [0.0])
    waiting: float = 0.0
    breached: float = 0.0
    memory: Memory = field(default_factory=Memory)
    now: float = 0.0

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)

    def resize(self, replicas: int, now: float) -> None:
        self.replicas = replicas
        self.ready_at = sorted(self.ready_at)[:replicas]
        self.ready_at += [now + self.startup] * (replicas - len(self.ready_at))

    def fleet(self, now: float) -> Fleet:
        placed = self.ready_at[: self.gpus]
        ready = sum(at <= now for at in placed)
        missing = self.replicas - len(placed)
        since = min(self.ready_at[self.gpus :], default=0.0) - self.startup if missing else None
        return Fleet(self.replicas, ready, len(placed) - ready, missing, since)

    def serve(self, offered: float, now: float, seconds: float) -> ServiceReadings:
        ready = max(1, self.fleet(now).ready)
        capacity = ready * self.rate
        completed = min(capacity, offered + self.waiting / seconds)
        self.waiting = max(0.0, self.waiting + (offered - completed) * seconds)
        load = min(0.98, offered / capacity)
        ttft = self.base * (1.5 if self.cliff else 1.5 / (1 - load)) + self.waiting / capacity
        self.breached += seconds * (ttft > TTFT.target)
        return readings(
            now=now,
            pods=ready,
            ttft=self.noisy(ttft),
            waiting=self.noisy(self.waiting),
            running=self.noisy(4 * ready * load / (1 - load) ** 0.5),
            kv=min(1.0, self.noisy((0.3 if self.cliff else 0.6) * load)),
            completed=completed,
            offered=self.noisy(offered),
            tokens=100 * completed,
            prompts=1000 * completed if self.learns else None,
        )

    def noisy(self, value: float) -> float:
        return value * (1 + self.noise * self.random.uniform(-1, 1))


def run(service: Service, scaling: ScalingSpec, *load: tuple[float, float], blind: bool = False) -> list[Decision]:
    """Decisions of every tick over `load`, which is (seconds, requests per second) one after the other."""
    decisions = []
    for seconds, offered in load:
        end = service.now + seconds
        while service.now < end:
            seen = service.serve(offered, service.now, TICK)
            fleet = service.fleet(service.now)
            decision, service.memory = decide_replicas(
                scaling, (TTFT,), fleet, None if blind else seen, service.memory, service.now
            )
            service.resize(decision.to, service.now)
            decisions.append(decision)
            service.now += TICK
    return decisions
