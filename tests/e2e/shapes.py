"""Shapes of load, sent to a live service and simulated: what both cost, and how many requests were in time."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from math import cos, pi
from pathlib import Path
from statistics import fmean
from typing import Any

from aifactory.api.inferenceservice import InferenceService
from aifactory.simulate import trace
from aifactory.simulate.engine.batching import Limits, Timing
from aifactory.simulate.engine.models import EngineModel
from aifactory.simulate.policies.operator import Operator
from aifactory.simulate.record import figures
from aifactory.simulate.scenario import Watch, scenario
from aifactory.simulate.trace import Request
from aifactory.simulate.world import World

from .install import SCRAPE_SECONDS, SETTINGS
from .kube import Object
from .service import runtime, scaling

# Slow beside what a busy machine adds to it; from alone to a full batch the time between tokens grows sevenfold.
ENGINE = EngineModel(
    "shapes",
    Timing(base=0.04, per_decode=0.016, per_prefill_token=0.0002, per_kv_token=1e-6),
    Limits(max_num_seqs=24, max_num_batched_tokens=512, kv_tokens=16_384),
    "invented: `_SERVER` makes it of the simulated server",
)
_SERVER: Mapping[str, Any] = {
    "MODELSERVER_STARTUP_SECONDS": 8,
    "MODELSERVER_BASE_SECONDS": ENGINE.timing.base,
    "MODELSERVER_DECODE_SECONDS": ENGINE.timing.per_decode,
    "MODELSERVER_PREFILL_SECONDS": ENGINE.timing.per_prefill_token,
    "MODELSERVER_KV_SECONDS": ENGINE.timing.per_kv_token,
    "MODELSERVER_MAX_NUM_SEQS": ENGINE.limits.max_num_seqs,
    "MODELSERVER_MAX_NUM_BATCHED_TOKENS": ENGINE.limits.max_num_batched_tokens,
    "MODELSERVER_KV_TOKENS": ENGINE.limits.kv_tokens,
}
TTFT, ITL = "10s", "500ms"
"""Targets. A replica that is too busy exceeds them by seconds or not at all."""

_WATCH = Watch(SCRAPE_SECONDS, float(SETTINGS["AIFACTORY_TICK"]), float(SETTINGS["AIFACTORY_METRICS_WINDOW"]))
_PROMPT_TOKENS, _OUTPUT_TOKENS = 64, 32
_STEP_SECONDS = 0.01
_MINUTE = 60.0
# One run of the simulator is one draw of what is random, as the live one is; the mean of these is the prediction.
_SEEDS = 12

Rate = Callable[[float], float]


@dataclass(frozen=True, slots=True)
class Shape:
    """`rate` gives requests per second at a time, all of it takes `seconds`, for a service of at most `most` replicas.

    High load wants more replicas than that and low load fewer than two, so that little hangs on the noise of one run.
    """

    name: str
    most: int
    rate: Rate
    seconds: int

    @property
    def spec(self) -> Object:
        """Of its service."""
        objectives = {"timeToFirstToken": TTFT, "interTokenLatency": ITL}
        return {
            "runtime": runtime(**_SERVER),
            "scaling": scaling(1, self.most),
            "slo": {
                "workload": "offline",
                "objectives": {name: {"percentile": 95, "target": target} for name, target in objectives.items()},
            },
            "drain": {"timeout": "30s"},
        }

    def csv(self) -> str:
        """Its requests, evenly spread, as a trace for the load generator and for `aifactory simulate`."""
        lines, due = ["seconds,input_tokens,output_tokens"], 0.0
        for step in range(round(self.seconds / _STEP_SECONDS)):
            due += self.rate(step * _STEP_SECONDS) * _STEP_SECONDS
            if due >= 1:
                due -= 1
                lines.append(f"{step * _STEP_SECONDS:.2f},{_PROMPT_TOKENS},{_OUTPUT_TOKENS}")
        return "\n".join(lines) + "\n"


def requests(csv: str, folder: Path) -> list[Request]:
    """As `aifactory simulate` reads the trace."""
    path = folder / "trace.csv"
    path.write_text(csv)
    return trace.read(path, None, seed=0)


@dataclass(frozen=True, slots=True)
class Outcome:
    """`attainment` is a share (0 to 1); `changes` are (seconds, replicas from then on)."""

    replica_seconds: float
    attainment: float
    changes: list[tuple[int, int]]

    @property
    def falls(self) -> int:
        """How often replicas were removed."""
        counts = [1, *(after for _, after in self.changes)]
        return sum(after < before for before, after in pairwise(counts))


def predict(service: InferenceService, load: list[Request], startup: float, began: float) -> Outcome:
    """The mean of several runs, with the changes of the first.

    Pods take `startup` seconds to become ready; the load `began` at that time (epoch seconds): the law thinks in
    minutes of the clock.
    """
    outcomes = simulate(service, load, startup, began)
    return Outcome(
        fmean(one.replica_seconds for one in outcomes),
        fmean(one.attainment for one in outcomes),
        outcomes[0].changes,
    )


def simulate(service: InferenceService, load: list[Request], startup: float, began: float) -> list[Outcome]:
    """Several runs, each with a seed of its own."""
    idle = began % _MINUTE
    late = [replace(one, at=one.at + idle) for one in load]
    return [_simulated(service, late, startup, idle, seed) for seed in range(_SEEDS)]


def _simulated(service: InferenceService, load: list[Request], startup: float, idle: float, seed: int) -> Outcome:
    """One replica has been `idle` for so many seconds since a minute began; they are not counted."""
    found = scenario(service, ENGINE, load, startup=startup, seed=seed, watch=_WATCH, initial=1)
    record = World(found, Operator(found)).run(1)
    changes = [(round(at - idle), after) for at, _, after in record.actions]
    return Outcome(record.gpu_seconds / found.gpus - idle, figures(record).attainment, changes)


def _step(base: float, times: float, start: int, end: int, after: float) -> Rate:
    return lambda second: base if second < start else base * times if second < end else after


def _ramp(low: float, high: float, start: int, end: int, fall: int) -> Rate:
    def rate(second: float) -> float:
        return low if second >= fall else low + (high - low) * min(1.0, max(0.0, (second - start) / (end - start)))

    return rate


def _day(low: float, high: float, seconds: int) -> Rate:
    """Night at both ends, noon in the middle."""
    return lambda second: low + (high - low) * (1 - cos(2 * pi * second / seconds)) / 2


SHAPES = (
    Shape("step", 2, _step(0.7, 3, 50, 135, 0.2), 240),
    Shape("ramp", 2, _ramp(0.3, 3.2, 20, 125, 135), 240),
    Shape("burst", 3, _step(0.4, 12, 60, 72, 0.4), 240),
    Shape("diurnal", 2, _day(0.2, 3.2, 300), 300),
)
