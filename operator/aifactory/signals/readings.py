"""What was read about one service in one tick. Every value says how far it can be trusted."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from math import inf
from statistics import fmean

from .objectives import Objective


class State(StrEnum):
    """How far a value can be trusted; only OK and IDLE are facts about the service."""

    OK = "OK"
    IDLE = "IDLE"  # exactly zero requests in the window, and every ready pod reports
    STALE = "STALE"  # the newest sample is older than the window
    MISSING = "MISSING"  # no series where there should be one
    ERROR = "ERROR"  # Prometheus did not answer, or not sensibly
    UNSUPPORTED = "UNSUPPORTED"  # the engine has no such series

    @property
    def unknown(self) -> bool:
        """The value should be there and is not."""
        return self in (State.STALE, State.MISSING, State.ERROR)


@dataclass(frozen=True, slots=True)
class Reading:
    """A value (None unless the state is OK), and its state."""

    value: float | None = None
    state: State = State.MISSING

    @property
    def usable(self) -> float | None:
        """The value if it is one that a rate, a count or a time can have."""
        sensible = self.state is State.OK and self.value is not None and 0 <= self.value < inf
        return self.value if sensible else None

    def instead(self, value: float | None) -> "Reading":
        """With another value, where there is one at all."""
        return self if self.usable is None or value is None else replace(self, value=value)


@dataclass(frozen=True, slots=True)
class ObjectiveReading:
    """An objective as seen now.

    `observed` is in the target's unit, a percentile as `histogram_quantile` has it, from `observations` requests or
    tokens of the window; `promised` is the latency within which the promised share of requests stays, as near to the
    truth as buckets allow, and `missed` the share (0 to 1) beyond the target. Attainment is the share (0 to 1)
    within the target over the window, five minutes and one hour; it is counted at `edge`, the highest histogram edge
    (seconds) that is not above the target, and is None where nothing was observed or no edge is that low. `edges` are
    all finite edges seen.
    """

    objective: Objective
    observed: Reading = Reading()
    observations: float = 0.0
    promised: float | None = None
    missed: float | None = None
    attainment: float | None = None
    attainment_5m: float | None = None
    attainment_1h: float | None = None
    edge: float | None = None
    edges: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class PodReading:
    """Requests of one pod now; `kv_cache_usage` is 0 to 1, of its fullest rank."""

    running: float = 0.0
    waiting: float = 0.0
    kv_cache_usage: float | None = None

    @property
    def in_flight(self) -> float:
        """Requests that would be cut if the pod went now."""
        return self.running + self.waiting


@dataclass(frozen=True, slots=True)
class ServiceReadings:
    """All signals of one service in one tick.

    Read at `time` (epoch seconds). `pods` are the ready pods that report, by name; gauges are sums or means over them.
    The `silent` ones have held requests for the whole window and made no token, though the service has made some.
    `completions` is what was completed of what an offline service promises, which decides nothing.
    Rates are per second over `window_seconds`. `offered` is completions plus growth of the requests in the system.
    With `live_tokens` a token counts when it is made, and not only when its request ends.
    `error` says what Prometheus answered if nothing could be read.
    """

    time: float
    window_seconds: float
    objectives: tuple[ObjectiveReading, ...] = ()
    running: Reading = Reading()
    waiting: Reading = Reading()
    kv_cache_usage: Reading = Reading()
    kv_cache_usage_worst: Reading = Reading()
    completed: Reading = Reading()
    offered: Reading = Reading()
    prompt_tokens: Reading = Reading()
    generation_tokens: Reading = Reading()
    pods: Mapping[str, PodReading] = field(default_factory=dict)
    silent: frozenset[str] = frozenset()
    live_tokens: bool = True
    error: str = ""
    completions: tuple[ObjectiveReading, ...] = ()

    @property
    def promises(self) -> tuple[ObjectiveReading, ...]:
        """All that the service promises."""
        return self.objectives + self.completions

    @property
    def in_flight(self) -> Mapping[str, float]:
        """Requests that each pod holds; those of a silent one will hardly be finished, and count for less than none."""
        return {name: -1.0 if name in self.silent else pod.in_flight for name, pod in self.pods.items()}

    def without(self, stuck: Collection[str]) -> "ServiceReadings":
        """With gauges of the other pods alone."""
        kept = [pod for name, pod in self.pods.items() if name not in stuck]
        if not stuck or not kept:
            return self
        usage = [pod.kv_cache_usage for pod in kept if pod.kv_cache_usage is not None]
        return replace(
            self,
            running=self.running.instead(sum(pod.running for pod in kept)),
            waiting=self.waiting.instead(sum(pod.waiting for pod in kept)),
            kv_cache_usage=self.kv_cache_usage.instead(fmean(usage) if usage else None),
            kv_cache_usage_worst=self.kv_cache_usage_worst.instead(max(usage, default=None)),
        )

    @property
    def generating(self) -> "ServiceReadings":
        """As they are for replicas that only generate: prompts are the work of others."""
        return replace(self, prompt_tokens=self.prompt_tokens.instead(0.0))

    @property
    def counters(self) -> tuple[Reading, ...]:
        """Of tokens."""
        return (self.prompt_tokens, self.generation_tokens)

    @property
    def tokens(self) -> float | None:
        """Prompt and output tokens per second of the whole service."""
        prompt, output = self.prompt_tokens.usable, self.generation_tokens.usable
        return None if prompt is None or output is None else prompt + output

    @property
    def work(self) -> float | None:
        """What comes out: tokens per second, or requests per second of an engine that does not count prompt tokens."""
        return self.completed.usable if self.tokens is None else self.tokens

    @property
    def silenced(self) -> bool:
        """Requests run, and no token was made in the window, as where an engine and its gauges stand still."""
        return self.live_tokens and bool(self.running.usable) and self.generation_tokens.usable == 0

    @property
    def idle(self) -> bool:
        """Nothing runs, nothing waits, nothing was completed in the window; not every engine counts completions."""
        counts = [self.running, self.waiting]
        if self.completed.state is not State.UNSUPPORTED:
            counts.append(self.completed)
        return all(reading.state in (State.OK, State.IDLE) and not reading.value for reading in counts)
